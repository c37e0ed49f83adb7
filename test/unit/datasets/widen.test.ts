import fc from 'fast-check';
import { expect, test } from 'vitest';
import { widen } from '#src/datasets/widen.js';

test.each<[string, string, string | null]>([
  ['INTEGER', 'INTEGER', 'INTEGER'],
  ['INTEGER', 'BIGINT', 'BIGINT'],
  ['TINYINT', 'HUGEINT', 'HUGEINT'],
  ['UTINYINT', 'UBIGINT', 'UBIGINT'],
  ['TINYINT', 'UTINYINT', 'SMALLINT'],
  ['BIGINT', 'UINTEGER', 'BIGINT'],
  ['UBIGINT', 'TINYINT', 'HUGEINT'],
  ['FLOAT', 'DOUBLE', 'DOUBLE'],
  ['INTEGER', 'DOUBLE', 'DOUBLE'],
  ['SMALLINT', 'FLOAT', 'DOUBLE'],
  ['BIGINT', 'DOUBLE', null],
  ['DECIMAL(10,2)', 'DOUBLE', null],
  ['DECIMAL(10,2)', 'DECIMAL(8,4)', 'DECIMAL(12,4)'],
  ['DECIMAL(38,2)', 'DECIMAL(38,4)', null],
  ['DECIMAL(5,2)', 'INTEGER', 'DECIMAL(12,2)'],
  ['DECIMAL(38,20)', 'BIGINT', null],
  ['DATE', 'TIMESTAMP', 'TIMESTAMP'],
  ['TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP'],
  ['TIMESTAMP', 'TIMESTAMP_NS', null],
  ['TIMESTAMP', 'TIMESTAMP WITH TIME ZONE', null],
  ['DATE', 'VARCHAR', null],
  ['INTEGER', 'VARCHAR', null],
  ['BOOLEAN', 'INTEGER', null],
  ['INTEGER[]', 'BIGINT[]', null],
  ['STRUCT(a INTEGER)', 'STRUCT(a INTEGER, b INTEGER)', null],
  ['STRUCT(a INTEGER)', 'STRUCT(a INTEGER)', 'STRUCT(a INTEGER)'],
  ['nonsense', 'INTEGER', null],
])('%s and %s are %s, in either order', (a, b, expected) => {
  expect([widen(a, b), widen(b, a)]).toEqual([expected, expected]);
});

test('a joined type holds both, and joining again changes nothing', () => {
  const types = [
    'TINYINT',
    'SMALLINT',
    'INTEGER',
    'BIGINT',
    'HUGEINT',
    'UTINYINT',
    'UINTEGER',
    'UBIGINT',
    'FLOAT',
    'DOUBLE',
    'DATE',
    'TIMESTAMP',
    'DECIMAL(9,3)',
  ];
  fc.assert(
    fc.property(fc.constantFrom(...types), fc.constantFrom(...types), (a, b) => {
      const joined = widen(a, b);
      if (joined !== null) expect([widen(joined, a), widen(joined, b)]).toEqual([joined, joined]);
    }),
  );
});
