import { expect, test } from 'vitest';
import type { ColumnType } from '#src/datasets/columns.js';
import { groupVariants, retyped, settleColumns } from '#src/datasets/settle.js';
import type { FileSource, IndexRequest } from '#src/datasets/types.js';

const columns = (text: string): readonly ColumnType[] =>
  text === '' ? [] : text.split(', ').map((part) => ({ name: part.split(' ')[0] ?? '', type: part.split(' ')[1] ?? '' }));
const NONE = { columns: [], values: [] };
const BY_YEAR = { columns: ['Year'], values: [['2023'], [null]] };

function settle(
  kind: FileSource['kind'],
  inFiles: readonly string[],
  catalog: string | null,
  partitions: typeof BY_YEAR | typeof NONE = NONE,
  known = '',
) {
  const request = {
    source: { kind },
    columns: catalog === null ? null : columns(catalog),
    known: columns(known),
  } as unknown as IndexRequest;
  const files = inFiles.map((text) => ({ columns: columns(text) }));
  const { columns: settled, notes } = settleColumns(groupVariants(files, partitions).list, partitions, request);
  return { columns: settled.map(({ name, type }) => `${name} ${type}`).join(', '), notes };
}

test('files of the same columns are one variant, without what their directories say', () => {
  const shared = columns('a INTEGER, YEAR BIGINT');
  const { list, of } = groupVariants(
    [{ columns: shared }, { columns: columns('b DATE') }, { columns: shared }, { columns: columns('A INTEGER') }],
    BY_YEAR,
  );
  expect(of).toEqual([0, 1, 0, 0]);
  expect(list).toEqual([
    { columns: columns('a INTEGER'), files: 3 },
    { columns: columns('b DATE'), files: 1 },
  ]);
});

test('a new dataset has all columns, its partitions last', () => {
  expect(settle('parquet', ['a INTEGER', 'b DATE, a BIGINT'], null, BY_YEAR)).toEqual({
    columns: 'a BIGINT, b DATE, Year BIGINT',
    notes: [],
  });
});

test('a column whose name nobody can write is left out', () => {
  expect(settle('parquet', ['a INTEGER, b\u0000 DATE, c\u0007d DATE'], null)).toEqual({
    columns: 'a INTEGER',
    notes: ['left out: 2 of the columns, whose names are empty or hold control characters'],
  });
});

test('one that is registered again keeps what it has, in its order', () => {
  expect(settle('parquet', ['a BIGINT, c DATE'], null, BY_YEAR, 'year VARCHAR, a INTEGER, b DATE')).toEqual({
    columns: 'year VARCHAR, a BIGINT, b DATE, c DATE',
    notes: ['in no file, so NULL in each row: "b"'],
  });
});

test('what is in the catalog stays; what is new in the files is told', () => {
  expect(settle('parquet', ['a INTEGER, x DATE'], 'a BIGINT, b DATE', BY_YEAR)).toEqual({
    columns: 'a BIGINT, b DATE',
    notes: [
      'not in the catalog: "x" (1 file); register the dataset again to add them',
      'partitions that are not in the catalog: "Year"; register the dataset again to add them',
      'in no file, so NULL in each row: "b"',
    ],
  });
  expect(() => settle('parquet', ['a VARCHAR'], 'a BIGINT')).toThrow(/VARCHAR in 1 file/);
});

test('text has the types that the catalog gives it', () => {
  expect(settle('csv', ['a BIGINT', 'a VARCHAR, b DATE'], null).columns).toBe('a VARCHAR, b DATE');
  expect(settle('csv', ['a VARCHAR', 'b DATE'], 'a BIGINT, b VARCHAR')).toEqual({ columns: 'a BIGINT, b VARCHAR', notes: [] });
  expect(settle('json', ['a JSON, b JSON[]'], null).columns).toBe('a VARCHAR, b VARCHAR[]');
  expect(retyped({ columns: columns('A BIGINT, b DATE') }, columns('a DOUBLE'))).toEqual({ columns: columns('A DOUBLE, b DATE') });
});
