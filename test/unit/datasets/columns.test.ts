import { describe, expect, test } from 'vitest';
import { type ColumnType, fitColumns, joinColumns, type Variant } from '#src/datasets/columns.js';

const columns = (text: string): readonly ColumnType[] =>
  text === '' ? [] : text.split(', ').map((part) => ({ name: part.split(' ')[0] ?? '', type: part.split(' ').slice(1).join(' ') }));
const variant = (files: number, text: string): Variant => ({ files, columns: columns(text) });
const join = (variants: readonly Variant[], known = '', otherwise: string | null = null): string =>
  joinColumns(variants, { known: columns(known), otherwise })
    .map(({ name, type }) => `${name} ${type}`)
    .join(', ');

describe('columns of many files', () => {
  test('are joined by name, whatever order and case, in the order in which they come', () => {
    expect(join([variant(3, 'id INTEGER, Name VARCHAR'), variant(1, 'name VARCHAR, day DATE, ID BIGINT')])).toBe(
      'id BIGINT, Name VARCHAR, day DATE',
    );
    expect(join([])).toBe('');
  });

  test('come behind those that the catalog has, which are widened', () => {
    expect(join([variant(1, 'x DATE, id BIGINT')], 'Id INTEGER, gone VARCHAR')).toBe('Id BIGINT, gone VARCHAR, x DATE');
  });

  test('are refused with their types and the number of files, or become text', () => {
    const torn = [variant(3, 'a INTEGER, b DATE'), variant(2, 'a VARCHAR, b VARCHAR'), variant(1, 'a VARCHAR')];
    expect(() => join(torn)).toThrow(
      expect.objectContaining({
        code: 'dataset.invalid',
        message:
          'the files have types that do not go together: column "a" is INTEGER in 3 files, VARCHAR in 3 files; column "b" is DATE in 3 files, VARCHAR in 2 files',
      }),
    );
    expect(() => join([variant(1, 'a VARCHAR')], 'a DATE')).toThrow('column "a" is VARCHAR in 1 file and DATE in the catalog');
    expect(join(torn, '', 'VARCHAR')).toBe('a VARCHAR, b VARCHAR');
    const wide = Array.from({ length: 9 }, (_, i) => `c${i}`);
    expect(() =>
      join([variant(1, wide.map((name) => `${name} DATE`).join(', ')), variant(1, wide.map((name) => `${name} BLOB`).join(', '))]),
    ).toThrow(/c4.*; and 4 more$/);
  });
});

describe('files of a dataset in the catalog', () => {
  const catalog = columns('id BIGINT, day TIMESTAMP, name VARCHAR');

  test.each(['id BIGINT, day TIMESTAMP, name VARCHAR', 'ID SMALLINT, day DATE', 'name VARCHAR', ''])(
    'fit with narrower types and less columns: %s',
    (text) => {
      expect(fitColumns(catalog, [variant(1, text)])).toEqual([]);
    },
  );

  test('may have more columns, which are told', () => {
    expect(fitColumns(catalog, [variant(1, 'x DATE'), variant(2, 'x BLOB, y DATE')])).toEqual([
      'not in the catalog: "x" (3 files), "y" (2 files); register the dataset again to add them',
    ]);
  });

  test.each([
    ['id HUGEINT', 'HUGEINT in 7 files and BIGINT in the catalog'],
    ['id VARCHAR', 'VARCHAR in 7 files and BIGINT'],
    ['id UBIGINT', 'UBIGINT in 7 files'],
    ['day TIMESTAMP WITH TIME ZONE', 'TIMESTAMP WITH TIME ZONE in 7 files'],
    ['name BLOB', 'BLOB in 7 files'],
  ])('do not fit with a type that it does not hold: %s', (text, message) => {
    expect(() => fitColumns(catalog, [variant(1, ''), variant(7, text)])).toThrow(message);
  });
});
