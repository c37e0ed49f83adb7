import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { addressOf, createThrottle, type Throttle } from '#src/auth/throttle.js';
import { SEED } from '../../support/seed.ts';

let nowMs: number;
let throttle: Throttle;

beforeEach(() => {
  nowMs = 1_000_000;
  throttle = createThrottle(() => nowMs);
});

/** Guesses until refused; the wait in seconds then, 0 when never. */
const guess = (subject: string, address: string, times: number): number => {
  for (let i = 0; i < times; i++) {
    const waitS = waitOf(subject, address);
    if (waitS > 0) return waitS;
    throttle.charge(subject, address);
  }
  return waitOf(subject, address);
};

const waitOf = (subject: string, address: string): number => {
  try {
    throttle.check(subject, address);
    return 0;
  } catch (error) {
    expect(error).toMatchObject({ code: 'auth.throttled' });
    return Number(/try again in (\d+) s/.exec((error as Error).message)?.[1]);
  }
};

describe('one subject from one address', () => {
  test('five failures are free, then the wait doubles up to five minutes', () => {
    expect(guess('steward', 'a', 5)).toBe(0);
    const waits: number[] = [];
    for (let i = 0; i < 12; i++) {
      throttle.charge('steward', 'a');
      waits.push(waitOf('steward', 'a'));
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
  });

  test('failures fade, and guessing at every chance stays slow', () => {
    guess('steward', 'a', 5);
    nowMs += 3_600_000;
    expect(guess('steward', 'a', 5)).toBe(0);
    let guesses = 0;
    for (const end = nowMs + 86_400_000; nowMs < end; ) {
      const waitS = waitOf('steward', 'a');
      if (waitS === 0) {
        throttle.charge('steward', 'a');
        guesses++;
      } else nowMs += waitS * 1000;
    }
    expect(guesses).toBeLessThan(400);
  });

  test('a success forgets the failures; an attempt that was not made does not count', () => {
    guess('steward', 'a', 4);
    throttle.charge('steward', 'a');
    throttle.succeed('steward', 'a', true);
    expect(guess('steward', 'a', 5)).toBe(0);
    throttle.charge('steward', 'a');
    throttle.withdraw('steward', 'a');
    expect(waitOf('steward', 'a')).toBe(0);
  });

  test('unknown and known names are held back alike', () => {
    expect(guess('nobody', 'a', 20)).toBe(guess('steward', 'b', 20));
  });
});

describe('a stranger', () => {
  test('does not lock out the subject elsewhere', () => {
    guess('steward', 'stranger', 50);
    expect(waitOf('steward', 'stranger')).toBeGreaterThan(0);
    expect(waitOf('steward', 'home')).toBe(0);
  });

  test('with a thousand addresses slows a new place by ten seconds at most, and a known place not at all', () => {
    throttle.succeed('steward', 'home', false);
    for (let i = 0; i < 1000; i++) throttle.charge('steward', `bot${i}`);
    expect(waitOf('steward', 'hotel')).toBeGreaterThan(0);
    expect(waitOf('steward', 'hotel')).toBeLessThanOrEqual(10);
    expect(waitOf('steward', 'home')).toBe(0);
    nowMs += 25 * 3_600_000;
    for (let i = 0; i < 1000; i++) throttle.charge('steward', `bot${i}`);
    expect(waitOf('steward', 'home')).toBeGreaterThan(0);
  });

  test('who tries many names from one address waits a minute at most; who logged in there before does not', () => {
    throttle.succeed('ann', 'office', false);
    for (let i = 0; i < 200; i++) throttle.charge(`user${i}`, 'office');
    expect(waitOf('user999', 'office')).toBe(60);
    expect(waitOf('ann', 'office')).toBe(0);
    for (let i = 0; i < 6; i++) throttle.charge('ann', 'office');
    expect(waitOf('ann', 'office')).toBe(1);
  });
});

test('an address with a failure now and then is never held back', () => {
  for (let i = 0; i < 500; i++) {
    throttle.charge(`user${i}`, 'office');
    expect(waitOf('new', 'office')).toBe(0);
    nowMs += 31_000;
  }
});

test('taking back never makes anybody wait longer', () => {
  for (let i = 0; i < 60; i++) throttle.charge(`user${i}`, 'office');
  const before = waitOf('x', 'office');
  nowMs += 30_000;
  throttle.succeed('ann', 'office', true);
  expect(waitOf('x', 'office')).toBeLessThanOrEqual(before - 30);
});

test('however it is called, every wait is finite and ends', () => {
  const step = fc.tuple(
    fc.constantFrom('charge', 'withdraw', 'succeed', 'wait'),
    fc.constantFrom('a', 'b', 'c'),
    fc.constantFrom('x', 'y'),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      nowMs = 0;
      const tried = createThrottle(() => nowMs);
      for (const [kind, subject, address] of steps) {
        if (kind === 'wait') nowMs += 5_000;
        else if (kind === 'succeed') tried.succeed(subject, address, true);
        else tried[kind](subject, address);
      }
      nowMs += 300_000;
      for (const subject of ['a', 'b', 'c']) tried.check(subject, 'x');
    }),
    { seed: SEED },
  );
});

test('memory is bounded', () => {
  for (let i = 0; i < 25_000; i++) throttle.charge(`user${i}`, `address${i}`);
  // The newest are still held; nothing else shows from outside.
  for (let i = 0; i < 6; i++) throttle.charge('user24999', 'address24999');
  expect(waitOf('user24999', 'address24999')).toBeGreaterThan(0);
});

test.each([
  ['127.0.0.1:5000', '127.0.0.1'],
  ['ipv4:10.0.0.7:443', '10.0.0.7'],
  ['[2001:db8:1:2:3:4:5:6]:443', '2001:db8:1:2'],
  ['ipv6:[2001:0DB8:1:2::9]:443', '2001:db8:1:2'],
  ['ipv6:%5B2001:db8:1:2::9%5D:443', '2001:db8:1:2'],
  ['[::1]:443', '0:0:0:0'],
  ['::ffff:10.0.0.7', '10.0.0.7'],
  ['[::ffff:10.0.0.7]:443', '10.0.0.7'],
  ['2001:db8:1:2::9:54321', '2001:db8:1:2'],
  ['2001:db8:1:2::9:8080', '2001:db8:1:2'],
  ['2001:db8:1:2:3:4:5:6:443', '2001:db8:1:2'],
  ['2001:db8::9:8080', '2001:db8:0:0'],
  ['::1:54321', '0:0:0:0'],
  ['::ffff:10.0.0.7:8080', '10.0.0.7'],
  ['unknown', 'unknown'],
  ['', ''],
])('the address of %s is %s', (peer, address) => {
  expect(addressOf(peer)).toBe(address);
});
