/**
 * The life of one RPC: authenticate, run the handler, answer, audit once. Every exit passes here.
 * The signal fires on cancel, deadline, shutdown and also after a normal end, so that nothing outlives its request.
 */
import { randomUUID } from 'node:crypto';
import { Metadata, status } from '@grpc/grpc-js';
import type { AuditEntry, AuditLog } from '../audit.ts';
import type { Authenticator } from '../auth/index.ts';
import { ERRORS, fail, SluiceError, toSluiceError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { clientCertificateOf } from './client-certificate.ts';
import type { RawCall } from './fast-frames.ts';
import { credentialOf } from './handshake.ts';
import { createMessageReader, type MessageReader } from './messages.ts';
import { ERROR_CODE_TRAILER } from './remote.ts';
import { createRpc, type RpcHandler } from './rpc.ts';
import { grpcCode, outcomeOf, publicMessage } from './status.ts';

export interface Edge {
  /** null for services that anybody may call, also while the server shuts down. */
  readonly authenticator: Authenticator | null;
  readonly draining: () => boolean;
  readonly audit: AuditLog;
  readonly logger: Logger;
  readonly fastPath: boolean;
  /** Requests under way; aborting one ends it. */
  readonly active: Map<AbortController, Promise<void>>;
}

/** One call on its way through. */
interface Flow {
  readonly edge: Edge;
  readonly method: string;
  readonly call: RawCall;
  readonly reader: MessageReader;
  readonly lifetime: AbortController;
  readonly headers: Metadata;
  readonly trailers: Metadata;
  readonly audit: AuditEntry;
}

const ANYBODY = { principal: { subject: '', groups: [], attributes: {} }, bearer: '' };
const REQUEST_ID = 'x-request-id';
/** setTimeout's limit. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Runs one RPC to its end; never throws. */
export function serve(edge: Edge, method: string, call: RawCall, handler: RpcHandler): void {
  const lifetime = new AbortController();
  const flow = startFlow(edge, method, call, lifetime);
  const running = run(flow, handler)
    .catch((error: unknown) => {
      edge.logger.error({ requestId: flow.audit.requestId, err: error, method }, 'request ended abnormally');
      call.emit('error', { code: status.INTERNAL, details: 'internal error' });
    })
    .finally(() => edge.active.delete(lifetime));
  edge.active.set(lifetime, running);
}

function startFlow(edge: Edge, method: string, call: RawCall, lifetime: AbortController): Flow {
  const requestId = randomUUID();
  const audit = edge.audit.begin({ requestId, method, peer: call.getPeer() });
  const headers = new Metadata();
  headers.set(REQUEST_ID, requestId);
  return { edge, method, call, reader: createMessageReader(call), lifetime, headers, trailers: headers.clone(), audit };
}

async function run(flow: Flow, handler: RpcHandler): Promise<void> {
  const { edge, call, headers, trailers, audit, lifetime } = flow;
  const stopWatching = abortWithCall(call, lifetime);
  const cleanups: (() => PromiseLike<void>)[] = [];
  try {
    const known = edge.authenticator === null ? ANYBODY : await authenticate(flow, edge.authenticator);
    await handler(createRpc({ ...flow, ...known, cleanups, fastPath: edge.fastPath }));
    lifetime.signal.throwIfAborted();
    audit.finish('ok');
    edge.logger.debug({ requestId: audit.requestId, method: flow.method }, 'request answered');
    call.sendMetadata(headers);
    call.end(trailers);
  } catch (thrown) {
    refuse(flow, causeOf(thrown, lifetime.signal));
  } finally {
    stopWatching();
    lifetime.abort(new SluiceError('request.cancelled', 'the request has ended'));
    for (const cleanup of cleanups) await cleanup();
  }
}

async function authenticate(flow: Flow, authenticator: Authenticator): Promise<Awaited<ReturnType<Authenticator['authenticate']>>> {
  const { edge, method, call, reader, lifetime, headers, audit } = flow;
  if (edge.draining()) fail('server.unavailable', 'the server is shutting down; use another one, or try again later');
  const authorization = await credentialOf(method, call.metadata, reader, lifetime);
  const known = await authenticator.authenticate({ authorization, certificate: clientCertificateOf(call), peer: call.getPeer() });
  const { subject, via } = known.principal;
  audit.add({ principal: subject, ...(via === undefined ? {} : { via }) });
  // On every response: clients pick it up, renew it from there and take it to the next connection.
  headers.set('authorization', `Bearer ${known.bearer}`);
  return known;
}

/** Cancel and deadline abort the lifetime; returns how to stop watching. */
function abortWithCall(call: RawCall, lifetime: AbortController): () => void {
  call.once('cancelled', () => lifetime.abort(new SluiceError('request.cancelled', 'the client cancelled the request')));
  const deadline = Number(call.getDeadline());
  if (!Number.isFinite(deadline)) return () => {};
  const delay = Math.min(Math.max(deadline - Date.now(), 0), MAX_TIMER_MS);
  const timer = setTimeout(() => lifetime.abort(new SluiceError('request.deadline', 'the deadline has passed')), delay);
  return () => clearTimeout(timer);
}

/** After an abort, whatever was thrown only followed from it. */
function causeOf(thrown: unknown, signal: AbortSignal): SluiceError {
  return toSluiceError(signal.aborted ? signal.reason : thrown);
}

function refuse({ edge, method, call, headers, trailers, audit }: Flow, error: SluiceError): void {
  audit.finish(outcomeOf(error), error);
  // A cause may quote data, so only our own faults show theirs in the log; the audit log has all.
  const detail = error.code === 'server.internal' ? { err: error.cause } : {};
  const level = ERRORS[error.code].log;
  edge.logger[level]({ requestId: audit.requestId, method, code: error.code, ...detail }, 'request failed');
  // Trailers carry the headers too: drivers look for a fresh bearer in either.
  const metadata = headers.clone();
  trailers.remove(REQUEST_ID);
  metadata.merge(trailers);
  metadata.set(ERROR_CODE_TRAILER, error.code);
  call.emit('error', { code: grpcCode(error), details: publicMessage(error, audit.requestId), metadata });
}

/** For RPCs and commands that are not served. */
export function unimplemented(name: string, why?: string): never {
  return fail('request.unimplemented', why === undefined ? `${name} is not supported` : `${name} is not supported: ${why}`);
}
