import { expect, test } from 'vitest';
import type { Scan } from '#src/files.js';
import { expandScans } from '#src/sql/index.js';

const scan: Scan = {
  dataset: 'demo.items',
  relation: '"p_1"."__source"."demo.items"',
  format: 'parquet',
  hivePartitioning: false,
  columns: [{ name: 'id', type: 'BIGINT' }],
  parts: [{ files: [{ path: '/data/p_1/"p_1".parquet', version: '1', bytes: 1 }], missing: [] }],
};
const catalog = { name: 'p_1', defaultSchema: 'demo', statements: ['CREATE VIEW "p_1"."demo"."items" AS SELECT 1'], scans: [scan] };

test('a catalog over rows that the engine holds has another name, which a statement gets where it names it', () => {
  const { catalog: held, statement } = expandScans(catalog, new Map([[scan.relation, '"hot"."main"."rows"']]));
  expect(held.name).not.toBe('p_1');
  expect(statement('SELECT "p_1".demo.items.id FROM "p_1".demo.items')).toBe(
    `SELECT "${held.name}".demo.items.id FROM "${held.name}".demo.items`,
  );
  expect(held.statements.join('\n')).not.toContain('p_1');
});

test.each([`SELECT 'p_1', '"p_1"'`, `SELECT $$ "p_1" $$`, `SELECT e'\\'"p_1"', 1 /* "p_1" */`, 'SELECT p_1 FROM items'])(
  'what a user spells out stays: %s',
  (sql) => {
    const { statement } = expandScans(catalog, new Map([[scan.relation, '"hot"."main"."rows"']]));
    expect(statement(sql)).toBe(sql);
  },
);

test.each([
  `SELECT e'a'\n'it\\'s' FROM "p_1".demo.items WHERE 'z' = 'z'`,
  `SELECT e'a' -- "p_1"\n 'it\\'s' FROM "p_1".demo.items WHERE 'z' = 'z'`,
  `SELECT\u3000e'\\'' FROM "p_1".demo.items WHERE 'z' = 'z'`,
])('a name behind a text in several parts is found: %j', (sql) => {
  const { catalog: held, statement } = expandScans(catalog, new Map([[scan.relation, '"hot"."main"."rows"']]));
  expect(statement(sql)).toContain(`FROM "${held.name}".demo.items`);
});

test('files keep their names', () => {
  const other: Scan = { ...scan, dataset: 'demo.more', relation: '"p_1"."__source"."demo.more"' };
  const { catalog: held } = expandScans({ ...catalog, scans: [scan, other] }, new Map([[other.relation, '"hot"."main"."rows"']]));
  expect(held.statements.join('\n')).toContain(`['/data/p_1/"p_1".parquet']`);
});
