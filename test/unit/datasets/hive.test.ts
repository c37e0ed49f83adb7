import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { partitionType, readPartitions } from '#src/datasets/hive.js';
import { type Engine, runTrustedScript } from '#src/engine/index.js';
import { collect } from '../engine/arrow-values.ts';
import { EMPTY, never, startEngine } from '../engine/fixtures.ts';

const work = mkdtempSync(join(tmpdir(), 'sluice-hive-'));
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ connections: [{ kind: 'local', name: 'files', directory: work }] });
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(work, { recursive: true });
});

test('names and values are those that the engine reads', async () => {
  const values = [
    'a',
    '01',
    '1',
    '',
    'NULL',
    'null',
    '__HIVE_DEFAULT_PARTITION__',
    'a%20b',
    '%2F',
    'a+b',
    '%zz',
    '%',
    '%41%',
    'é',
    '%C3%A9',
    ' x',
  ];
  const paths: string[] = [];
  for (const value of values) {
    const directory = join(work, 'p', `k=${value}`, 'not a partition');
    mkdirSync(directory, { recursive: true });
    paths.push(join(directory, 'f.parquet'));
    await runTrustedScript([`COPY (SELECT 1 AS a) TO '${paths.at(-1)}'`]);
  }
  const list = paths.map((path) => `'${path}'`).join(', ');
  const sql = `SELECT filename, k FROM read_parquet([${list}], hive_partitioning = true, hive_types = {k: VARCHAR}, filename = true)`;
  const read = new Map((await collect(await engine.run(EMPTY, sql, never()))).rows.map(([file, k]) => [file, k]));
  const { columns, values: found } = readPartitions(paths);
  expect(columns).toEqual(['k']);
  expect(found).toEqual(paths.map((path) => [read.get(path)]));
});

test('every file lies in the same partitions, in the same order', () => {
  expect(readPartitions([])).toEqual({ columns: [], values: [] });
  expect(readPartitions(['s3://b/y=1/m=2/f', 's3://b/y=3/m=/f'])).toEqual({
    columns: ['y', 'm'],
    values: [
      ['1', '2'],
      ['3', ''],
    ],
  });
  expect(readPartitions(['/a=b=c/?x=1/f', '/q/f=1']).columns).toEqual([]);
  for (const paths of [
    ['/y=1/f', '/y=1/m=2/f'],
    ['/y=1/m=2/f', '/m=2/y=1/f'],
    ['/y=1/f', '/Y=1/f'],
    ['/y=1/f', '/f'],
  ])
    expect(() => readPartitions(paths)).toThrow(
      expect.objectContaining({ code: 'dataset.invalid', message: expect.stringContaining('1 of 2 files') }),
    );
  expect(() => readPartitions(['/y=1/Y=2/f'])).toThrow(/twice/);
  expect(() => readPartitions(['/y=%FF/f'])).toThrow(/not UTF-8/);
});

test.each<[string, readonly (string | null)[]]>([
  ['BIGINT', ['0', '-5', '999999999999999999', null]],
  ['VARCHAR', ['01', '1']],
  ['VARCHAR', ['1', 'x']],
  ['VARCHAR', ['1', '']],
  ['VARCHAR', ['9999999999999999999']],
  ['DATE', ['2024-02-29', null]],
  ['VARCHAR', ['2023-02-29']],
  ['VARCHAR', ['2024-01-01', '1']],
  ['VARCHAR', [null]],
  ['VARCHAR', []],
])('%s: %o', (type, values) => {
  expect(partitionType(new Set(values))).toBe(type);
});
