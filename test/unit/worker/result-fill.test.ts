import { expect, test } from 'vitest';
import type { BatchSource, EncodedBatch } from '#src/model.js';
import { createFill } from '#src/worker/result-fill.js';
import type { KeptResult } from '#src/worker/result-store.js';

const HEADER = new Uint8Array([1]);
const never = new AbortController().signal;

/** A source that gives batches only when told, and counts what it holds. */
function steered(total: number, bodyBytes = 1000) {
  const held = { sources: 0, batches: 0, made: 0 };
  const state = { fails: false };
  const gates: (() => void)[] = [];
  let open = 0;
  const allow = (count: number): void => {
    open += count;
    for (; open > 0 && gates.length > 0; open--) gates.shift()?.();
  };
  const gate = async (): Promise<void> => {
    if (open > 0) open--;
    else await new Promise<void>((resolve) => gates.push(resolve));
  };
  const start = async (signal: AbortSignal): Promise<BatchSource> => {
    held.sources++;
    let closed = false;
    signal.addEventListener('abort', () => allow(100));
    return {
      schemaHeader: HEADER,
      next: async (): Promise<EncodedBatch | null> => {
        await gate();
        signal.throwIfAborted();
        if (state.fails) throw new Error('the engine fails');
        if (held.made === total) return null;
        held.made++;
        held.batches++;
        const body = new Uint8Array(bodyBytes).fill(held.made);
        return { header: HEADER, body, rows: held.made, release: () => void held.batches-- };
      },
      [Symbol.asyncDispose]: async () => {
        if (!closed) held.sources--;
        closed = true;
      },
    };
  };
  return { held, state, start, allow };
}

function fillOf(entryMax = 1_000_000, room = 1_000_000) {
  const kept: KeptResult[] = [];
  const log: string[] = [];
  const memory = { reserved: 0 };
  const fill = createFill({
    store: {
      entryMax,
      reserve: (bytes) => {
        if (memory.reserved + bytes > room) return false;
        memory.reserved += bytes;
        return true;
      },
      unreserve: (bytes) => {
        memory.reserved -= bytes;
      },
    },
    onKept: (result, bytes) => {
      kept.push(result);
      memory.reserved -= bytes;
    },
    onSettled: (outcome) => log.push(outcome),
  });
  return { fill, kept, log, memory };
}

async function readAll(source: BatchSource): Promise<number[]> {
  const rows: number[] = [];
  for (let batch = await source.next(); batch !== null; batch = await source.next()) {
    expect(batch.body[0]).toBe(batch.rows);
    rows.push(batch.rows);
    batch.release();
  }
  return rows;
}

test('a result that was read to its end is kept; the engine has its memory back at once', async () => {
  const { fill, kept, log, memory } = fillOf();
  const { held, start, allow } = steered(3);
  allow(4);
  const source = await fill.lead(start, never);
  const first = await source.next();
  expect([first?.rows, held.batches]).toEqual([1, 0]);
  expect(await readAll(source)).toEqual([2, 3]);
  await source[Symbol.asyncDispose]();
  expect(kept.map(({ batches }) => batches.map(({ rows, body }) => [rows, body[0], body.length]))).toEqual([
    [
      [1, 1, 1000],
      [2, 2, 1000],
      [3, 3, 1000],
    ],
  ]);
  expect([log, memory.reserved, held.sources, held.batches]).toEqual([['kept'], 0, 0, 0]);
});

test('nothing runs ahead of a reader who is alone, and an abandoned stream keeps nothing', async () => {
  const { fill, kept, log, memory } = fillOf();
  const { held, start, allow } = steered(100);
  allow(50);
  const source = await fill.lead(start, never);
  await source.next();
  expect(held.made).toBe(1);
  expect(memory.reserved).toBeGreaterThan(1000);
  await source[Symbol.asyncDispose]();
  await source[Symbol.asyncDispose]();
  expect([kept, log, memory.reserved, held.sources]).toEqual([[], ['failed'], 0, 0]);
  await expect(source.next()).rejects.toMatchObject({ code: 'request.cancelled' });
});

