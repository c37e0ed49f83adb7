import { describe, expect, test } from 'vitest';
import { bindFilter } from '#src/policy/bind.js';
import { describePredicate } from '#src/policy/index.js';
import { cpuMsOf } from '../../support/patience.ts';
import { PEOPLE, parsePredicate } from './fixture.ts';

const columns = new Map(PEOPLE.columns.map((column) => [column.name, column]));

async function bound(text: string, attributes: Readonly<Record<string, readonly string[]>>): Promise<string> {
  return describePredicate(bindFilter(await parsePredicate(text), attributes, columns));
}

describe('attributes become values of the other side', () => {
  test.each([
    ['level = principal.x', ['3'], 'level = 3'],
    ['level = principal.x', ['3', '4'], 'level is one of 3, 4'],
    ['level = principal.x', ['3', '3'], 'level = 3'],
    ['level < principal.x', ['3', '3'], 'level < 3'],
    ['level = principal.x', ['123456789012345678'], 'level = 123456789012345678'],
    ['level = principal.x', ['1234567890123456789'], 'no row'],
    ['level = principal.x', ['1e5'], 'no row'],
    ['level = principal.x', [' 3'], 'no row'],
    ['level = principal.x', ['NaN'], 'no row'],
    ['balance > principal.x', ['-12.50'], 'balance > -12.5'],
    ['active = principal.x', ['true'], 'active = true'],
    ['active = principal.x', ['yes'], 'no row'],
    ['born >= principal.x', ['2001-02-28'], "born >= '2001-02-28'"],
    ['born >= principal.x', ['2001-02-30'], 'no row'],
    ['born >= principal.x', ["2001-02-28' OR 1=1"], 'no row'],
    ['seen < principal.x', ['2001-02-28'], "seen < '2001-02-28 00:00:00'"],
    ['seen < principal.x', ['2001-02-28T10:00:00'], "seen < '2001-02-28 10:00:00'"],
    ['seen < principal.x', ['2001-02-28 25:00:00'], 'no row'],
    ['year(born) = principal.x', ['1990'], 'year of born = 1990'],
    ['lower(region) = lower(principal.x)', ['EU', 'US'], "lower of region is one of lower of 'EU', lower of 'US'"],
    ["region IN ('APAC', principal.x)", ['EU', 'US'], "region is one of 'APAC', 'EU', 'US'"],
    ['principal.x IN (region, name)', ['EU', 'US'], "'EU' is one of region, name or 'US' is one of region, name"],
    ["principal.x IN ('EU', 'US')", ['US'], 'every row'],
    ["principal.x IN ('EU', 'US')", ['APAC'], 'no row'],
    ["NOT (principal.x = 'EU')", ['APAC'], 'every row'],
    ["principal.x LIKE 'E%'", ['EU'], "'EU' is like 'E%'"],
    ["principal.x LIKE 'E%'", ['EU', 'US'], 'no row'],
    ['principal.x IS NULL', ['EU'], 'no row'],
    ['principal.x IS NOT NULL', ['EU'], 'every row'],
    ['principal.x IS NOT NULL', [], 'no row'],
    ['region <> principal.x', ['EU'], "not region = 'EU'"],
    ['region <> principal.x', ['EU', 'US'], "not region is one of 'EU', 'US'"],
    ['lower(region) <> lower(principal.x)', ['EU', 'US'], "not lower of region is one of lower of 'EU', lower of 'US'"],
    ['region <> principal.x', [], 'no row'],
    ['region = principal.x', [''], "region = ''"],
    ['region = 1 OR level = 2', [], 'region = 1 or level = 2'],
  ])('%s with %j', async (text, values, expected) => {
    expect(await bound(text, { x: values })).toBe(expected);
  });
});

test('attributes on both sides need a value in common', async () => {
  expect(await bound('principal.a = principal.b', { a: ['1', '2'], b: ['2', '3'] })).toBe('every row');
  expect(await bound('principal.a = principal.b', { a: ['1'], b: ['2'] })).toBe('no row');
  expect(await bound('principal.a = principal.b', { a: ['1'] })).toBe('no row');
});

test.each([
  'region = principal.gone',
  'NOT (region = principal.gone)',
  'level = 1 OR region = principal.gone',
  'NOT (level = 1 AND region = principal.gone)',
  'NOT (1 = 2 AND NOT (region = principal.gone))',
  'principal.gone IS NULL',
  'NOT (principal.gone IS NULL)',
  'region NOT IN (principal.gone)',
  'lower(principal.gone) = region',
  'region = principal.toString',
  'region = principal.__proto__',
])('a missing attribute closes the whole filter: %s', async (text) => {
  expect(await bound(text, {})).toBe('no row');
});

test('values never become text of the filter', async () => {
  const hostile = ["'", "''", "' OR '1'='1", '\\', '\u0000', '"; DROP TABLE people; --', 'principal.region', '%', '𝒳'];
  const filter = await parsePredicate('region IN (principal.x)');
  expect(bindFilter(filter, { x: hostile }, columns)).toEqual({
    kind: 'in',
    value: { kind: 'column', name: 'region' },
    list: hostile.map((value) => ({ kind: 'literal', value })),
  });
});

test('a hundred thousand values bind in linear time', async () => {
  const x = Array.from({ length: 100_000 }, (_, i) => `value-${i}`);
  const filter = await parsePredicate('region IN (principal.x) AND NOT (name IN (principal.x))');
  // Anything quadratic would take minutes.
  const ms = await cpuMsOf(() => expect(describePredicate(bindFilter(filter, { x }, columns)).length).toBeLessThan(1000));
  expect(ms).toBeLessThan(15_000);
});
