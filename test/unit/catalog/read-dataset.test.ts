import { expect, test } from 'vitest';
import { Problems } from '#src/catalog/problems.js';
import { readDataset } from '#src/catalog/read-dataset.js';
import { readYaml } from '#src/catalog/yaml-node.js';
import type { Connection } from '#src/files.js';

const LAKE: Connection = { kind: 'local', name: 'lake', directory: '/lake' };
const POND: Connection = { kind: 'local', name: 'pond', directory: '/pond' };
const SHOP: Connection = { kind: 'duckdb', name: 'shop', file: '/shop.duckdb' };

function read(key: string, text: string, connections: readonly Connection[] = [LAKE, SHOP]) {
  const problems = new Problems();
  const node = readYaml('c.yaml', text, problems) ?? expect.fail('no YAML');
  return { draft: readDataset(key, node, { connections, tags: new Set(['pii', 'email']) }), problems: problems.list };
}

test('a Parquet dataset with everything', () => {
  const { draft, problems } = read(
    'demo.people',
    '{ id: people-1, description: D, tags: [pii, pii], parquet: a/*.parquet, hive: true, columns: { Email: { type: VARCHAR, tags: [email], description: E }, id: {} } }',
  );
  expect(problems).toEqual([]);
  expect(draft?.dataset).toEqual({
    id: 'people-1',
    schema: 'demo',
    name: 'people',
    description: 'D',
    tags: ['pii'],
    columns: [],
    source: { kind: 'parquet', connection: 'lake', path: '/lake/a/*.parquet', hivePartitioning: true },
  });
  expect(draft?.declared).toMatchObject([
    { name: 'Email', type: 'VARCHAR', tags: ['email'], description: 'E' },
    { name: 'id', type: undefined, tags: [] },
  ]);
});

test('tables and views', () => {
  expect(read('demo.a', '{ table: s.t }').draft?.dataset).toMatchObject({
    id: 'demo.a',
    source: { kind: 'duckdb', connection: 'shop', schema: 's', table: 't' },
  });
  expect(read('demo.a', '{ view: SELECT 1 }').draft?.dataset.source).toEqual({ kind: 'view', sql: 'SELECT 1' });
  expect(read('demo.a', '{ connection: pond, parquet: x.parquet }', [LAKE, POND]).draft?.dataset.source).toMatchObject({
    path: '/pond/x.parquet',
  });
});

test.each([
  ['csv', 'a/', '/lake/a/**/*.csv'],
  ['csv', 'a.csv', '/lake/a.csv'],
  ['csv', 'a.parquet', '/lake/a.parquet/**/*.csv'],
  ['json', 'a', '/lake/a/**/*.json*'],
  ['json', 'a.jsonl', '/lake/a.jsonl'],
  ['json', 'a/*.ndjson', '/lake/a/*.ndjson'],
  ['parquet', 'a.csv', '/lake/a.csv/**/*.parquet'],
] as const)('%s: %s is %s', (format, text, path) => {
  const { draft, problems } = read('demo.a', `{ ${format}: "${text}", hive: true, columns: { x: { type: INTEGER } } }`);
  expect(problems).toEqual([]);
  expect(draft?.dataset.source).toEqual({ kind: format, connection: 'lake', path, hivePartitioning: true });
});

test('on S3 a prefix stands for the objects of the format below it', () => {
  const bucket: Connection = {
    kind: 's3',
    name: 'cloud',
    bucket: 'b',
    prefix: 'p/',
    region: null,
    endpoint: null,
    pathStyle: false,
    credentials: { kind: 'default' },
  };
  for (const [text, key] of [
    ['.', '**/*.csv'],
    ['a', 'a/**/*.csv'],
    ['a.csv', 'a.csv'],
    ['a/*.txt', 'a/*.txt'],
  ]) {
    const { draft } = read('demo.a', `{ csv: "${text}", columns: { x: { type: INTEGER } } }`, [bucket]);
    expect(draft?.dataset.source).toMatchObject({ kind: 'csv', path: `s3://b/p/${key}` });
  }
});

test.each([
  ['people', '{ view: SELECT 1 }', 'people is no dataset name; write schema.name'],
  ['a.b.c', '{ view: SELECT 1 }', 'a.b.c is no dataset name'],
  ['demo.', '{ view: SELECT 1 }', 'is no dataset name'],
  ['.x', '{ view: SELECT 1 }', 'must not be empty'],
  ['p_x.a', '{ view: SELECT 1 }', 'p_x is reserved'],
  ['demo.a*', '{ view: SELECT 1 }', 'must not hold'],
  ['demo.a', '{}', 'a dataset needs one of parquet, csv, json, table, view'],
  ['demo.a', '{ view: SELECT 1, table: t }', 'a dataset needs one of'],
  ['demo.a', '{ view: " " }', 'view must hold a SELECT'],
  ['demo.a', '{ view: SELECT 1, connection: lake }', 'a view has no connection'],
  ['demo.a', '{ view: SELECT 1, hive: true }', 'hive goes with parquet, csv, json'],
  ['demo.a', '{ parquet: ../x.parquet }', "leaves its connection's directory"],
  ['demo.a', '{ parquet: /etc/x.parquet }', 'is relative to'],
  ['demo.a', '{ parquet: x.parquet, connection: shop }', 'there is no local or s3 connection shop'],
  ['demo.a', '{ table: a.b.c }', 'table must be schema.table'],
  ['demo.a', '{ table: .c }', 'table must be schema.table'],
  ['demo.a', '{ view: SELECT 1, tags: [gone] }', 'tag gone is not declared under tags'],
  ['demo.a', '{ view: SELECT 1, columns: { x: { tags: [gone] } } }', 'tag gone is not declared under tags'],
  ['demo.a', '{ view: SELECT 1, columns: { x: {}, X: {} } }', 'column X is there twice'],
  ['demo.a', '{ view: SELECT 1, columns: { x: { mask: y } } }', 'unknown key mask'],
  ['demo.a', '{ view: SELECT 1, columns: [x] }', 'columns must be a mapping'],
  ['demo.a', '{ csv: a.csv }', 'a csv dataset needs columns with their types'],
  ['demo.a', '{ json: a.json, columns: { x: { type: INTEGER }, y: {} } }', 'a json dataset needs columns with their types'],
  ['demo.a', '{ csv: a.csv, json: b.json, columns: { x: { type: INTEGER } } }', 'a dataset needs one of'],
  ['demo.a', '{ csv: ../a.csv, columns: { x: { type: INTEGER } } }', "leaves its connection's directory"],
  ['demo.a', '{ json: a.json, connection: shop, columns: { x: { type: INTEGER } } }', 'there is no local or s3 connection shop'],
])('%s %s', (key, text, expected) => {
  const { problems } = read(key, text);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(expected);
});

test('with several connections of a kind the dataset names one', () => {
  expect(read('demo.a', '{ parquet: x.parquet }', [LAKE, POND]).problems).toEqual([
    'c.yaml:1: the dataset needs connection: the name of a local or s3 connection',
  ]);
});
