/**
 * Writes FlightData frames straight onto the HTTP/2 stream that grpc-js opened for the call, so that no body is copied.
 * It reaches a private field of grpc-js: checked per call, tried end to end at start, and `call.write` is the fallback.
 */
import { once } from 'node:events';
import type { Http2Session, ServerHttp2Stream } from 'node:http2';
import { addAbortSignal, Duplex } from 'node:stream';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { SluiceError } from '../errors.ts';
import { encodeFlightData, encodeFramePrefix } from '../wire/index.ts';
import { releaseAfterFlush, trackSession } from './session-flush.ts';

/** A call with raw messages both ways. */
export type RawCall = ServerDuplexStream<Buffer, Buffer>;

export interface FrameWriter {
  readonly fast: boolean;
  /**
   * Resolves when the bytes left the process, rejects when the stream broke.
   * `release` runs exactly once, when `body` is no longer read. Headers must have been sent.
   */
  write(header: Uint8Array, body: Uint8Array, release: () => void): Promise<void>;
  /** Gives up what the client does not read: every pending write rejects. */
  abandon(): void;
}

export function createFrameWriter(call: RawCall, allowFast: boolean): FrameWriter {
  const stream = allowFast ? http2StreamOf(call) : null;
  const session = stream?.session;
  if (stream === null || session === undefined) {
    return { fast: false, write: (...frame) => writeCopy(call, ...frame), abandon: () => call.destroy() };
  }
  trackSession(session);
  // A write that meets a broken stream also emits an error; its callback already tells.
  stream.on('error', () => {});
  return {
    fast: true,
    write: (...frame) => writeDirect(stream, session, ...frame),
    abandon: () => reset(stream),
  };
}

/**
 * RST_STREAM with CANCEL, queued before the stream is gone. `stream.close` only notes it for later while other bytes leave; when the stream
 * ends before later comes, Node (20 to 24) forgets it, and then sends empty frames for the stream until no memory is left.
 */
function reset(stream: ServerHttp2Stream): void {
  // Only an abort of Node's own gives this code.
  addAbortSignal(AbortSignal.abort(), stream);
}

/** null when grpc-js keeps its stream elsewhere than 1.14 does. */
export function http2StreamOf(call: object): ServerHttp2Stream | null {
  const inner: unknown = Reflect.get(call, 'call');
  const stream: unknown = typeof inner === 'object' && inner !== null ? Reflect.get(inner, 'stream') : null;
  return isHttp2Stream(stream) ? stream : null;
}

function isHttp2Stream(value: unknown): value is ServerHttp2Stream {
  return value instanceof Duplex && 'respond' in value && 'session' in value && 'rstCode' in value;
}

function writeDirect(
  stream: ServerHttp2Stream,
  session: Http2Session,
  header: Uint8Array,
  body: Uint8Array,
  release: () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let settled = false;
    const settle = (error?: Error | null): void => {
      if (settled) return;
      settled = true;
      stream.off('close', onClose);
      if (error) releaseAfterFlush(session, release);
      else release();
      if (error) reject(broken(error));
      else resolve();
    };
    const onClose = (): void => settle(new Error('the stream closed before its bytes left'));
    stream.once('close', onClose);
    stream.cork();
    stream.write(encodeFramePrefix(header, body.length), body.length === 0 ? settle : undefined);
    // A view on the same memory, shared memory included; `write` would copy nothing of it.
    if (body.length > 0) stream.write(Buffer.from(body.buffer, body.byteOffset, body.byteLength), settle);
    stream.uncork();
  });
}

async function writeCopy(call: RawCall, header: Uint8Array, body: Uint8Array, release: () => void): Promise<void> {
  const message = copyAndRelease(header, body, release);
  const closed = new AbortController();
  // grpc-js drops the callback of a cancelled call, so its end counts as well.
  const cut = once(call, 'close', { signal: closed.signal }).then(() => {
    throw broken(new Error('the call closed before its bytes left'));
  });
  const written = new Promise<void>((resolve, reject) => {
    call.write(message, (error?: Error | null) => (error ? reject(broken(error)) : resolve()));
  });
  try {
    await Promise.race([written, cut]);
  } finally {
    cut.catch(() => {});
    written.catch(() => {});
    closed.abort();
  }
}

/** A stream breaks only because the client or the network went away. */
function broken(error: Error): SluiceError {
  return new SluiceError('request.cancelled', 'the client went away', error);
}

function copyAndRelease(header: Uint8Array, body: Uint8Array, release: () => void): Buffer {
  try {
    return encodeFlightData(header, body);
  } finally {
    release();
  }
}
