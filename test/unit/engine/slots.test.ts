import { afterEach, expect, it, vi } from 'vitest';
import { createSlotPool } from '#src/engine/slots.js';

afterEach(() => {
  vi.useRealTimers();
});

it('reuses slots, counts them, and frees idle ones after a while', () => {
  vi.useFakeTimers();
  const pool = createSlotPool(1024);
  const first = pool.take();
  const large = pool.take(4096);
  expect(pool.stats()).toEqual({ slotsInUse: 2, slotsIdle: 0, bytesInUse: 5120 });
  pool.give(first);
  pool.give(large);
  expect(pool.stats()).toEqual({ slotsInUse: 0, slotsIdle: 1, bytesInUse: 0 });
  expect(pool.take()).toBe(first);
  pool.give(first);
  vi.advanceTimersByTime(10_000);
  expect(pool.stats().slotsIdle).toBe(0);
  expect(pool.take()).not.toBe(first);
});
