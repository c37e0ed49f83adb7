/** What a method gets of its call: who asks, what was sent, and the ways to answer. */
import type { Metadata } from '@grpc/grpc-js';
import type { AuditEntry } from '../audit.ts';
import { fail } from '../errors.ts';
import type { BatchSource, Principal } from '../model.ts';
import { orAbort } from '../waiting.ts';
import { createFrameWriter, type RawCall } from './fast-frames.ts';
import type { MessageReader } from './messages.ts';
import { pumpBatches } from './pump.ts';

export interface Rpc {
  readonly principal: Principal;
  /** The token of this response's `authorization` header. */
  readonly bearer: string;
  /** Fires on cancel, deadline, shutdown and also after the end of the request. */
  readonly signal: AbortSignal;
  readonly audit: AuditEntry;
  /** The text values of a request header; name in lower case. */
  headers(name: string): readonly string[];
  /** The first request message. Rejects with request.malformed when there is none. */
  request(): Promise<Uint8Array>;
  /** Every request message, the first included; the next is read when it is asked for. */
  messages(): AsyncIterable<Uint8Array>;
  /** Adds a response header; part of the trailers when nothing was sent before the end. Bytes for names that end in `-bin`. */
  setHeader(name: string, value: string | Buffer): void;
  setTrailer(name: string, value: string): void;
  /** Sends one protobuf message. */
  send(message: Uint8Array): Promise<void>;
  /**
   * Sends schema and batches as FlightData, then disposes the source, also on failure.
   * `ended` fires with `signal`, and when the source's own query is ended.
   */
  sendBatches(source: BatchSource, ended?: AbortSignal): Promise<void>;
}

export type RpcHandler = (rpc: Rpc) => Promise<void>;

export interface RpcParts {
  readonly call: RawCall;
  readonly reader: MessageReader;
  readonly headers: Metadata;
  readonly trailers: Metadata;
  readonly audit: AuditEntry;
  readonly principal: Principal;
  readonly bearer: string;
  readonly lifetime: AbortController;
  /** Run at the end of the request. */
  readonly cleanups: (() => PromiseLike<void>)[];
  readonly fastPath: boolean;
}

export function createRpc({ call, reader, headers, trailers, lifetime, cleanups, fastPath, ...known }: RpcParts): Rpc {
  const { audit } = known;
  const { signal } = lifetime;
  return {
    principal: known.principal,
    bearer: known.bearer,
    signal,
    audit,
    headers: (name) => textHeaders(call.metadata, name),
    request: async () => (await orAbort(reader.first(), signal)) ?? fail('request.malformed', 'the request holds no message'),
    messages: () => allMessages(reader, signal),
    setHeader: (name, value) => headers.add(name, value),
    setTrailer: (name, value) => trailers.add(name, value),
    send: async (message) => {
      call.sendMetadata(headers);
      const written = new Promise<void>((resolve) => {
        call.write(Buffer.from(message.buffer, message.byteOffset, message.byteLength), () => resolve());
      });
      await orAbort(written, signal);
    },
    sendBatches: async (source, ended = signal) => {
      // The request ends for this reason, and not for what follows from it.
      if (ended.aborted) lifetime.abort(ended.reason);
      else ended.addEventListener('abort', () => lifetime.abort(ended.reason), { once: true });
      cleanups.push(() => source[Symbol.asyncDispose]());
      signal.throwIfAborted();
      call.sendMetadata(headers);
      await pumpBatches(source, createFrameWriter(call, fastPath), signal, (sent) => audit.add(sent));
    },
  };
}

export function textHeaders(metadata: Metadata, name: string): readonly string[] {
  return metadata.get(name).filter((value) => typeof value === 'string');
}

async function* allMessages(reader: MessageReader, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  let message = await orAbort(reader.first(), signal);
  while (message !== null) {
    yield message;
    message = await orAbort(reader.next(), signal);
  }
}
