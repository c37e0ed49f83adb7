import { expect, test } from 'vitest';
import { clearedCookie, cookieHeader, readCookie } from '#src/flight/cookies.js';

test.each([
  [['s=1'], '1'],
  [['a=0; s=1; b=2'], '1'],
  [['a=0', 's=1'], '1'],
  [['s=1; s=2'], '1'],
  [[' s = 1 '], '1'],
  [['s=a=b=='], 'a=b=='],
  [['s='], ''],
  [['xs=1; s2=3'], undefined],
  [['s'], ''],
  [[''], undefined],
  [[], undefined],
])('%j', (headers, expected) => {
  expect(readCookie(headers, 's')).toBe(expected);
});

test('is for this server only, not for scripts, and over TLS where there is TLS', () => {
  expect(cookieHeader('s', 'v', false)).toBe('s=v; Path=/; HttpOnly');
  expect(cookieHeader('s', 'v', true)).toBe('s=v; Path=/; HttpOnly; Secure');
  expect(clearedCookie('s', true)).toBe('s=; Path=/; HttpOnly; Secure; Max-Age=0');
});
