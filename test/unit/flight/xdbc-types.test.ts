import { expect, test } from 'vitest';
import { xdbcTypes } from '#src/flight/xdbc-types.js';
import { tableOf } from './fakes.ts';

const rows = (dataType?: number): Record<string, unknown>[] =>
  tableOf(xdbcTypes(dataType))
    .toArray()
    .map((row) => row.toJSON());

test('all types are ordered by data type and name', () => {
  const found = rows().map((row) => [row['data_type'] as number, row['type_name'] as string] as const);
  expect(found).toHaveLength(18);
  expect(found).toEqual([...found].sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1)));
});

test('a data type picks its rows', () => {
  expect(rows(3)).toHaveLength(1);
  const [decimal] = rows(3);
  expect(decimal).toMatchObject({
    type_name: 'DECIMAL',
    column_size: 38,
    nullable: 1,
    minimum_scale: 0,
    maximum_scale: 38,
    num_prec_radix: 10,
    unsigned_attribute: false,
  });
  expect(String(decimal?.['create_params'])).toBe('[precision,scale]');
  expect(rows(93).map((row) => [row['type_name'], row['sql_data_type'], row['datetime_subcode'], row['literal_prefix']])).toEqual([
    ['TIMESTAMP', 9, 3, "'"],
    ['TIMESTAMP WITH TIME ZONE', 9, 5, "'"],
  ]);
  expect(rows(12)).toMatchObject([{ case_sensitive: true, searchable: 3, unsigned_attribute: null, create_params: null }]);
  expect(rows(999)).toEqual([]);
});
