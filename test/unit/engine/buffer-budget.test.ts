import { expect, it } from 'vitest';
import { createBufferBudget } from '#src/engine/buffer-budget.js';

const MIB = 1024 * 1024;

it('gives much to a few streams, little to many, and takes it back', () => {
  const budget = createBufferBudget(512 * MIB, 128 * MIB);
  const held = Array.from({ length: 100 }, () => budget.take());
  const sizes = held.map(({ bytes }) => bytes / MIB);
  expect(sizes.slice(0, 5)).toEqual([128, 128, 128, 64, 32]);
  expect(sizes.at(-1)).toBe(1);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(512 + 100);
  for (const { release } of held) {
    release();
    release();
  }
  expect(budget.take().bytes).toBe(128 * MIB);
});
