import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PolicyEditor } from '#src/catalog/index.js';
import { describeDataset } from '#src/catalog/policy-editor.js';
import { createRegistry, type DatasetRegistry } from '#src/datasets/index.js';
import type { Dataset, Snapshot } from '#src/model.js';
import { type FilesWorld, openFiles } from './fixture.ts';

let world: FilesWorld;
let registry: DatasetRegistry;
/** What the steps of a registration were, in order. */
let steps: string[];
let catalog: string;
let refuseWrite: Error | null;

const EMPTY = { scratchSchema: null, defaultSchema: 'demo', catalogName: 'lake' };
const run = { author: 'ann', signal: new AbortController().signal };
const request = {
  table: { schema: 'demo', name: 'x' },
  connection: 'lake',
  path: 'x/',
  format: 'parquet',
  hivePartitioning: false,
} as const;

beforeEach(async () => {
  world = await openFiles();
  steps = [];
  refuseWrite = null;
  catalog = `catalog: lake\ndefaultSchema: demo\nconnections:\n  lake: { kind: local, directory: ${world.directory} }\ndatasets: {}\n`;
  const base = { directory: '/', variables: new Map<string, string>() };
  const editor: PolicyEditor = {
    read: async () => ({ files: new Map([['catalog.yaml', catalog]]), revision: catalog }),
    write: async ({ files, revision }, { author, comment }) => {
      if (refuseWrite !== null) throw refuseWrite;
      expect(revision).toBe(catalog);
      catalog = files.get('catalog.yaml') ?? '';
      steps.push(`write ${author}: ${comment}`);
      return snapshot();
    },
    describe: (files, key) => describeDataset(files, key, base),
  };
  const indexes = {
    ...world.indexes,
    get: world.indexes.get.bind(world.indexes),
    of: world.indexes.of.bind(world.indexes),
    put: (...args: Parameters<typeof world.indexes.put>) => {
      steps.push('put');
      return world.indexes.put(...args);
    },
  };
  registry = createRegistry({ ...world.ports, indexes, editor, current: snapshot, settled: async () => void steps.push('settled') });
  function snapshot(): Snapshot {
    const names = [...catalog.matchAll(/^ {2}(demo\.\w+):/gm)].map(([, name]) => name ?? '');
    const datasets = names.flatMap((name): readonly Dataset[] => {
      const { dataset, typed } = editor.describe(new Map([['catalog.yaml', catalog]]), name);
      return dataset === null ? [] : [{ ...dataset, columns: typed.map((column) => ({ ...column, tags: [] })) }];
    });
    const connections = [{ kind: 'local', name: 'lake', directory: world.directory }] as const;
    return { ...EMPTY, connections, datasets } as unknown as Snapshot;
  }
});
afterEach(async () => {
  expect(world.counts.leased).toBe(0);
  await world[Symbol.asyncDispose]();
});

const registered = (): Dataset => ({
  id: 'demo.x',
  schema: 'demo',
  name: 'x',
  tags: [],
  columns: [{ name: 'id', type: 'INTEGER', tags: [] }],
  source: { kind: 'parquet', connection: 'lake', path: `${world.directory}/x/**/*.parquet`, hivePartitioning: false },
});

test('the catalog is written and in force before the index, in the name of the caller', async () => {
  await world.write('x/a.parquet', 'SELECT 1::INTEGER AS id');
  const report = await registry.register({ ...request, description: 'D' }, run);
  expect(steps).toEqual(['write ann: register demo.x', 'settled', 'put']);
  expect(report).toMatchObject({ dataset: { schema: 'demo', name: 'x' }, files: 1, added: 1, rows: 1 });
  expect(report.note).toBe('only those read it whom a grant in policy.csv covers');
  expect(catalog).toContain('    description: D\n    columns:\n      id: { type: INTEGER }');
  expect((await world.indexes.of(registered()))?.files).toHaveLength(1);
});

test('a set that does not load leaves no index behind', async () => {
  await world.write('x/a.parquet', 'SELECT 1 AS id');
  refuseWrite = new Error('does not load');
  await expect(registry.register(request, run)).rejects.toThrow('does not load');
  expect(await world.indexes.list()).toEqual([]);
});

test('registering again widens and adds, in the catalog and in the index', async () => {
  await world.write('x/a.parquet', 'SELECT 1::INTEGER AS id');
  await registry.register(request, run);
  await world.write('x/b.parquet', "SELECT 1::BIGINT AS id, 'x' AS name");
  const report = await registry.register(request, run);
  expect(report).toMatchObject({ files: 2, added: 1, changed: 0, removed: 0, note: '' });
  expect(catalog.match(/demo\.x/g)).toHaveLength(1);
  expect(catalog).toContain('      id: { type: BIGINT }\n      name: { type: VARCHAR }');
  // Columns that are new to the catalog have ranges in files that were known, too.
  expect((await world.indexes.of(registered()))?.rangeColumns).toEqual(['id', 'name']);
});

test('another place, another format or partitioning is another dataset', async () => {
  await world.write('x/a.parquet', 'SELECT 1 AS id');
  await world.write('y/a.parquet', 'SELECT 1 AS id');
  await registry.register(request, run);
  const before = catalog;
  for (const other of [{ path: 'y/' }, { format: 'csv' }, { hivePartitioning: true }] as const)
    await expect(registry.register({ ...request, ...other }, run)).rejects.toMatchObject({ code: 'dataset.exists' });
  expect(catalog).toBe(before);
});

test('what the reader of the catalog refuses is refused before anything is read', async () => {
  for (const wrong of [
    { path: '../y/' },
    { connection: 'gone' },
    { table: { schema: 'main', name: 'x' } },
    { table: { schema: 'demo', name: 'a"b' } },
  ])
    await expect(registry.register({ ...request, ...wrong }, run)).rejects.toMatchObject({ code: 'dataset.invalid' });
  expect([world.opened, steps]).toEqual([[], []]);
});

test('only files have an index', async () => {
  const view: Dataset = { ...registered(), source: { kind: 'view', sql: 'SELECT 1' } };
  const mine: Dataset = { ...registered(), owner: { subject: 'ann', lineage: [] } };
  for (const dataset of [view, mine]) await expect(registry.refresh(dataset, run)).rejects.toMatchObject({ code: 'dataset.invalid' });
  await expect(registry.refresh({ ...registered(), columns: [] }, run)).rejects.toThrow(/register it again/);
});

test('a refresh makes the index of a dataset that has none, or one of another place', async () => {
  await world.write('x/a.parquet', 'SELECT 1::INTEGER AS id');
  expect(await registry.refresh(registered(), run)).toMatchObject({ files: 1, added: 1 });
  const moved: Dataset = {
    ...registered(),
    source: { kind: 'parquet', connection: 'lake', path: `${world.directory}/x/a.parquet`, hivePartitioning: false },
  };
  expect(await registry.refresh(moved, run)).toMatchObject({ files: 1, added: 1 });
  expect(await world.indexes.of(registered())).toBeNull();
  expect((await world.indexes.of(moved))?.files).toHaveLength(1);
});