test('one who waits makes it run on, though the first reader has stopped reading', async () => {
  const { fill, kept, memory } = fillOf();
  const { held, start, allow } = steered(5);
  const source = await fill.lead(start, never);
  const waiting = [fill.follow(never), fill.follow(never)];
  allow(6);
  expect(await Promise.all(waiting)).toEqual([true, true]);
  expect([kept.length, held.made, held.sources, held.batches]).toEqual([1, 5, 0, 0]);
  expect(await readAll(source)).toEqual([1, 2, 3, 4, 5]);
  await source[Symbol.asyncDispose]();
  expect(memory.reserved).toBe(0);
});

test('it goes on for those who wait when the first reader leaves, also while it opens', async () => {
  for (const opened of [true, false]) {
    const { fill, kept } = fillOf();
    const { held, start, allow } = steered(3);
    const leader = new AbortController();
    let go: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const leading = fill.lead(async (signal) => {
      if (!opened) await gate;
      return start(signal);
    }, leader.signal);
    if (opened) await leading;
    const waiting = fill.follow(never);
    leader.abort(new Error('cancelled'));
    if (!opened) await expect(leading).rejects.toThrow('cancelled');
    go();
    allow(4);
    expect(await waiting).toBe(true);
    expect([kept.length, held.sources]).toEqual([1, 0]);
  }
});

test('who waits may leave; the last to leave ends the computation', async () => {
  const { fill, log, memory } = fillOf();
  const { held, start, allow } = steered(3);
  const [leader, follower] = [new AbortController(), new AbortController()];
  const source = await fill.lead(start, leader.signal);
  const waiting = fill.follow(follower.signal);
  allow(1);
  await source.next();
  leader.abort(new Error('first'));
  follower.abort(new Error('second'));
  await expect(waiting).rejects.toThrow('second');
  expect([held.sources, held.batches, memory.reserved, log]).toEqual([0, 0, 0, ['failed']]);
  await expect(source.next()).rejects.toThrow('first');
});

test.each([
  ['too large', 3500, 1_000_000, 'large'],
  ['one for which there is no room', 1_000_000, 5000, 'failed'],
])('a result that is %s is read all the same, and not kept', async (_name, entryMax, room, outcome) => {
  const { fill, kept, log, memory } = fillOf(entryMax, room);
  const { held, start, allow } = steered(10);
  allow(11);
  const source = await fill.lead(start, never);
  const waiting = fill.follow(never);
  expect(await waiting).toBe(false);
  expect(await readAll(source)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  await source[Symbol.asyncDispose]();
  expect([kept, log, memory.reserved, held.batches, held.sources]).toEqual([[], [outcome], 0, 0, 0]);
});

test('a failure reaches the first reader after what it had read, and tells the others to start anew', async () => {
  const { fill, kept, log, memory } = fillOf();
  const { held, state, start, allow } = steered(3);
  allow(1);
  const source = await fill.lead(start, never);
  expect((await source.next())?.rows).toBe(1);
  state.fails = true;
  const waiting = fill.follow(never);
  allow(1);
  expect(await waiting).toBe(false);
  await expect(source.next()).rejects.toThrow('the engine fails');
  await source[Symbol.asyncDispose]();
  expect([kept, log, memory.reserved, held.sources]).toEqual([[], ['failed'], 0, 0]);
});

test('what does not open keeps nothing', async () => {
  const { fill, log, memory } = fillOf();
  const leading = fill.lead(async () => Promise.reject(new Error('no')), never);
  const waiting = fill.follow(never);
  await expect(leading).rejects.toThrow('no');
  expect(await waiting).toBe(false);
  expect([log, memory.reserved]).toEqual([['failed'], 0]);
});

test('a first reader who leaves while it opens waits until it is closed', async () => {
  const { fill } = fillOf();
  const { held, start } = steered(1);
  const leader = new AbortController();
  const leading = fill.lead(async (signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    return start(signal);
  }, leader.signal);
  leader.abort(new Error('gone'));
  await expect(leading).rejects.toThrow('gone');
  expect(held.sources).toBe(0);
});
