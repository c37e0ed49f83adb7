import { Schema } from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import { foreignKeyRows, primaryKeyRows } from '#src/flight/keys.js';
import type { VisibleCatalog, VisibleForeignKey, VisibleTable } from '#src/planner/index.js';
import type { TableReference } from '#src/wire/index.js';

const key = (name: string, columns: string[], to: string, referencedColumns: string[]): VisibleForeignKey => {
  const [schema = '', table = ''] = to.split('.');
  return { name, columns, references: { schema, name: table }, referencedColumns };
};
const table = (name: string, primaryKey: string[], foreignKeys: VisibleForeignKey[] = [], schema = 'demo'): VisibleTable => ({
  schema,
  name,
  type: 'TABLE',
  description: '',
  columns: [],
  arrow: new Schema([]),
  primaryKey,
  foreignKeys,
});

const catalog: VisibleCatalog = {
  catalogName: 'sluice',
  tables: [
    table('orders', ['order_id'], [key('fk_customer', ['customer_id'], 'demo.customers', ['customer_id'])]),
    table(
      'items',
      ['order_id', 'line'],
      [key('fk_part', ['part_a', 'part_b'], 'demo.parts', ['a', 'b']), key('fk_order', ['order_id'], 'demo.orders', ['order_id'])],
    ),
    table('customers', ['customer_id']),
    table('parts', ['a', 'b']),
    table('orders', ['id'], [], 'archive'),
    table('notes', []),
  ],
};
const named = (name: string, rest: Partial<TableReference> = {}): TableReference => ({
  catalog: undefined,
  schema: undefined,
  table: name,
  ...rest,
});

describe('primary keys', () => {
  test('come column by column, in the order of the key', () => {
    expect(primaryKeyRows(named('items'), catalog)).toEqual([
      ['sluice', 'demo', 'items', 'order_id', 1, null],
      ['sluice', 'demo', 'items', 'line', 2, null],
    ]);
  });

  test('of a name in two schemas are sorted by schema', () => {
    expect(primaryKeyRows(named('orders'), catalog).map((row) => row.slice(1, 4))).toEqual([
      ['archive', 'orders', 'id'],
      ['demo', 'orders', 'order_id'],
    ]);
  });

  test.each([
    [named('orders', { schema: 'demo' }), 1],
    [named('orders', { schema: 'demo', catalog: 'sluice' }), 1],
    [named('orders', { catalog: 'other' }), 0],
    [named('orders', { catalog: '' }), 0],
    [named('orders', { schema: '' }), 0],
    [named('order%'), 0],
    [named('Orders'), 0],
    [named('notes'), 0],
    [named('missing'), 0],
    [named(''), 0],
  ])('%o: %i', (wanted, count) => {
    expect(primaryKeyRows(wanted, catalog)).toHaveLength(count);
  });
});

describe('foreign keys', () => {
  const short = (rows: readonly (readonly unknown[])[]) => rows.map((row) => [row[2], row[3], row[6], row[7], row[8], row[9]].join(' '));

  test('whole rows', () => {
    expect(foreignKeyRows(named('customers'), undefined, catalog)).toEqual([
      ['sluice', 'demo', 'customers', 'customer_id', 'sluice', 'demo', 'orders', 'customer_id', 1, 'fk_customer', null, 3, 3],
    ]);
  });

  test('imported: sorted by the table referred to, columns in the order of the key', () => {
    expect(short(foreignKeyRows(undefined, named('items'), catalog))).toEqual([
      'orders order_id items order_id 1 fk_order',
      'parts a items part_a 1 fk_part',
      'parts b items part_b 2 fk_part',
    ]);
  });

  test('exported and cross', () => {
    expect(short(foreignKeyRows(named('parts'), undefined, catalog))).toHaveLength(2);
    expect(short(foreignKeyRows(named('orders', { schema: 'archive' }), undefined, catalog))).toEqual([]);
    expect(short(foreignKeyRows(named('orders'), named('items'), catalog))).toEqual(['orders order_id items order_id 1 fk_order']);
    expect(foreignKeyRows(named('customers'), named('items'), catalog)).toEqual([]);
    expect(foreignKeyRows(named('orders'), named('items', { catalog: 'other' }), catalog)).toEqual([]);
  });
});
