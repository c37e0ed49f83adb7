import { describe, expect, test } from 'vitest';
import { findParameters, sameExceptParameters, withLiterals, withMarkers, withNulls } from '#src/sql/index.js';

const placesOf = (sql: string): readonly string[] => {
  const { places, names } = findParameters(sql);
  return places.map(({ start, end, parameter }) => `${sql.slice(start, end)}=${names[parameter]}`);
};

describe('places of parameters', () => {
  test.each<[string, readonly string[]]>([
    ['SELECT ?, ?', ['?=1', '?=2']],
    ['SELECT $2, $1, $2', ['$2=2', '$1=1', '$2=2']],
    ['SELECT ?1,?2', ['?1=1', '?2=2']],
    ['SELECT $a, $B, $A, $"x y"', ['$a=A', '$B=B', '$A=A', '$"x y"=x y']],
    ["SELECT '?', 'it''s ?', ?", ['?=1']],
    ["SELECT E'\\'?', e'\\\\', ?", ['?=1']],
    ['SELECT "?""?", ?', ['?=1']],
    ['SELECT $$ ? $$, $a$ ? $b$ $1 $a$, ?', ['?=1']],
    ['SELECT 1 -- ?\n, ? /* ? /* ? */ ? */, ?', ['?=1', '?=2']],
    ['SELECT a$1, ä$2, ?', ['?=1']],
    ['SELECT 😀?, ?', ['?=1', '?=2']],
    ['SELECT 1 /* open ?', []],
    ['SELECT $open$ ?', []],
    ['SELECT 1', []],
  ])('%s', (sql, expected) => {
    expect(placesOf(sql)).toEqual(expected);
  });

  test.each(['SELECT ?, $1', 'SELECT $a, $1', 'SELECT $2', 'SELECT $1, $3', 'SELECT $0'])('%s is refused', (sql) => {
    expect(() => findParameters(sql)).toThrow(/kind of parameter|numbered/);
  });
});

test('literals are set apart; markers and NULLs leave everything else at one place', () => {
  const parameters = findParameters("SELECT ?x, ä, '?' WHERE a=?");
  expect(withLiterals(parameters, (i) => `L${i}`)).toBe("SELECT  L0 x, ä, '?' WHERE a= L1 ");
  const [marked, nulls] = [withMarkers(parameters), withNulls(parameters)];
  expect(marked).toMatch(/\$1 .*\$2/);
  expect(nulls.replaceAll('NULL', '$?  ')).toBe(marked.replaceAll(/\$\d/g, '$?'));
  const many = findParameters(`SELECT ${'?,'.repeat(999)}?`);
  expect(withMarkers(many)).toHaveLength(withNulls(many).length);
});

describe('two parse results', () => {
  const parameter = { class: 'PARAMETER', alias: '', identifier: '1', query_location: 9 };
  const constant = { class: 'CONSTANT', alias: '', value: 1 };
  const wrap = (node: object) => ({ class: 'COMPARISON', left: node, right: { class: 'COLUMN_REF', column_names: ['a'] } });

  test.each<[string, object]>([
    ['a constant', constant],
    ['a cast of one', { class: 'CAST', alias: '', child: { class: 'CAST', child: constant } }],
    [
      'a list of some',
      {
        class: 'FUNCTION',
        alias: '',
        function_name: 'list_value',
        children: [constant, { class: 'FUNCTION', function_name: 'struct_pack', children: [constant] }],
      },
    ],
    ['another parameter', { ...parameter, identifier: '2' }],
  ])('are the same with %s for a parameter', (_, node) => {
    expect(sameExceptParameters(wrap(parameter), wrap(node))).toBe(true);
  });

  test.each<[string, object]>([
    ['a column', { class: 'COLUMN_REF', alias: '', column_names: ['a'] }],
    ['a cast of a column', { class: 'CAST', alias: '', child: { class: 'COLUMN_REF', column_names: ['a'] } }],
    ['a subquery', { class: 'SUBQUERY', alias: '', subquery: {} }],
    ['another function', { class: 'FUNCTION', alias: '', function_name: 'getenv', children: [constant] }],
    ['a list of a column', { class: 'FUNCTION', alias: '', function_name: 'list_value', children: [{ class: 'COLUMN_REF' }] }],
    ['an operator', { class: 'CONJUNCTION', alias: '', children: [constant, constant] }],
    ['a constant with a name', { ...constant, alias: 'x' }],
  ])('differ with %s', (_, node) => {
    expect(sameExceptParameters(wrap(parameter), wrap(node))).toBe(false);
  });

  test('differ in anything else', () => {
    expect(sameExceptParameters(wrap(constant), wrap({ ...constant, value: 2 }))).toBe(false);
    expect(sameExceptParameters({ a: [1, 2] }, { a: [1] })).toBe(false);
    expect(sameExceptParameters({ a: 1 }, { a: 1, b: 2 })).toBe(false);
    expect(sameExceptParameters({ query_location: 1, a: null }, { query_location: 2, a: null })).toBe(true);
  });
});
