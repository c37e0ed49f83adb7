import { expect, test } from 'vitest';
import { createRunningQueries } from '#src/worker/running.js';

const query = { queryId: 'q', expiresAtMs: 1000 };
const never = new AbortController().signal;

test('cancelling ends every stream of the query and refuses later ones', () => {
  const running = createRunningQueries(() => 0);
  const streams = [running.start(query, never), running.start(query, never)];
  const other = running.start({ ...query, queryId: 'other' }, never);
  expect(running.cancel(query)).toBe(true);
  expect(streams.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  expect(streams[0]?.signal.reason).toMatchObject({ code: 'request.cancelled' });
  expect(other.signal.aborted).toBe(false);
  expect(() => running.start(query, never)).toThrow('was cancelled');
});

test('a query that has not begun can be cancelled; one that has ended can not, but does not begin again', () => {
  const running = createRunningQueries(() => 0);
  expect(running.cancel({ ...query, queryId: 'waiting' })).toBe(true);
  expect(() => running.start({ ...query, queryId: 'waiting' }, never)).toThrow('was cancelled');
  running.start(query, never).end();
  expect(running.cancel(query)).toBe(false);
  expect(() => running.start(query, never)).toThrow('was cancelled');
});

test("the caller's own signal ends its stream only", () => {
  const running = createRunningQueries(() => 0);
  const caller = new AbortController();
  const [mine, theirs] = [running.start(query, caller.signal), running.start(query, never)];
  caller.abort();
  expect([mine.signal.aborted, theirs.signal.aborted]).toEqual([true, false]);
});

test('the memory is bounded: expired and old queries are forgotten, running ones never', () => {
  let nowMs = 0;
  const running = createRunningQueries(() => nowMs);
  const long = running.start({ queryId: 'long', expiresAtMs: 1 }, never);
  for (let i = 0; i < 25_000; i++) running.cancel({ queryId: `q${i}`, expiresAtMs: 1000 });
  expect(running.size()).toBeLessThanOrEqual(10_001);
  nowMs = 2000;
  for (let i = 0; i < 2000; i++) running.cancel({ queryId: `last${i}`, expiresAtMs: 3000 });
  expect(running.size()).toBeLessThan(2100);
  expect(running.cancel({ queryId: 'long', expiresAtMs: 1 })).toBe(true);
  expect(long.signal.aborted).toBe(true);
});

test('a cancel that is asked for again is answered as before', () => {
  const running = createRunningQueries(() => 0);
  const first = { queryId: 'runs', expiresAtMs: 1000 };
  running.start(first, new AbortController().signal).end();
  expect([running.cancel(first), running.cancel(first)]).toEqual([false, false]);
  const second = { queryId: 'waits', expiresAtMs: 1000 };
  expect([running.cancel(second), running.cancel(second)]).toEqual([true, true]);
});
