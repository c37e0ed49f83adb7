/** Batch source → frames: pulls ahead while bytes leave, holds a bounded number of batches, gives each one back exactly once. */
import { SluiceError } from '../errors.ts';
import type { BatchSource, EncodedBatch } from '../model.ts';
import { orAbort } from '../waiting.ts';
import type { FrameWriter } from './fast-frames.ts';

/** Written but not yet sent; with the pulled one, at most three batches are held per stream. */
const WRITES_IN_FLIGHT = 2;

/** For the batches that were written when a limit or a shutdown ended the result. */
const LAST_WRITES_MS = 1000;

const NOTHING: Uint8Array = new Uint8Array(0);

export interface Sent {
  readonly rows: number;
  readonly bytes: number;
}

/**
 * Sends the schema and every batch; `onSent` gets the running totals of what left the process.
 * Rejects with the source's error, the signal's reason or the broken stream's error. Does not dispose the source.
 */
export async function pumpBatches(
  source: BatchSource,
  writer: FrameWriter,
  signal: AbortSignal,
  onSent: (sent: Sent) => void,
): Promise<void> {
  const writes: Promise<void>[] = [];
  try {
    await pump(source, writer, signal, onSent, writes);
  } catch (error) {
    const rest = Promise.allSettled(writes);
    if (writes.length > 0 && !(await leftInTime(rest, signal))) writer.abandon();
    await rest;
    throw error;
  }
}

/**
 * After the source's own failure the rest still goes out before the status. After an abort nobody waits for it, but a client
 * that still reads shall learn why its result ended.
 */
async function leftInTime(rest: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  if (!signal.aborted) await orAbort(rest, signal).catch(() => {});
  if (!signal.aborted) return true;
  if (isClients(signal.reason)) return false;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, LAST_WRITES_MS, false);
  });
  const left = await Promise.race([rest.then(() => true), late]);
  clearTimeout(timer);
  return left;
}

/** The client itself gave up, so it does not read either. */
function isClients(reason: unknown): boolean {
  return !(reason instanceof SluiceError) || reason.code === 'request.cancelled' || reason.code === 'request.deadline';
}

async function pump(
  source: BatchSource,
  writer: FrameWriter,
  signal: AbortSignal,
  onSent: (sent: Sent) => void,
  writes: Promise<void>[],
): Promise<void> {
  let sent: Sent = { rows: 0, bytes: 0 };
  await orAbort(
    writer.write(source.schemaHeader, NOTHING, () => {}),
    signal,
  );
  for (let batch = await pull(source, signal); batch !== null; batch = await pull(source, signal)) {
    if (writes.length >= WRITES_IN_FLIGHT) {
      await waitForRoom(batch, writes[0], signal);
      void writes.shift();
    }
    const { rows, header, body } = batch;
    const bytes = header.length + body.length;
    const write = writer.write(header, body, releaseOnce(batch)).then(() => {
      sent = { rows: sent.rows + rows, bytes: sent.bytes + bytes };
      onSent(sent);
    });
    // The failure is met when the write is awaited, or the signal has ended the loop first.
    write.catch(() => {});
    writes.push(write);
  }
  await orAbort(Promise.all(writes), signal);
}

/** A batch that arrives after the abort is given back at once. */
async function pull(source: BatchSource, signal: AbortSignal): Promise<EncodedBatch | null> {
  const next = source.next();
  try {
    return await orAbort(next, signal);
  } catch (error) {
    next.then(
      (late) => late?.release(),
      () => {},
    );
    throw error;
  }
}

/** Waits for the oldest write; a failure gives the pulled batch back. */
async function waitForRoom(batch: EncodedBatch, oldest: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  try {
    await orAbort(Promise.resolve(oldest), signal);
  } catch (error) {
    batch.release();
    throw error;
  }
}

function releaseOnce(batch: EncodedBatch): () => void {
  let released = false;
  return () => {
    if (!released) batch.release();
    released = true;
  };
}
