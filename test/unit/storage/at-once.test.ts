import { expect, it } from 'vitest';
import { inParallel } from '#src/storage/at-once.js';

it('keeps the order and the bound', async () => {
  let running = 0;
  let most = 0;
  const items = Array.from({ length: 50 }, (_, index) => index);
  const results = await inParallel(items, 4, async (item) => {
    most = Math.max(most, ++running);
    for (let turn = 0; turn < item % 5; turn++) await null;
    running--;
    return item * 2;
  });
  expect(results).toEqual(items.map((item) => item * 2));
  expect(most).toBe(4);
  expect(await inParallel([], 4, async () => 1)).toEqual([]);
});

it('begins nothing more after a failure', async () => {
  const begun: number[] = [];
  const work = inParallel([0, 1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    if (item === 1) throw new Error('no');
    await null;
  });
  await expect(work).rejects.toThrow('no');
  expect(begun).not.toContain(5);
});
