import { expect, test } from 'vitest';
import type { Mask, Predicate } from '#src/model.js';
import { describeMask, describePredicate } from '#src/policy/words.js';
import { parsePredicate } from './fixture.ts';

test.each([
  ["region = 'EU' AND (level < 3 OR active)", "region = 'EU' and (level < 3 or active = true)"],
  ['NOT (region IS NULL OR level = 1)', 'not (region is missing or level = 1)'],
  ["name LIKE 'A%'", "name is like 'A%'"],
  ['region IN (principal.region)', 'region is one of your region'],
  ['born = current_date', 'born = today'],
])('%s', async (text, expected) => {
  expect(describePredicate(await parsePredicate(text))).toBe(expected);
});

test('constants and long lists stay short', () => {
  expect(describePredicate({ kind: 'boolean', value: true })).toBe('every row');
  expect(describePredicate({ kind: 'boolean', value: false })).toBe('no row');
  const list = Array.from({ length: 12 }, (_, value) => ({ kind: 'literal', value }) as const);
  const long: Predicate = { kind: 'in', value: { kind: 'column', name: 'level' }, list };
  expect(describePredicate(long)).toBe('level is one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more');
});

test('every mask has its words', () => {
  const masks: readonly Mask[] = [
    { kind: 'null' },
    { kind: 'constant', value: 'x' },
    { kind: 'constant', value: 0 },
    { kind: 'redact' },
    { kind: 'first', count: 2 },
    { kind: 'last', count: 4 },
    { kind: 'email' },
    { kind: 'hash' },
    { kind: 'token' },
    { kind: 'date', unit: 'year' },
    { kind: 'round', step: 100 },
  ];
  const words = masks.map(describeMask);
  expect(new Set(words).size).toBe(masks.length);
  expect(words).toContain('only the last 4 characters');
  expect(words).toContain("replaced by 'x'");
});
