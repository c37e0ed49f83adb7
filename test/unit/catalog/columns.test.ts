import { expect, test, vi } from 'vitest';
import { ColumnCache, completeDataset } from '#src/catalog/columns.js';
import { Problems } from '#src/catalog/problems.js';
import type { CatalogDraft } from '#src/catalog/read-catalog.js';
import type { DeclaredColumn, DraftDataset } from '#src/catalog/read-dataset.js';

const position = { file: 'c.yaml', line: 1 };
const declare = (name: string, type?: string, tags: readonly string[] = []): DeclaredColumn => ({
  name,
  type,
  tags,
  description: undefined,
  position,
});
const draft = (declared: readonly DeclaredColumn[], path: string = '/a'): DraftDataset => ({
  declared,
  keys: { primaryKey: null, foreignKeys: [] },
  position,
  dataset: {
    id: 'd',
    schema: 'demo',
    name: 'd',
    tags: [],
    columns: [],
    source: { kind: 'parquet', connection: 'c', path, hivePartitioning: false },
  },
});
const FOUND = [
  { name: 'id', type: 'BIGINT' },
  { name: 'Email', type: 'VARCHAR' },
];

function complete(declared: readonly DeclaredColumn[], found: Parameters<typeof completeDataset>[1] = new Map([['d', FOUND]])) {
  const problems = new Problems();
  const dataset = completeDataset(draft(declared), found, problems);
  return { dataset, problems: problems.list };
}

test('the source gives names, order and types; the YAML adds tags, without regard to case', () => {
  const { dataset, problems } = complete([declare('email', 'VARCHAR', ['pii'])].concat(declare('ID')));
  expect(problems).toEqual([]);
  expect(dataset.columns).toEqual([
    { name: 'id', type: 'BIGINT', tags: [] },
    { name: 'Email', type: 'VARCHAR', tags: ['pii'] },
  ]);
});

test('with every type declared the YAML is the whole list', () => {
  expect(complete([declare('id', 'BIGINT')], new Map()).dataset.columns).toEqual([{ name: 'id', type: 'BIGINT', tags: [] }]);
});

test.each([
  [[declare('gone')], undefined, 'there is no column gone in its source'],
  [[declare('id', 'VARCHAR'), declare('Email')], undefined, 'column id is BIGINT, not VARCHAR'],
  [[], new Map(), 'its columns are not known'],
  [[], new Map([['d', 'no such file']]), 'no such file'],
  [[], new Map([['d', []]]), 'it has no columns'],
  [[], new Map([['d', [...FOUND, { name: 'EMAIL', type: 'VARCHAR' }]]]), 'two of its columns differ in case only'],
])('what does not fit breaks the dataset: %#', (declared, found, reason) => {
  const { dataset, problems } = complete(declared, found);
  expect(dataset).toMatchObject({ broken: reason, columns: [] });
  expect(problems).toEqual([`c.yaml:1: demo.d: ${reason}`]);
});

test('the source is asked once per shape, and again after a failure', async () => {
  const catalog = (path: string): CatalogDraft => ({
    name: 'lab',
    defaultSchema: 'demo',
    scratchSchema: null,
    tags: new Set(),
    connections: [],
    datasets: [draft([], path)],
  });
  const resolve = vi.fn(async () => new Map<string, typeof FOUND | string>([['d', FOUND]]));
  const cache = new ColumnCache(resolve);
  await cache.of(catalog('/a'));
  expect(await cache.of(catalog('/a'))).toEqual(new Map([['d', FOUND]]));
  expect(resolve).toHaveBeenCalledTimes(1);
  resolve.mockResolvedValueOnce(new Map([['d', 'away']]));
  await cache.of(catalog('/b'));
  await cache.of(catalog('/b'));
  expect(resolve).toHaveBeenCalledTimes(3);
  cache.forget();
  await cache.of(catalog('/b'));
  expect(resolve).toHaveBeenCalledTimes(4);
});

test('nothing is asked when all is declared', async () => {
  const resolve = vi.fn(async () => new Map());
  await new ColumnCache(resolve).of({
    name: 'lab',
    defaultSchema: 'demo',
    scratchSchema: null,
    tags: new Set(),
    connections: [],
    datasets: [draft([declare('id', 'BIGINT')])],
  });
  expect(resolve).not.toHaveBeenCalled();
});
