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
import type { BatchSource, Principal } from '../model.ts';
import { createFrameWriter, type RawCall } from './fast-frames.ts';
import { orAbort } from './or-abort.ts';
import { pumpBatches } from './pump.ts';
import { grpcCode, outcomeOf, publicMessage } from './status.ts';

/** What a handler gets: its caller, and the ways to read and answer. */
export interface Rpc {
  readonly principal: Principal;
  readonly signal: AbortSignal;
  readonly audit: AuditEntry;
  /** The first request message. Rejects with request.malformed when there is none. */
  request(): Promise<Uint8Array>;
  /** Sends one protobuf message. */
  send(message: Uint8Array): Promise<void>;
  /** Sends schema and batches as FlightData, then disposes the source, also on failure. */
  sendBatches(source: BatchSource): Promise<void>;
}

export type RpcHandler = (rpc: Rpc) => Promise<void>;

export interface Edge {
  readonly authenticator: Authenticator;
  readonly audit: AuditLog;
  readonly logger: Logger;
  readonly fastPath: boolean;
  /** Requests under way; aborting one ends it. */
  readonly active: Map<AbortController, Promise<void>>;
}

/** setTimeout's limit. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Runs one RPC to its end; never throws. */
export function serve(edge: Edge, method: string, call: RawCall, handler: RpcHandler): void {
  const lifetime = new AbortController();
  const running = run(edge, method, call, handler, lifetime)
    .catch((error: unknown) => {
      edge.logger.error({ err: error, method }, 'request ended abnormally');
      call.emit('error', { code: status.INTERNAL, details: 'internal error' });
    })
    .finally(() => edge.active.delete(lifetime));
  edge.active.set(lifetime, running);
}

async function run(edge: Edge, method: string, call: RawCall, handler: RpcHandler, lifetime: AbortController): Promise<void> {
  const requestId = randomUUID();
  const audit = edge.audit.begin({ requestId, method, peer: call.getPeer() });
  const headers = new Metadata();
  headers.set('x-request-id', requestId);
  const stopWatching = abortWithCall(call, lifetime);
  const cleanups: (() => PromiseLike<void>)[] = [];
  try {
    const principal = await authenticate(edge, call, headers, audit);
    await handler(createRpc({ edge, call, headers, audit, principal, signal: lifetime.signal, cleanups }));
    lifetime.signal.throwIfAborted();
    audit.finish('ok');
    call.sendMetadata(headers);
    call.end();
  } catch (thrown) {
    refuse(edge, call, headers, audit, method, causeOf(thrown, lifetime.signal));
  } finally {
    stopWatching();
    lifetime.abort(new SluiceError('request.cancelled', 'the request has ended'));
    for (const cleanup of cleanups) await cleanup();
  }
}

async function authenticate(edge: Edge, call: RawCall, headers: Metadata, audit: AuditEntry): Promise<Principal> {
  const [header] = call.metadata.get('authorization');
  const { principal, bearer } = await edge.authenticator.authenticate(header?.toString());
  audit.add({ principal: principal.subject });
  // On every response: clients pick it up, renew it from there and take it to the next connection.
  headers.set('authorization', `Bearer ${bearer}`);
  return principal;
}

interface RpcParts {
  readonly edge: Edge;
  readonly call: RawCall;
  readonly headers: Metadata;
  readonly audit: AuditEntry;
  readonly principal: Principal;
  readonly signal: AbortSignal;
  readonly cleanups: (() => PromiseLike<void>)[];
}

function createRpc({ edge, call, headers, audit, principal, signal, cleanups }: RpcParts): Rpc {
  return {
    principal,
    signal,
    audit,
    request: () => orAbort(readRequest(call), signal),
    send: async (message) => {
      call.sendMetadata(headers);
      const written = new Promise<void>((resolve) => {
        call.write(Buffer.from(message.buffer, message.byteOffset, message.byteLength), () => resolve());
      });
      await orAbort(written, signal);
    },
    sendBatches: async (source) => {
      cleanups.push(() => source[Symbol.asyncDispose]());
      signal.throwIfAborted();
      call.sendMetadata(headers);
      await pumpBatches(source, createFrameWriter(call, edge.fastPath), signal, (sent) => audit.add(sent));
    },
  };
}

function readRequest(call: RawCall): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    call.once('end', () => reject(new SluiceError('request.malformed', 'the request holds no message')));
    call.once('data', (message: Buffer) => {
      call.pause();
      resolve(message);
    });
  });
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

function refuse(edge: Edge, call: RawCall, headers: Metadata, audit: AuditEntry, method: string, error: SluiceError): void {
  audit.finish(outcomeOf(error), error);
  // A cause may quote data, so only our own faults show theirs in the log; the audit log has all.
  const detail = error.code === 'server.internal' ? { err: error.cause } : {};
  const level = ERRORS[error.code].log;
  edge.logger[level]({ requestId: audit.requestId, method, code: error.code, ...detail }, 'request failed');
  call.emit('error', { code: grpcCode(error), details: publicMessage(error, audit.requestId), metadata: headers });
}

/** For RPCs and commands that are not served. */
export function unimplemented(name: string, why?: string): never {
  return fail('request.unimplemented', why === undefined ? `${name} is not supported` : `${name} is not supported: ${why}`);
}
