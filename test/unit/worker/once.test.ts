import { expect, test } from 'vitest';
import { createOnce } from '#src/worker/once.js';

test('a query runs once, whatever its answer, also while it still runs', async () => {
  const once = createOnce<number>(() => 0);
  let runs = 0;
  const start = async (): Promise<number> => ++runs;
  const query = { queryId: 'q', expiresAtMs: 1 };
  expect(await Promise.all([once.run(query, start), once.run(query, start)])).toEqual([1, 1]);
  const failing = { queryId: 'bad', expiresAtMs: 1 };
  const fails = async (): Promise<number> => {
    runs++;
    throw new Error('no');
  };
  for (let i = 0; i < 3; i++) await expect(once.run(failing, fails)).rejects.toThrow('no');
  expect(runs).toBe(2);
});

test('answers are forgotten after expiry only; too many at once are refused', async () => {
  let nowMs = 0;
  const once = createOnce<number>(() => nowMs);
  for (let i = 0; i < 10_000; i++) await once.run({ queryId: `q${i}`, expiresAtMs: 1 }, async () => i);
  expect(() => once.run({ queryId: 'more', expiresAtMs: 9 }, async () => 0)).toThrow('too many commands');
  expect(await once.run({ queryId: 'q7', expiresAtMs: 1 }, async () => 0)).toBe(7);
  nowMs = 1;
  expect(await once.run({ queryId: 'more', expiresAtMs: 9 }, async () => 5)).toBe(5);
});
