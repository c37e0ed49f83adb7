/**
 * TLS of the server: certificate, key and client authorities from PEM files. They are read again when their content changes,
 * so a rotated certificate needs no restart; a set that does not fit together is reported and the last good one stays.
 */
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import { fail } from '../errors.ts';
import type { Logger } from '../log.ts';

export interface TlsOptions {
  /** PEM: the server's certificate and the chain above it. */
  readonly certificateFile: string;
  /** PEM, not encrypted. */
  readonly keyFile: string;
  /** PEM: whose client certificates are accepted, and then every client needs one. null = clients show none. */
  readonly clientAuthorityFile: string | null;
  readonly logger: Logger;
  /** How often the files are looked at, milliseconds. */
  readonly pollMs?: number;
}

export interface TlsCredentials extends AsyncDisposable {
  readonly credentials: ServerCredentials;
}

const POLL_MS = 2_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const MIN_VERSION = 'TLSv1.2';

/** Rejects with config.invalid when the files do not read or do not fit together. */
export async function createTlsCredentials(options: TlsOptions): Promise<TlsCredentials> {
  let inForce = await loadContext(options).catch((error: unknown) =>
    fail('config.invalid', `the TLS certificate can not be used: ${messageOf(error)}`),
  );
  const credentials = new ReloadedCredentials(inForce, options.clientAuthorityFile !== null);
  let reported = '';
  const reload = async (): Promise<void> => {
    try {
      const found = await loadContext(options);
      reported = '';
      if (sameFiles(found, inForce)) return;
      inForce = found;
      credentials.replace(found);
      options.logger.info('the TLS certificate was replaced');
    } catch (error) {
      // Between the two halves of a rotation this is normal, so it is said once.
      if (reported !== messageOf(error)) options.logger.error({ reason: messageOf(error) }, 'the new TLS certificate can not be used');
      reported = messageOf(error);
    }
  };
  let running = Promise.resolve();
  const timer = setInterval(() => {
    running = running.then(reload);
  }, options.pollMs ?? POLL_MS).unref();
  return {
    credentials,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await running;
    },
  };
}

/** grpc-js gives each server the context that was set last. */
class ReloadedCredentials extends ServerCredentials {
  constructor(context: SecureContextOptions, requireClientCertificate: boolean) {
    const client = { requestCert: requireClientCertificate, rejectUnauthorized: requireClientCertificate };
    super({ ...client, minVersion: MIN_VERSION, handshakeTimeout: HANDSHAKE_TIMEOUT_MS }, context);
  }

  /** A new context has new ticket keys: no resumed session, which skips the check of its certificate, outlives its authority. */
  replace(context: SecureContextOptions): void {
    this.updateSecureContextOptions(context);
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

async function loadContext({ certificateFile, keyFile, clientAuthorityFile }: TlsOptions): Promise<SecureContextOptions> {
  const [cert, key, ca] = await Promise.all([
    readFile(certificateFile),
    readFile(keyFile),
    clientAuthorityFile === null ? undefined : readFile(clientAuthorityFile),
  ]);
  const context = { cert, key, ...(ca === undefined ? {} : { ca }), minVersion: MIN_VERSION } as const;
  if (ca !== undefined && !ca.includes('-----BEGIN CERTIFICATE-----'))
    throw new Error('the file of client authorities holds no certificate');
  // Throws when the key is not the certificate's.
  createSecureContext(context);
  return context;
}

function sameFiles(a: SecureContextOptions, b: SecureContextOptions): boolean {
  return [a.cert, a.key, a.ca].map(String).join() === [b.cert, b.key, b.ca].map(String).join();
}

/** OpenSSL's and the file system's messages name files and functions, never the key. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
