/** The gRPC server: every Flight method as a raw byte stream, limits, and an orderly end. */
import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import type { AuditLog } from '../audit.ts';
import type { Authenticator } from '../auth/index.ts';
import { SluiceError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Planner } from '../planner/index.ts';
import type { Worker } from '../worker/index.ts';
import { doAction, doPut, listActions } from './actions.ts';
import { doGet, getFlightInfo, getSchema, type Services } from './commands.ts';
import type { RawCall } from './fast-frames.ts';
import { probeFastPath } from './fast-path-probe.ts';
import { sqlInfoValues } from './sql-info.ts';
import { type Edge, type RpcHandler, serve, unimplemented } from './stream.ts';

export interface FlightServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly planner: Planner;
  readonly worker: Worker;
  readonly authenticator: Authenticator;
  readonly audit: AuditLog;
  readonly logger: Logger;
  /** Largest request message, bytes. */
  readonly maxMessageBytes: number;
  /** Of Sluice, as GetSqlInfo tells it. */
  readonly version: string;
}

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
  register(server, edge, handlers({ planner: options.planner, worker: options.worker, sqlInfo: sqlInfoValues(options.version) }));
  const port = await bind(server, options.host, options.port);
  let draining: Promise<void> | undefined;
  const drain = (graceMs: number): Promise<void> => {
    draining ??= shutDown(server, edge, graceMs);
    return draining;
  };
  return { port, fastPath, drain, [Symbol.asyncDispose]: () => drain(0) };
}

function handlers(services: Services): Readonly<Record<string, RpcHandler>> {
  return {
    // Authentication has already happened, and the bearer travels in the headers.
    Handshake: async () => {},
    GetFlightInfo: (rpc) => getFlightInfo(services, rpc),
    GetSchema: (rpc) => getSchema(services, rpc),
    DoGet: (rpc) => doGet(services, rpc),
    DoAction: (rpc) => doAction(services, rpc),
    ListActions: listActions,
    DoPut: doPut,
    ListFlights: async () => unimplemented('ListFlights'),
    PollFlightInfo: async () => unimplemented('PollFlightInfo'),
    DoExchange: async () => unimplemented('DoExchange'),
  };
}

/**
 * Every method is registered as a stream both ways, whatever its shape: the wire is the same, the caller is refused
 * before its message is read, and one code path audits also requests without a message.
 */
function register(server: Server, edge: Edge, methods: Readonly<Record<string, RpcHandler>>): void {
  const identity = (bytes: Buffer): Buffer => bytes;
  const definitions = Object.keys(methods).map((name) => [name, definition(`${SERVICE}/${name}`, identity)]);
  const implementations = Object.entries(methods).map(([name, handler]) => [name, (call: RawCall) => serve(edge, name, call, handler)]);
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

function bind(server: Server, host: string, port: number): Promise<number> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)));
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
