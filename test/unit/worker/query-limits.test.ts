import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SluiceError } from '#src/errors.js';
import type { BatchSource } from '#src/model.js';
import { createQueryLimits } from '#src/worker/index.js';

const LIMITS = { queryMs: 60_000, idleMs: 10_000, resultBytesMax: 1000 };
const never = new AbortController().signal;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** Batches of `bytes` each, without end; counts what was given back. */
function endless(bytes: number, released: { count: number }, delayMs = 0): BatchSource {
  return {
    schemaHeader: new Uint8Array(),
    next: async () => {
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      return { header: new Uint8Array(0), body: new Uint8Array(bytes), rows: 1, release: () => void released.count++ };
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

test('a query that takes too long ends, all of its streams', () => {
  const limits = createQueryLimits(LIMITS);
  const [one, two] = [limits.start('q', never), limits.start('q', never)];
  vi.advanceTimersByTime(1000);
  const young = limits.start('r', never);
  vi.advanceTimersByTime(58_999);
  expect(one.signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(one.signal.reason).toMatchObject({ code: 'limit.time' });
  expect(two.signal.reason).toBe(one.signal.reason);
  expect(young.signal.aborted).toBe(false);
});

test('a command and a query that has no first row yet are not idle', () => {
  const limits = createQueryLimits(LIMITS);
  const run = limits.start('q', never);
  vi.advanceTimersByTime(45_000);
  expect(run.signal.aborted).toBe(false);
  run.count(endless(1, { count: 0 }));
  vi.advanceTimersByTime(9999);
  expect(run.signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(run.signal.reason).toMatchObject({ code: 'limit.idle' });
});

test('time counts from the first stream to the last, whatever is read', async () => {
  const limits = createQueryLimits(LIMITS);
  const run = limits.start('q', never);
  const source = run.count(endless(1, { count: 0 }));
  for (let second = 0; second < 59; second++) {
    (await source.next())?.release();
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(run.signal.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1000);
  expect(run.signal.reason).toMatchObject({ code: 'limit.time', message: expect.stringMatching(/60 s.*ask for less/) });
});

test('a stream that is not read is idle only when no other of its query is read', async () => {
  const limits = createQueryLimits(LIMITS);
  const released = { count: 0 };
  const [early, late] = [limits.start('q', never), limits.start('q', never)];
  const [earlySource, lateSource] = [early.count(endless(1, released)), late.count(endless(1, released))];
  await lateSource.next();
  for (let i = 0; i < 5; i++) {
    (await earlySource.next())?.release();
    await vi.advanceTimersByTimeAsync(9000);
  }
  expect(late.signal.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1000);
  expect(late.signal.reason).toMatchObject({ code: 'limit.idle', message: expect.stringMatching(/10 s/) });
  expect(early.signal.aborted).toBe(true);
});

test('a query that computes is not idle; one whose last batch is taken is not either', async () => {
  const limits = createQueryLimits(LIMITS);
  const run = limits.start('q', never);
  const slow = run.count(endless(1, { count: 0 }, 25_000));
  const batch = slow.next();
  await vi.advanceTimersByTimeAsync(24_999);
  expect(run.signal.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  const first = await batch;
  await vi.advanceTimersByTimeAsync(9000);
  first?.release();
  await vi.advanceTimersByTimeAsync(9000);
  expect(run.signal.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(2000);
  expect(run.signal.reason).toMatchObject({ code: 'limit.idle' });
});

test('result bytes count over all streams of a query; the batch too many is given back', async () => {
  const limits = createQueryLimits(LIMITS);
  const released = { count: 0 };
  const [one, two, other] = [limits.start('q', never), limits.start('q', never), limits.start('r', never)];
  await one.count(endless(600, released)).next();
  await other.count(endless(600, released)).next();
  const refused = { code: 'limit.result', message: expect.stringMatching(/larger than 1000 bytes/) };
  await expect(two.count(endless(600, released)).next()).rejects.toMatchObject(refused);
  expect(released.count).toBe(1);
  expect(one.signal.reason).toMatchObject({ code: 'limit.result' });
  expect(other.signal.aborted).toBe(false);
});

test('what the engine says after a limit is not what the client hears', async () => {
  const limits = createQueryLimits(LIMITS);
  const run = limits.start('q', never);
  const source = run.count({
    schemaHeader: new Uint8Array(),
    next: () =>
      new Promise((_, reject) => run.signal.addEventListener('abort', () => reject(new SluiceError('request.cancelled', 'interrupted')))),
    [Symbol.asyncDispose]: async () => {},
  });
  const next = source.next();
  next.catch(() => {});
  await vi.advanceTimersByTimeAsync(60_000);
  await expect(next).rejects.toMatchObject({ code: 'limit.time' });
});

test('the newest query is ended first; the caller’s own signal passes through', () => {
  const limits = createQueryLimits(LIMITS);
  const own = new AbortController();
  const runs = ['a', 'b', 'c'].map((id) => limits.start(id, own.signal));
  limits.start('a', own.signal);
  expect(limits.endOne((which) => new SluiceError('limit.memory', which))).toBe(true);
  expect(runs.map(({ signal }) => signal.aborted)).toEqual([false, false, true]);
  expect(limits.endOne((which) => new SluiceError('limit.memory', which))).toBe(true);
  expect(runs.map(({ signal }) => signal.aborted)).toEqual([false, true, true]);
  own.abort(new Error('gone'));
  expect(runs[0]?.signal.aborted).toBe(true);
  expect(limits.running()).toBe(3);
});

test('the query that took most of the memory is ended, when that can be told', async () => {
  const limits = createQueryLimits(LIMITS);
  const runs = ['a', 'b', 'c'].map((id) => limits.start(id, never));
  const [, b, c] = runs;
  // Whoever waits for its client has not taken it.
  for (const run of [b, c]) await run?.count(endless(10, { count: 0 })).next();
  limits.blame(600);
  const reading = b?.count(endless(10, { count: 0 }, 1000)).next();
  limits.blame(400);
  expect(limits.endOne((which) => new SluiceError('limit.memory', which))).toBe(true);
  expect(runs.map(({ signal }) => signal.aborted)).toEqual([true, false, false]);
  expect(runs[0]?.signal.reason).toMatchObject({ code: 'limit.memory', message: 'largest' });
  await vi.advanceTimersByTimeAsync(1000);
  await reading;
});

test('when two took as much as each other it is the newest', () => {
  const limits = createQueryLimits(LIMITS);
  const runs = ['a', 'b'].map((id) => limits.start(id, never));
  limits.blame(1000);
  expect(limits.endOne((which) => new SluiceError('limit.memory', which))).toBe(true);
  expect(runs.map(({ signal }) => signal.reason?.message)).toEqual([undefined, 'newest']);
});

test('what has ended leaves no timer, and the id may begin anew', async () => {
  const limits = createQueryLimits(LIMITS);
  const [one, two] = [limits.start('q', never), limits.start('q', never)];
  await one.count(endless(900, { count: 0 })).next();
  one.end();
  expect(limits.running()).toBe(1);
  two.end();
  two.end();
  expect(limits.running()).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
  expect(limits.endOne(() => new SluiceError('limit.memory', 'full'))).toBe(false);
  const again = limits.start('q', never);
  expect((await again.count(endless(900, { count: 0 })).next())?.rows).toBe(1);
});

test('the first batch of each stream is timed', async () => {
  const first: number[] = [];
  const limits = createQueryLimits({ ...LIMITS, onFirstBatch: (ms) => first.push(ms) });
  const source = limits.start('q', never).count(endless(1, { count: 0 }, 250));
  for (let i = 0; i < 3; i++) {
    const next = source.next();
    await vi.advanceTimersByTimeAsync(250);
    await next;
  }
  expect(first).toEqual([250]);
});
