/**
 * Slows down guessing: after a few failures the wait doubles with each further one, and failures are forgotten with time.
 * Strict for one subject from one address, lenient for an address and for a subject as a whole, so that a stranger can't lock
 * a person out: where the person has logged in lately, only the person's own failures count. Memory is bounded.
 */
import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { fail } from '../errors.ts';

export interface Throttle {
  /** Fails with auth.throttled while this caller has to wait; the text says how long. */
  check(subject: string, address: string): void;
  /** Counts a failure in advance, so that parallel guesses count too. */
  charge(subject: string, address: string): void;
  /** The guess was not tried after all. */
  withdraw(subject: string, address: string): void;
  /** The credentials were right: forgets the subject's failures and takes back this attempt's own charge. */
  succeed(subject: string, address: string, charged: boolean): void;
}

interface Rule {
  /** Failures without a wait. */
  readonly free: number;
  readonly waitMaxMs: number;
  /** One failure is forgotten each time this passes. */
  readonly forgetMs: number;
}

interface Score {
  readonly failures: number;
  /** From when on they fade. */
  readonly sinceMs: number;
  readonly blockedUntilMs: number;
}

const PAIR: Rule = { free: 5, waitMaxMs: 300_000, forgetMs: 600_000 };
const ADDRESS: Rule = { free: 50, waitMaxMs: 60_000, forgetMs: 30_000 };
const SUBJECT: Rule = { free: 50, waitMaxMs: 10_000, forgetMs: 60_000 };
const WAIT_FIRST_MS = 1000;
/** Beyond it the wait is at its longest anyway. */
const DOUBLINGS_MAX = 30;
const KNOWN_MS = 24 * 3_600_000;
const ENTRIES_MAX = 10_000;

export function createThrottle(now: () => number): Throttle {
  const pairs = createScores(PAIR, now);
  const addresses = createScores(ADDRESS, now);
  const subjects = createScores(SUBJECT, now);
  const known = new Map<string, number>();
  return {
    check: (subject, address) => {
      const pair = keyOf(subject, address);
      const wide = (known.get(pair) ?? 0) > now() ? 0 : Math.max(addresses.waitMs(keyOf(address)), subjects.waitMs(keyOf(subject)));
      const waitMs = Math.max(pairs.waitMs(pair), wide);
      if (waitMs > 0) fail('auth.throttled', `too many failed logins; try again in ${Math.ceil(waitMs / 1000)} s`);
    },
    charge: (subject, address) => {
      pairs.add(keyOf(subject, address), 1);
      addresses.add(keyOf(address), 1);
      subjects.add(keyOf(subject), 1);
    },
    withdraw: (subject, address) => {
      pairs.add(keyOf(subject, address), -1);
      addresses.add(keyOf(address), -1);
      subjects.add(keyOf(subject), -1);
    },
    succeed: (subject, address, charged) => {
      const pair = keyOf(subject, address);
      pairs.forget(pair);
      subjects.forget(keyOf(subject));
      if (charged) addresses.add(keyOf(address), -1);
      putBounded(known, pair, now() + KNOWN_MS);
    },
  };
}

/** The client's network address without its port; of IPv6 the /64, which one machine has to itself. */
export function addressOf(peer: string): string {
  const text = peer
    .replace(/^(?:ipv4|ipv6):/, '')
    .replace(/%5B/gi, '[')
    .replace(/%5D/gi, ']');
  const host = /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? (isIPv6(text) ? text : text.replace(/:\d+$/, ''));
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1];
  if (mapped !== undefined) return mapped;
  return isIPv6(host) ? networkOf(host) : host;
}

function networkOf(address: string): string {
  const [head = '', tail] = (address.toLowerCase().split('%')[0] ?? '').split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = tail === undefined ? left : [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

/** Names come from strangers and may be long. */
function keyOf(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}

interface Scores {
  waitMs(key: string): number;
  add(key: string, failures: 1 | -1): void;
  forget(key: string): void;
}

function createScores(rule: Rule, now: () => number): Scores {
  const scores = new Map<string, Score>();
  const faded = (score: Score): Score => {
    const forgotten = Math.min(score.failures, Math.floor((now() - score.sinceMs) / rule.forgetMs));
    return { ...score, failures: score.failures - forgotten, sinceMs: score.sinceMs + forgotten * rule.forgetMs };
  };
  return {
    waitMs: (key) => Math.max(0, (scores.get(key)?.blockedUntilMs ?? 0) - now()),
    add: (key, change) => {
      const score = faded(scores.get(key) ?? { failures: 0, sinceMs: now(), blockedUntilMs: 0 });
      const failures = Math.max(0, score.failures + change);
      const untilMs = now() + waitAfter(failures, rule);
      scores.delete(key);
      if (failures === 0) return;
      // What is taken back never makes anybody wait longer.
      const blockedUntilMs = change > 0 ? untilMs : Math.min(score.blockedUntilMs, untilMs);
      putBounded(scores, key, { failures, sinceMs: score.failures === 0 ? now() : score.sinceMs, blockedUntilMs });
    },
    forget: (key) => void scores.delete(key),
  };
}

function waitAfter(failures: number, rule: Rule): number {
  const doublings = Math.min(failures - rule.free - 1, DOUBLINGS_MAX);
  return doublings < 0 ? 0 : Math.min(WAIT_FIRST_MS * 2 ** doublings, rule.waitMaxMs);
}

/** The entry that was written longest ago goes first. */
function putBounded<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > ENTRIES_MAX && oldest !== undefined) map.delete(oldest);
}
