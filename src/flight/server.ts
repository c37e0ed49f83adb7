/** The gRPC server: every Flight method as a raw byte stream, limits, and an orderly end. */
import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import type { AuditLog } from '../audit.ts';
import type { Authenticator } from '../auth/index.ts';
import { SluiceError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { RawCall } from './fast-frames.ts';
import { probeFastPath } from './fast-path-probe.ts';
import type { RpcHandler } from './rpc.ts';
import { type Edge, serve, unimplemented } from './stream.ts';

export interface FlightServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** By their names in the Flight service; a method that is missing answers UNIMPLEMENTED. */
  readonly methods: Readonly<Partial<Record<FlightMethod, RpcHandler>>>;
  /** Default: plaintext. */
  readonly credentials?: ServerCredentials;
  readonly authenticator: Authenticator;
  readonly audit: AuditLog;
  readonly logger: Logger;
  /** Largest request message, bytes. */
  readonly maxMessageBytes: number;
}

export type FlightMethod = (typeof METHODS)[number];

export interface FlightServer extends AsyncDisposable {
  readonly port: number;
  /** Frames go straight onto HTTP/2; false means the slower copy through grpc-js. */
  readonly fastPath: boolean;
  /** Refuses new requests, waits for the running ones, and after `graceMs` ends them. */
  drain(graceMs: number): Promise<void>;
}

const MAX_STREAMS_PER_CONNECTION = 1000;
const KEEPALIVE_MS = 120_000;
const KEEPALIVE_TIMEOUT_MS = 60_000;
const METHODS = [
  'Handshake',
  'ListFlights',
  'GetFlightInfo',
  'PollFlightInfo',
  'GetSchema',
  'DoGet',
  'DoPut',
  'DoExchange',
  'DoAction',
  'ListActions',
] as const;
const SERVICE = '/arrow.flight.protocol.FlightService';

/** Rejects when the address cannot be bound. */
export async function createFlightServer(options: FlightServerOptions): Promise<FlightServer> {
  const { authenticator, audit, logger } = options;
  const fastPath = await probeFastPath();
  if (!fastPath) logger.warn('frames are copied through grpc-js: its HTTP/2 stream was not found');
  const edge: Edge = { authenticator, audit, logger, fastPath, active: new Map() };
  const server = new Server({
    'grpc.max_receive_message_length': options.maxMessageBytes,
    'grpc.max_send_message_length': -1,
    'grpc.enable_channelz': 0,
    'grpc.max_concurrent_streams': MAX_STREAMS_PER_CONNECTION,
    // A client whose machine vanished would hold its streams for ever.
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    // Each stream bounds its own queue; Node's 10 MB per connection would refuse further streams beside slow readers.
    'grpc-node.max_session_memory': Number.MAX_SAFE_INTEGER,
  });
  register(server, edge, options.methods);
  const port = await bind(server, options);
  let draining: Promise<void> | undefined;
  const drain = (graceMs: number): Promise<void> => {
    draining ??= shutDown(server, edge, graceMs);
    return draining;
  };
  return { port, fastPath, drain, [Symbol.asyncDispose]: () => drain(0) };
}

/**
 * Every method is registered as a stream both ways, whatever its shape: the wire is the same, the caller is refused
 * before its message is read, and one code path audits also requests without a message.
 */
function register(server: Server, edge: Edge, methods: FlightServerOptions['methods']): void {
  const identity = (bytes: Buffer): Buffer => bytes;
  const definitions = METHODS.map((name) => [name, definition(`${SERVICE}/${name}`, identity)]);
  const implementations = METHODS.map((name) => {
    const handler = methods[name] ?? (async () => unimplemented(name));
    return [name, (call: RawCall) => serve(edge, name, call, handler)];
  });
  server.addService(Object.fromEntries(definitions), Object.fromEntries(implementations));
}

function definition(path: string, identity: (bytes: Buffer) => Buffer): ServiceDefinition[string] {
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
}

function bind(server: Server, { host, port, credentials = ServerCredentials.createInsecure() }: FlightServerOptions): Promise<number> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
}

async function shutDown(server: Server, edge: Edge, graceMs: number): Promise<void> {
  const finished = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, graceMs);
  });
  await Promise.race([finished, patience]);
  clearTimeout(timer);
  for (const lifetime of edge.active.keys()) lifetime.abort(new SluiceError('server.unavailable', 'the server is shutting down'));
  const running = Promise.allSettled(edge.active.values());
  server.forceShutdown();
  await running;
}
