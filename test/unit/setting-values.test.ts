import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import {
  attributeClaims,
  bytes,
  duration,
  integer,
  list,
  nonEmpty,
  oneOf,
  optional,
  parseKey,
  parseListen,
  parseListenOrOff,
  parseThreads,
  path,
} from '#src/setting-values.js';

test('sizes', () => {
  const size = bytes(10, 1024 ** 3);
  expect([size('10'), size('2KB'), size('3MB'), size('1GB')]).toEqual([10, 2048, 3 * 1024 ** 2, 1024 ** 3]);
  for (const text of ['', '9', '2GB', '1.5MB', '1 MB', '1kb', '1TB', 'MB', '0x10', '1e3']) expect(() => size(text), text).toThrow(/size/);
});

test('durations, in milliseconds', () => {
  const time = duration(500);
  expect([time('500ms'), time('30s'), time('10m'), time('8h'), time('30d')]).toEqual([500, 30_000, 600_000, 28_800_000, 2_592_000_000]);
  for (const text of ['', '10', '499ms', '1w', '366d', '-1s', '9000h', '1.5s']) expect(() => time(text), text).toThrow(/duration/);
});

test('whole numbers', () => {
  expect(integer(1, 5)('5')).toBe(5);
  for (const text of ['', '0', '6', '1.0', ' 1', '+1', '1e0']) expect(() => integer(1, 5)(text), text).toThrow(/from 1 to 5/);
});

test('addresses', () => {
  expect(parseListen('127.0.0.1:8815')).toEqual({ host: '127.0.0.1', port: 8815 });
  expect(parseListen('[::1]:0')).toEqual({ host: '::1', port: 0 });
  expect(parseListenOrOff('off')).toBeNull();
  expect(parseListenOrOff('localhost:1')).toEqual({ host: 'localhost', port: 1 });
  for (const text of ['', 'here', ':1', 'here:', 'here:65536', 'here:port'])
    expect(() => parseListenOrOff(text), text).toThrow(/host:port/);
});

test('keys, threads, paths and words', () => {
  expect(parseKey('')).toBeNull();
  expect(parseKey(Buffer.alloc(32, 1).toString('base64'))).toEqual(Buffer.alloc(32, 1));
  expect(() => parseKey('AAAA')).toThrow(/32 bytes/);
  expect(parseThreads('cores')).toBe(availableParallelism());
  expect(parseThreads('3')).toBe(3);
  expect(path('mine')).toBe(resolve('mine'));
  expect(() => nonEmpty('  ')).toThrow(/empty/);
  expect(oneOf('a', 'b')('b')).toBe('b');
  expect(() => oneOf('a', 'b')('c')).toThrow('must be one of: a, b');
});

test('lists, attributes from claims, and what may be left out', () => {
  expect(list(' a, b ,,c')).toEqual(['a', 'b', 'c']);
  expect(list('')).toEqual([]);
  expect(attributeClaims('region=custom.region, team, q=a=b')).toEqual({ region: 'custom.region', team: 'team', q: 'a=b' });
  for (const text of ['a-b', '=x', 'a=', 'custom.region']) expect(() => attributeClaims(text), text).toThrow(/attribute=claim/);
  expect([optional(path)(''), optional(path)('mine')]).toEqual([null, resolve('mine')]);
});
