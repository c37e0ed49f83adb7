/** The gRPC server: every Flight method as a raw byte stream, limits, and an orderly end. */

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { type AuditLog, createAuditLog } from '../audit.ts';
import type { Authenticator } from '../auth/index.ts';
import { SluiceError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { RawCall } from './fast-frames.ts';
import { probeFastPath } from './fast-path-probe.ts';
import { createHealth } from './health.ts';
import { type ConnectionLimits, limitConnections, tuneHttp2, type Unrouted } from './http2-servers.ts';
import { createReflection } from './reflection.ts';
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
  /** Takes health checks and reflection, which come by the thousand and tell nothing. Default: nowhere. */
  readonly probes?: AuditLog;
  readonly logger: Logger;
  /** Largest request message, bytes. */
  readonly maxMessageBytes: number;
  /** Default: none. */
  readonly connections?: ConnectionLimits;
}

export type FlightMethod = (typeof METHODS)[number];

export interface FlightServer extends AsyncDisposable {
  readonly port: number;
  /** Frames go straight onto HTTP/2; false means the slower copy through grpc-js. */
  readonly fastPath: boolean;
  /** What health checks are told from now on; requests are served either way. */
  setServing(serving: boolean): void;
  /** Refuses new requests, waits for the running ones, and after `graceMs` ends them. */
  drain(graceMs: number): Promise<void>;
}

const METHOD_PATH = /^\/[\w.]{1,128}\/\w{1,64}$/;
const MAX_STREAMS_PER_CONNECTION = 1000;
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 30_000;
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
const SERVICE = 'arrow.flight.protocol.FlightService';
const HEALTH = 'grpc.health.v1.Health';
const REFLECTION = ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'];
/** Time for load balancers to notice, before connections are closed; no longer than a quarter of the grace. */
const NOTICE_MS = 500;

/** Rejects when the address cannot be bound. */
export async function createFlightServer(options: FlightServerOptions): Promise<FlightServer> {
  const { authenticator, audit, logger } = options;
  const fastPath = await probeFastPath();
  if (!fastPath) logger.warn('frames are copied through grpc-js: its HTTP/2 stream was not found');
  const state = { draining: false };
  const edge: Edge = { authenticator, audit, logger, fastPath, draining: () => state.draining, active: new Map() };
  const open: Edge = { ...edge, authenticator: null, audit: options.probes ?? createAuditLog(() => {}) };
  const health = createHealth([SERVICE]);
  const server = new Server({
    'grpc.max_receive_message_length': options.maxMessageBytes,
    'grpc.max_send_message_length': -1,
    'grpc.enable_channelz': 0,
    'grpc.max_concurrent_streams': MAX_STREAMS_PER_CONNECTION,
    // A client whose machine vanished would hold its streams for ever; one that broke HTTP/2 its socket, which Node then neither reads nor closes.
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    // Each stream bounds its own queue; Node's 10 MB per connection would refuse further streams beside slow readers.
    'grpc-node.max_session_memory': Number.MAX_SAFE_INTEGER,
  });
  const methods = Object.fromEntries(METHODS.map((name) => [name, options.methods[name] ?? (async () => unimplemented(name))]));
  const reflect = createReflection();
  const paths = [
    ...register(server, edge, SERVICE, methods),
    ...register(server, open, HEALTH, health.methods),
    ...REFLECTION.flatMap((service) => register(server, open, service, { ServerReflectionInfo: reflect })),
  ];
  const port = await bind(server, options);
  if (!tuneHttp2(server, new Set(paths), (request) => recordUnrouted(audit, request)))
    logger.warn('requests to unknown services are not recorded: the HTTP/2 server of grpc-js was not found');
  if (options.connections !== undefined) limitConnections(server, options.connections);
  let draining: Promise<void> | undefined;
  const drain = (graceMs: number): Promise<void> => {
    state.draining = true;
    health.stop();
    draining ??= shutDown(server, edge, graceMs);
    return draining;
  };
  return { port, fastPath, setServing: health.set, drain, [Symbol.asyncDispose]: () => drain(0) };
}

/**
 * Every method is registered as a stream both ways, whatever its shape: the wire is the same, the caller is refused
 * before its message is read, and one code path audits also requests without a message.
 */
function register(server: Server, edge: Edge, service: string, methods: Readonly<Record<string, RpcHandler>>): readonly string[] {
  const identity = (bytes: Buffer): Buffer => bytes;
  const definitions = Object.keys(methods).map((name) => [name, definition(`/${service}/${name}`, identity)] as const);
  const implementations = Object.entries(methods).map(([name, handler]) => [name, (call: RawCall) => serve(edge, name, call, handler)]);
  server.addService(Object.fromEntries(definitions), Object.fromEntries(implementations));
  return definitions.map(([, { path }]) => path);
}

/** grpc-js answers these by itself. The path is a stranger's text: only what looks like a method is kept. */
function recordUnrouted(audit: AuditLog, { path, peer, foreign }: Unrouted): void {
  const entry = audit.begin({ requestId: randomUUID(), method: 'unknown', peer });
  if (METHOD_PATH.test(path)) entry.add({ command: path });
  const error = foreign
    ? new SluiceError('request.malformed', 'this is no gRPC request')
    : new SluiceError('request.unimplemented', 'there is no such method');
  entry.finish('refused', error);
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

/** New requests are refused already. */
async function shutDown(server: Server, edge: Edge, graceMs: number): Promise<void> {
  const noticeMs = Math.min(NOTICE_MS, graceMs / 4);
  if (noticeMs > 0) await sleep(noticeMs);
  const finished = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, graceMs - noticeMs);
  });
  await Promise.race([finished, patience]);
  clearTimeout(timer);
  for (const lifetime of edge.active.keys()) lifetime.abort(new SluiceError('server.unavailable', 'the server is shutting down'));
  const running = Promise.allSettled(edge.active.values());
  server.forceShutdown();
  await running;
}
