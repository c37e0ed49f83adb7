import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { foldName } from '#src/names.js';
import { coversColumn, coversDataset, matchesAnyDataset, matchesPattern, parseObject } from '#src/policy/names.js';
import { cpuMsOf } from '../../support/patience.ts';
import { SEED } from '../../support/seed.ts';
import { LOG, ORDERS, PEOPLE } from './fixture.ts';

describe('matchesPattern', () => {
  test.each([
    ['people', 'people', true],
    ['people', 'People', true],
    ['people', 'peop', false],
    ['people', 'eople', false],
    ['people', '*', true],
    ['', '*', true],
    ['', '', true],
    ['people', '', false],
    ['people', 'p*', true],
    ['people', '*e', true],
    // Characters after the star count.
    ['people', 'p*x', false],
    ['people', '*le*x', false],
    ['people', 'p**e', true],
    ['people', 'pe*pe*', false],
    ['aXbXc', 'a*b*c', true],
    ['abcabd', '*abd', true],
    // Regular-expression and LIKE characters are plain.
    ['people', 'p.ople', false],
    ['people', 'p_ople', false],
    ['people', 'p%', false],
    ['p%', 'p%', true],
    ['a[b]', 'a[b]', true],
    // ASCII letters fold, others do not: DuckDB does the same.
    ['straße', 'STRAßE', true],
    ['straße', 'STRASSE', false],
    ['Äpfel', 'äpfel', false],
    ['\u212A', 'k', false],
    ['ſsn', 'ssn', false],
    // Precomposed and decomposed accents are different names.
    ['\u00e9', 'e\u0301', false],
  ])('%j against %j is %s', (name, pattern, expected) => {
    expect(matchesPattern(name, pattern)).toBe(expected);
  });

  test('agrees with an anchored regular expression', () => {
    const letter = fc.constantFrom('a', 'A', 'b', '*', '.', 'é');
    const text = fc.array(letter, { maxLength: 8 }).map((letters) => letters.join(''));
    fc.assert(
      fc.property(text, text, (name, pattern) => {
        const body = [...pattern].map((each) => (each === '*' ? '[^]*' : each === '.' ? '\\.' : foldName(each))).join('');
        return matchesPattern(name, pattern) === new RegExp(`^${body}$`).test(foldName(name));
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  test('stays fast on hostile patterns', async () => {
    const match = (): boolean => matchesPattern('a'.repeat(2000), `${'a*'.repeat(200)}b`);
    // A backtracking match would not end.
    expect(await cpuMsOf(() => expect(match()).toBe(false))).toBeLessThan(10_000);
  });
});

test.each([
  ['*', { kind: 'all' }],
  ['demo.*', { kind: 'dataset', schema: 'demo', name: '*' }],
  ['demo.people.ssn', { kind: 'column', schema: 'demo', name: 'people', column: 'ssn' }],
  ['demo.people.a.b', { kind: 'column', schema: 'demo', name: 'people', column: 'a.b' }],
  ['tag:x', { kind: 'tag', tag: 'x' }],
  ['column-tag:x', { kind: 'columnTag', tag: 'x' }],
  ['tag:', null],
  ['column-tag:', null],
  ['demo', null],
  ['', null],
  ['.people', null],
  ['demo.', null],
  ['demo.people.', null],
  ['Tag:x', null],
  ['demo:x.people', null],
])('parseObject(%j)', (text, expected) => {
  expect(parseObject(text)).toEqual(expected);
});

function covers(text: string): readonly string[] {
  const pattern = parseObject(text) ?? expect.fail(`${text} does not parse`);
  const datasets = [PEOPLE, ORDERS, LOG];
  const whole = datasets.filter((dataset) => coversDataset(pattern, dataset)).map((dataset) => dataset.id);
  const columns = datasets.flatMap((dataset) =>
    dataset.columns.filter((column) => coversColumn(pattern, dataset, column)).map((column) => `${dataset.id}.${column.name}`),
  );
  return [...whole, ...columns];
}

test('objects cover datasets or columns', () => {
  expect(covers('*')).toEqual(['demo.people', 'demo.orders', 'other.log']);
  expect(covers('*.log')).toEqual(['other.log']);
  expect(covers('tag:sales')).toEqual(['demo.orders']);
  expect(covers('*.*.REGION')).toEqual(['demo.people.region', 'demo.orders.region']);
  expect(covers('column-tag:card')).toEqual(['demo.orders.card']);
  expect(covers('column-tag:personal')).toEqual([]);
  expect(covers('tag:card')).toEqual([]);
});

test('a scope that names a column matches no dataset', () => {
  expect(matchesAnyDataset(['demo.people.ssn'], PEOPLE)).toBe(false);
  expect(matchesAnyDataset(['nonsense', 'demo.p*'], PEOPLE)).toBe(true);
  expect(matchesAnyDataset([], PEOPLE)).toBe(false);
});
