import { expect, test } from 'vitest';
import type { Scalar } from '#src/model.js';
import { argumentClass, comparable, readAttribute, scalarClass, typeClass } from '#src/policy/type-class.js';
import { PEOPLE } from './fixture.ts';

test.each([
  ['VARCHAR', 'text'],
  ['BOOLEAN', 'boolean'],
  ['TINYINT', 'number'],
  ['UHUGEINT', 'number'],
  ['DOUBLE', 'number'],
  ['DECIMAL(38,10)', 'number'],
  ['DATE', 'date'],
  ['TIMESTAMP', 'timestamp'],
  ['TIMESTAMP_NS', 'timestamp'],
  ['TIMESTAMP WITH TIME ZONE', 'timestamp'],
  ['TIME', 'other'],
  ['UUID', 'other'],
  ['BLOB', 'other'],
  ["ENUM('a', 'b')", 'other'],
  ['VARCHAR[]', 'other'],
  ['STRUCT(a INTEGER)', 'other'],
  ['INTEGER[3]', 'other'],
])('%s is %s', (type, expected) => {
  expect(typeClass(type)).toBe(expected);
});

test('scalars have the class of what they give', () => {
  const columns = new Map(PEOPLE.columns.map((column) => [column.name, column]));
  const of = (scalar: Scalar): unknown => scalarClass(scalar, columns);
  expect(of({ kind: 'column', name: 'BORN' })).toBe('date');
  expect(of({ kind: 'column', name: 'gone' })).toBeUndefined();
  expect(of({ kind: 'attribute', name: 'x' })).toBeNull();
  expect(of({ kind: 'literal', value: 1n })).toBe('number');
  expect(of({ kind: 'literal', value: true })).toBe('boolean');
  expect(of({ kind: 'literal', value: '2001-01-01', type: 'DATE' })).toBe('date');
  expect(of({ kind: 'literal', value: '2001-01-01', type: 'TIMESTAMP' })).toBe('timestamp');
  expect(of({ kind: 'call', function: 'year', args: [] })).toBe('number');
  expect(of({ kind: 'call', function: 'upper', args: [] })).toBe('text');
  expect(of({ kind: 'call', function: 'current_date', args: [] })).toBe('date');
  expect(argumentClass('month')).toEqual(['date', 'timestamp']);
  expect(argumentClass('current_date')).toEqual([]);
});

test('only like meets like, dates meet timestamps', () => {
  expect(comparable('date', 'timestamp')).toBe(true);
  expect(comparable('number', 'number')).toBe(true);
  expect(comparable('number', 'text')).toBe(false);
  expect(comparable('other', 'other')).toBe(false);
});

test('an attribute is read as the class or not at all', () => {
  expect(readAttribute('x', 'text')).toEqual({ kind: 'literal', value: 'x' });
  expect(readAttribute('007', 'number')).toEqual({ kind: 'literal', value: 7 });
  expect(readAttribute('0000-01-01', 'date')).toBeNull();
  expect(readAttribute('2024-02-29', 'date')).toEqual({ kind: 'literal', value: '2024-02-29', type: 'DATE' });
  expect(readAttribute('x', 'other')).toBeNull();
});
