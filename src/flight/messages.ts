/** The request messages of one call, pulled one by one, so that a client is read no faster than it is served. */
import { setImmediate } from 'node:timers/promises';
import { fail } from '../errors.ts';
import { http2StreamOf, type RawCall } from './fast-frames.ts';

export interface MessageReader {
  /** The first message, however often it is asked for; null when the client ended without one. */
  first(): Promise<Uint8Array | null>;
  /** The next message after those taken by `first` or `next`; null at the end. Rejects with request.cancelled when the client left. */
  next(): Promise<Uint8Array | null>;
}

export function createMessageReader(call: RawCall): MessageReader {
  let first: Promise<Uint8Array | null> | undefined;
  readOneAhead(call);
  return {
    first: () => {
      first ??= pull(call);
      return first;
    },
    next: () => {
      if (first === undefined) {
        first = pull(call);
        return first;
      }
      return pull(call);
    },
  };
}

/** Node would keep sixteen messages ready, each as large as the limit allows. */
function readOneAhead(call: RawCall): void {
  const state: unknown = Reflect.get(call, '_readableState');
  if (typeof state === 'object' && state !== null) Reflect.set(state, 'highWaterMark', 1);
}

async function pull(call: RawCall): Promise<Uint8Array | null> {
  for (;;) {
    const message: Buffer | null = call.read();
    if (message !== null) return message;
    if (call.readableEnded || call.destroyed) return await endOf(call);
    await change(call);
  }
}

/** A reset looks like an orderly end at first; half a table must not pass for a whole one. */
async function endOf(call: RawCall): Promise<null> {
  await setImmediate();
  const stream = http2StreamOf(call);
  const reset = stream !== null && (stream.aborted || stream.closed || stream.destroyed);
  return reset || call.cancelled || !call.readableEnded ? fail('request.cancelled', 'the client cancelled the request') : null;
}

function change(call: RawCall): Promise<void> {
  return new Promise((resolve) => {
    const events = ['readable', 'end', 'close'] as const;
    const done = (): void => {
      for (const event of events) call.off(event, done);
      resolve();
    };
    for (const event of events) call.on(event, done);
  });
}
