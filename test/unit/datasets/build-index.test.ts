import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildIndex } from '#src/datasets/build-index.js';
import type { IndexRequest } from '#src/datasets/types.js';
import { type FilesWorld, openFiles } from './fixture.ts';

let world: FilesWorld;
beforeEach(async () => {
  world = await openFiles();
});
afterEach(async () => {
  expect(world.counts.leased).toBe(0);
  await world[Symbol.asyncDispose]();
});

const build = (more: Partial<IndexRequest> = {}) => buildIndex(world.request(more), world.ports);
const hive = () => ({ ...world.request().source, hivePartitioning: true });

test('files become an index: sorted, with partitions, variants and ranges', async () => {
  const b = await world.write('y=2024/b.parquet', "SELECT 5::BIGINT AS id, DATE '2024-05-01' AS day, 1.5::DOUBLE AS f");
  const a = await world.write('y=2023/a.parquet', 'SELECT i::INTEGER AS ID FROM range(3) t(i)');
  const { index, columns, ...rest } = await build({ source: hive() });
  expect(columns).toEqual([
    { name: 'ID', type: 'BIGINT' },
    { name: 'day', type: 'DATE' },
    { name: 'f', type: 'DOUBLE' },
    { name: 'y', type: 'BIGINT' },
  ]);
  expect(index).toMatchObject({
    dataset: 'd',
    indexedAtMs: 5,
    partitionColumns: ['y'],
    rangeColumns: ['ID', 'day'],
    variants: [
      [{ name: 'ID', type: 'INTEGER' }],
      [
        { name: 'ID', type: 'BIGINT' },
        { name: 'day', type: 'DATE' },
        { name: 'f', type: 'DOUBLE' },
      ],
    ],
    files: [
      { path: a, variant: 0, partition: ['2023'], rowGroups: [{ rows: 3, ranges: [{ min: '0', max: '2', hasNull: false }, null] }] },
      {
        path: b,
        variant: 1,
        partition: ['2024'],
        rowGroups: [{ rows: 1, ranges: [{ min: '5' }, { min: '2024-05-01', max: '2024-05-01', hasNull: false }] }],
      },
    ],
  });
  expect(rest).toEqual({ added: 2, changed: 0, removed: 0, rows: 4, bytes: expect.any(Number), notes: [] });
});

test('a refresh opens new and changed files only, and says how many of each', async () => {
  const [a, b, c] = [
    await world.write('a.parquet', 'SELECT 1 AS id'),
    await world.write('b.parquet', 'SELECT 2 AS id'),
    await world.write('c.parquet', 'SELECT 3 AS id'),
  ];
  const first = await build();
  const previous = await world.indexes.put(first.index, null);
  world.opened.splice(0);
  const same = await build({ columns: first.columns, previous });
  expect([world.opened, same.added, same.changed, same.removed]).toEqual([[], 0, 0, 0]);
  const kept = await world.indexes.put(same.index, previous.version);
  expect(kept.version).toBe(previous.version);

  await world.write('b.parquet', 'SELECT i::INTEGER AS id FROM range(10, 20) t(i)');
  rmSync(c);
  const d = await world.write('d.parquet', 'SELECT 4 AS id');
  const after = await build({ columns: first.columns, previous: (await world.indexes.get('d')) ?? kept });
  expect(world.opened.sort()).toEqual([b, d]);
  expect(after).toMatchObject({ added: 1, changed: 1, removed: 1, rows: 12 });
  expect(after.index.files.map(({ path, rowGroups }) => [path, rowGroups?.[0]?.ranges[0]?.min])).toEqual([
    [a, '1'],
    [b, '10'],
    [d, '4'],
  ]);
});

test('an empty text is NULL where the partition is no text', async () => {
  await world.write('k=1/a.parquet', 'SELECT 1 AS id');
  await world.write('k=/a.parquet', 'SELECT 1 AS id');
  const partitions = async (columns: IndexRequest['columns']) =>
    (await build({ source: hive(), columns })).index.files.map(({ partition }) => partition[0]);
  const id = { name: 'id', type: 'INTEGER' };
  expect(await partitions([id, { name: 'k', type: 'BIGINT' }])).toEqual([null, '1']);
  expect(await partitions([id, { name: 'k', type: 'VARCHAR' }])).toEqual(['', '1']);
});

test('no file at all is a fault, not a dataset without rows', async () => {
  await expect(build()).rejects.toMatchObject({ code: 'dataset.invalid', message: expect.stringContaining('no parquet file') });
});

test('text files are told apart by their names only', async () => {
  await world.write('a.csv', "SELECT 1 AS id, 'x' AS name");
  await world.write('b.csv', "SELECT 'text' AS id, 'x' AS name");
  await world.write('c.csv', 'SELECT 1 AS name');
  const source = { ...world.request().source, kind: 'csv' as const, path: join(world.directory, '*.csv') };
  const { index, columns, rows } = await build({ source });
  expect(columns).toEqual([
    { name: 'id', type: 'VARCHAR' },
    { name: 'name', type: 'VARCHAR' },
  ]);
  expect(index.files.map(({ variant, rowGroups }) => [variant, rowGroups])).toEqual([
    [0, null],
    [0, null],
    [1, null],
  ]);
  expect([index.rangeColumns, rows]).toEqual([[], null]);
});

test('what breaks off leaves no engine leased', async () => {
  await world.write('a.parquet', 'SELECT 1 AS id');
  copyFileSync(join(world.directory, '..', 'lake', 'a.parquet'), join(world.directory, 'b.parquet'));
  await expect(build({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  const failing = { ...world.ports, list: async () => Promise.reject(new Error('gone')) };
  await expect(buildIndex(world.request(), failing)).rejects.toThrow('gone');
});

test('10,000 files are read in batches, few at a time, with lines of progress', { timeout: 180_000 }, async () => {
  const first = await world.write('0.parquet', 'SELECT i::INTEGER AS id, i::VARCHAR AS name FROM range(5) t(i)');
  for (let i = 1; i < 10_000; i++) {
    if (i % 1000 === 0) mkdirSync(join(world.directory, String(i)));
    copyFileSync(first, join(world.directory, i < 1000 ? '' : String(i - (i % 1000)), `${i}.parquet`));
  }
  const lines: string[] = [];
  let [open, most] = [0, 0];
  const lease = async () => {
    const { engine, release } = await world.ports.lease([]);
    const fileStatistics: typeof engine.fileStatistics = async (paths) => {
      open += paths.length;
      most = Math.max(most, open);
      const statistics = await engine.fileStatistics(paths);
      open -= paths.length;
      return statistics;
    };
    return { engine: { ...engine, fileStatistics }, release };
  };
  const { index, added, rows } = await buildIndex(world.request({ onProgress: (line) => lines.push(line) }), { ...world.ports, lease });
  expect([index.files.length, added, rows]).toEqual([10_000, 10_000, 50_000]);
  expect(most).toBeLessThanOrEqual(1000);
  expect(index.variants).toHaveLength(1);
  expect(lines.at(-1)).toBe('10,000 of 10,000 files');
  const stored = await world.indexes.put(index, null);
  expect((await world.indexes.get('d'))?.files.length).toBe(stored.files.length);
});
