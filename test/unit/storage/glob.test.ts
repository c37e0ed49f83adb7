import { expect, it } from 'vitest';
import { readGlob } from '#src/storage/glob.js';

it.each<[pattern: string, matching: readonly string[], other: readonly string[]]>([
  ['a/*.x', ['a/1.x', 'a/{1,2}.x', 'a/-.x'], ['a/b/1.x', 'b/1.x', 'a/1.xx', 'a/1x', 'a/.h.x', 'a/_t.x']],
  ['a/**/*.x', ['a/1.x', 'a/b/1.x', 'a/b/c/1.x'], ['a', '1.x', 'b/a/1.x', 'a/b/1.y', 'a/.h/1.x', 'a/_t/1.x']],
  ['a/**', ['a/1.x', 'a/b/c'], ['a', 'b']],
  ['**/b/*.x', ['b/1.x', 'a/b/1.x', 'a/c/b/1.x'], ['a/b/c/1.x']],
  ['a/**/**/c/*.x', ['a/c/1.x', 'a/b/c/1.x', 'a/b/b/c/1.x'], ['a/1.x']],
  ['a/b**/*.x', ['a/b/1.x', 'a/bc/1.x'], ['a/b/c/1.x']],
  ['a/?.x', ['a/1.x', 'a/é.x', 'a/😀.x'], ['a/12.x', 'a//.x']],
  ['a/[1-2].x', ['a/1.x', 'a/2.x'], ['a/3.x', 'a/-.x']],
  ['a/[!1-2].x', ['a/3.x', 'a/-.x'], ['a/1.x']],
  ['a/[^1].x', ['a/1.x', 'a/^.x'], ['a/2.x']],
  ['a/[-1].x', ['a/1.x', 'a/-.x'], ['a/2.x']],
  ['a/[]1].x', ['a/1.x', 'a/].x'], ['a/2.x']],
  ['a/[a-', [], ['a/a', 'a/-']],
  ['y=*/m=*/*.x', ['y=1/m=2/p.x', 'y=/m=/p.x'], ['y=1/p.x', 'y=1/m=2/d=3/p.x']],
  ['a.b(c)+$/*.x', ['a.b(c)+$/1.x'], ['aXb(c)+$/1.x']],
  ['a/**/*.x', ['a/_year=2024/1.x'], ['a/_delta_log/1.x', 'a/_year=1/_tmp/1.x', 'a/b/_1.x']],
  ['a/_delta_log/*.x', ['a/_delta_log/1.x'], ['a/_other/1.x']],
  ['a/*/_*.x', ['a/b/_1.x'], ['a/b/1.x']],
  ['a/**/.h/*.x', ['a/.h/1.x', 'a/b/.h/1.x'], ['a/h/1.x', 'a/../.h/1.x', 'a/./.h/1.x']],
])('%s', (pattern, matching, other) => {
  const { matches } = readGlob(pattern);
  expect(matching.filter((path) => matches?.(path) !== true)).toEqual([]);
  expect(other.filter((path) => matches?.(path) === true)).toEqual([]);
});

it('a plain path is no pattern', () => {
  expect(readGlob('a/{b}/c.x')).toEqual({ prefix: 'a/{b}/c.x', matches: null, flat: true });
});

it('tells what every match begins with, and whether a listing may leave out what lies deeper', () => {
  expect(readGlob('a/b/part-*.x')).toMatchObject({ prefix: 'a/b/part-', flat: true });
  expect(readGlob('a/*/c.x')).toMatchObject({ prefix: 'a/', flat: false });
  expect(readGlob('a/**')).toMatchObject({ prefix: 'a/', flat: false });
  expect(readGlob('[ab].x')).toMatchObject({ prefix: '', flat: true });
});

it('a pattern of many stars is answered at once', () => {
  const { matches } = readGlob(`${'*a'.repeat(20)}/**/**/**/**/x`);
  expect(matches?.(`${'a'.repeat(500)}/${'b/'.repeat(500)}y`)).toBe(false);
  expect(matches?.(`${'a'.repeat(500)}b/x`)).toBe(false);
});
