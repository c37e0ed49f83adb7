import { expect, test } from 'vitest';
import { createOnce } from '#src/worker/once.js';

test('a query runs once, whatever its answer, also while it still runs', async () => {
  const once = createOnce<number>(() => 0);
  let runs = 0;
  const start = async (): Promise<number> => ++runs;
  const query = { queryId: 'q', subject: 'ann', expiresAtMs: 1 };
  expect(await Promise.all([once.run(query, start), once.run(query, start)])).toEqual([1, 1]);
  const failing = { queryId: 'bad', subject: 'ann', expiresAtMs: 1 };
  const fails = async (): Promise<number> => {
    runs++;
    throw new Error('no');
  };
  for (let i = 0; i < 3; i++) await expect(once.run(failing, fails)).rejects.toThrow('no');
  expect(runs).toBe(2);
});

test('answers are forgotten after expiry only; too many of one principal are refused, others go on', async () => {
  let nowMs = 0;
  const once = createOnce<number>(() => nowMs);
  const query = (queryId: string, subject = 'ann', expiresAtMs = 1) => ({ queryId, subject, expiresAtMs });
  for (let i = 0; i < 10_000; i++) await once.run(query(`q${i}`), async () => i);
  expect(() => once.run(query('more', 'ann', 9), async () => 0)).toThrow('too many commands');
  expect(await once.run(query('more', 'bob', 9), async () => 4)).toBe(4);
  expect(await once.run(query('q7'), async () => 0)).toBe(7);
  nowMs = 1;
  expect(await once.run(query('again', 'ann', 9), async () => 5)).toBe(5);
  expect(await once.run(query('more', 'bob', 9), async () => 6)).toBe(4);
});
