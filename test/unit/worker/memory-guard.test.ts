import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SluiceError } from '#src/errors.js';
import { createMemoryGuard, residentLimit } from '#src/worker/index.js';

const GB = 1024 ** 3;
const made: Disposable[] = [];
beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
afterEach(() => {
  for (const guard of made.splice(0)) guard[Symbol.dispose]();
  vi.useRealTimers();
});

function guarded(resident: number, running: number) {
  const state = { resident, running, ended: [] as SluiceError[], growth: [] as number[] };
  const guard = createMemoryGuard({
    limitBytes: 8 * GB,
    residentBytes: () => state.resident,
    running: () => state.running,
    onGrowth: (bytes) => state.growth.push(bytes),
    endOne: (reason) => {
      if (state.ended.length >= state.running) return false;
      state.ended.push(reason(state.ended.length === 0 ? 'newest' : 'largest'));
      return true;
    },
    onEnded: () => {},
  });
  made.push(guard);
  return { state, guard };
}

test('below the limit nothing happens', () => {
  const { state, guard } = guarded(8 * GB, 5);
  vi.advanceTimersByTime(60_000);
  expect(state.ended).toEqual([]);
  expect(guard.closed()).toBeNull();
});

test('above it nobody new is let in, and one query after the other ends until there is room', () => {
  const { state, guard } = guarded(8 * GB + 1, 5);
  vi.advanceTimersByTime(100);
  expect(state.ended).toMatchObject([{ code: 'limit.memory', message: expect.stringMatching(/ended this query, the newest/) }]);
  expect(guard.closed()).toMatchObject({ code: 'limit.memory', message: expect.stringMatching(/try again/) });
  vi.advanceTimersByTime(900);
  expect(state.ended).toHaveLength(1);
  vi.advanceTimersByTime(200);
  expect(state.ended).toHaveLength(2);
  state.resident = 4 * GB;
  vi.advanceTimersByTime(5000);
  expect(state.ended).toHaveLength(2);
  expect(guard.closed()).toBeNull();
});

test('each look tells how much the process grew', () => {
  const { state } = guarded(GB, 1);
  for (const resident of [2 * GB, 2 * GB, GB, 4 * GB]) {
    state.resident = resident;
    vi.advanceTimersByTime(100);
  }
  expect(state.growth).toEqual([GB, 3 * GB]);
});

test('memory that stays though nothing runs does not shut the server; growth above it counts', () => {
  const { state, guard } = guarded(10 * GB, 0);
  vi.advanceTimersByTime(5000);
  expect(guard.closed()).toBeNull();
  state.running = 1;
  vi.advanceTimersByTime(5000);
  expect(state.ended).toEqual([]);
  expect(guard.closed()).not.toBeNull();
  state.resident = 11.1 * GB;
  vi.advanceTimersByTime(100);
  expect(state.ended).toHaveLength(1);
});

test('the default leaves room beside the engine and on the machine', () => {
  expect(residentLimit(4 * GB, 64 * GB)).toBe(6 * GB);
  expect(residentLimit(4 * GB, 5 * GB)).toBe(4.5 * GB);
});
