import { expect, test } from 'vitest';
import { identifierFault, schemaFault, wordFault } from '#src/catalog/identifiers.js';

test.each(['people', 'My Table', 'naïve', '客户', '_x', 'a-b', 'a$b', '1st'])('%j names a dataset', (name) => {
  expect(identifierFault(name)).toBeNull();
});

test.each([
  '',
  ' a',
  'a ',
  'a.b',
  'a*',
  'a:b',
  'a,b',
  'a"b',
  "a'b",
  'a\nb',
  'a\u0000',
  'a\u200bb',
  'a\u202eb',
  'a\u2028b',
  'e\u0301',
  'x'.repeat(129),
])('%j names nothing', (name) => {
  expect(identifierFault(name)).not.toBeNull();
});

test.each([
  'main',
  'MAIN',
  'information_schema',
  'pg_catalog',
  'system',
  'temp',
  'memory',
  'p_x',
  'P_x',
  'src_lake',
  '__source',
  'duckdb',
  'DuckDB_x',
])('schema %s is reserved', (name) => {
  expect(schemaFault(name)).toBe(`${name} is reserved`);
});

test('other schemas are free', () => {
  expect([schemaFault('demo'), schemaFault('people'), schemaFault('a b')]).toEqual([null, null, null]);
});

test.each([
  ['reader', true],
  ['analyst_eu', true],
  ['ann@example.com', true],
  ['team/a', true],
  ['räte', true],
  ['', false],
  ['a b', false],
  ['a,b', false],
  ['user:ann', false],
  ['-a', false],
  ['a\n', false],
  ['a*', false],
])('the word %j: %s', (name, good) => {
  expect(wordFault(name) === null).toBe(good);
});
