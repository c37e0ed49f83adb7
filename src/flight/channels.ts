/** Connections to the other servers of the cluster, kept and shared by location. */
import { type ChannelCredentials, Client, credentials } from '@grpc/grpc-js';
import { fail } from '../errors.ts';

/** A fleet's worth; the least recently used one is closed. */
const CHANNELS_MAX = 1024;

export interface Channels {
  to(location: string): Client;
  close(): void;
}

/** What a planner needs to reach workers. Certificates and keys are PEM. */
export interface ChannelSecurity {
  /** The certificates above the workers', null = the system's. */
  readonly authority: Buffer | null;
  /** What workers that ask for a certificate are shown; null = nothing. */
  readonly identity: { readonly certificate: Buffer; readonly key: Buffer } | null;
  /** Bearers may go over plaintext. */
  readonly plaintext: boolean;
}

/**
 * How to reach `grpc` and `grpc+tls` locations. A plaintext one that is not allowed is server.unavailable, as a worker that is not there.
 * Throws config.invalid when certificate and key do not fit together.
 */
export function channelCredentials({ authority, identity, plaintext }: ChannelSecurity): (scheme: string) => ChannelCredentials {
  const tls = tlsCredentials(authority, identity);
  return (scheme) => {
    if (scheme !== 'grpc') return tls;
    return plaintext ? credentials.createInsecure() : fail('server.unavailable', 'a worker without TLS is not asked; try again');
  };
}

function tlsCredentials(authority: Buffer | null, identity: ChannelSecurity['identity']): ChannelCredentials {
  try {
    return credentials.createSsl(authority, identity?.key ?? null, identity?.certificate ?? null);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail('config.invalid', `the certificates for reaching workers can not be used: ${reason}`);
  }
}

/** `credentialsFor`: how to reach a location's scheme, `grpc` or `grpc+tls`. */
export function createChannels(credentialsFor: (scheme: string) => ChannelCredentials): Channels {
  const clients = new Map<string, Client>();
  return {
    to: (location) => {
      const known = clients.get(location);
      const client = known ?? connect(location, credentialsFor);
      clients.delete(location);
      clients.set(location, client);
      const [oldest] = clients;
      if (clients.size > CHANNELS_MAX && oldest !== undefined) {
        clients.delete(oldest[0]);
        oldest[1].close();
      }
      return client;
    },
    close: () => {
      for (const client of clients.values()) client.close();
    },
  };
}

function connect(location: string, credentialsFor: (scheme: string) => ChannelCredentials): Client {
  const [scheme = '', address = ''] = location.split('://');
  return new Client(address, credentialsFor(scheme), {
    'grpc.max_receive_message_length': -1,
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': 2000,
    // A worker whose machine vanished would hold the streams it was sending for ever.
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 20_000,
  });
}
