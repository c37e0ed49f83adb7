import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Engine, runTrustedScript } from '#src/engine/index.js';
import { SluiceError } from '#src/errors.js';
import { SEED } from '../../support/seed.ts';
import { startEngine, temporaryDirectory } from './fixtures.ts';

const root = temporaryDirectory();
const allowed = join(root, 'data');
let engine: Engine;

beforeAll(async () => {
  mkdirSync(allowed);
  engine = await startEngine({ connections: [{ kind: 'local', name: 'files', directory: allowed }] });
});
afterAll(() => engine[Symbol.asyncDispose]());

async function write(name: string, select: string, options = ''): Promise<string> {
  const path = join(allowed, name);
  await runTrustedScript([`COPY (${select}) TO '${path.replaceAll("'", "''")}' (FORMAT parquet${options})`]);
  return path;
}

async function one(select: string, options = ''): Promise<Record<string, unknown>> {
  const [file] = await engine.fileStatistics([await write('one.parquet', select, options)]);
  const [group] = file?.rowGroups ?? [];
  return Object.fromEntries((file?.columns ?? []).map(({ name, type }, i) => [name, [type, group?.ranges[i] ?? null]]));
}

describe('ranges', () => {
  test.each<[string, string, string, string]>([
    ['TINYINT', '-3', '-3', '7'],
    ['SMALLINT', '-3', '-3', '7'],
    ['INTEGER', '-3', '-3', '7'],
    ['BIGINT', "'-9223372036854775808'", '-9223372036854775808', '7'],
    ['UTINYINT', '3', '3', '7'],
    ['UBIGINT', '3', '3', '7'],
    ['BOOLEAN', 'false', 'false', 'true'],
    ['DATE', "'0044-03-15 (BC)'", '0044-03-15 (BC)', '2024-02-29'],
    ['TIMESTAMP', "'2024-01-01 10:00:00.5'", '2024-01-01 10:00:00.5', '2025-01-01 00:00:00'],
    ['TIMESTAMP_NS', "'2024-01-01 10:00:00.000000001'", '2024-01-01 10:00:00.000000001', '2025-01-01 00:00:00'],
    ['TIMESTAMP WITH TIME ZONE', "'2024-01-01 10:00:00+02'", '2024-01-01 08:00:00+00', '2025-01-01 00:00:00+00'],
    ['TIME', "'10:00:00'", '10:00:00', '11:00:00'],
    ['DECIMAL(9,2)', '-1.5', '-1.50', '3.00'],
    ['DECIMAL(38,4)', '-1.5', '-1.5000', '3.0000'],
    ['VARCHAR', "'Zoë'", 'Zoë', 'a'],
  ])('of %s', async (type, least, min, max) => {
    const found = await one(`SELECT unnest([${least}::${type}, '${max}'::${type}, NULL]) AS v`);
    expect(found).toEqual({ v: [type, { min, max, hasNull: true }] });
  });

  test.each<[string, string]>([
    ['floats, which have NaN', '1.5::FLOAT'],
    ['doubles', '1.5::DOUBLE'],
    ['what is stored as a double', '5::HUGEINT'],
    ['intervals', 'INTERVAL 1 DAY'],
    ['UUIDs', 'uuid()'],
    ['binaries', "'a'::BLOB"],
    ['structs', "{'x': 1}"],
    ['lists', '[1]'],
    ['maps', "MAP {'a': 1}"],
    ['long texts', "repeat('x', 5000)"],
  ])('are not known of %s', async (_, value) => {
    expect((await one(`SELECT ${value} AS v`))['v']).toMatchObject([expect.anything(), null]);
  });

  test('say whether a value is missing, and whether all are', async () => {
    expect(await one('SELECT 1 AS a, NULL::INTEGER AS b')).toEqual({
      a: ['INTEGER', { min: '1', max: '1', hasNull: false }],
      b: ['INTEGER', { min: null, max: null, hasNull: true }],
    });
  });

  test('belong to the column behind nested ones too', async () => {
    const found = await one("SELECT 1 AS a, {'x': 10, 'y': [20]} AS s, [30] AS l, MAP {'k': 40} AS m, 50 AS z, 60 AS \"s, x\"");
    expect(found).toMatchObject({
      a: ['INTEGER', { min: '1' }],
      s: ['STRUCT(x INTEGER, y INTEGER[])', null],
      l: ['INTEGER[]', null],
      m: ['MAP(VARCHAR, INTEGER)', null],
      z: ['INTEGER', { min: '50', max: '50' }],
      's, x': ['INTEGER', { min: '60' }],
    });
  });

  test('are known of the first columns of a wide table', async () => {
    const found = await one(`SELECT ${Array.from({ length: 100 }, (_, i) => `${i} AS c${i}`).join(', ')}`);
    expect([found['c31'], found['c32']]).toEqual([
      ['INTEGER', { min: '31', max: '31', hasNull: false }],
      ['INTEGER', null],
    ]);
  });
});

test('row groups come in order, and files in the order asked for', async () => {
  const large = await write('large.parquet', 'SELECT i::INTEGER AS i FROM range(10000) t(i)', ', ROW_GROUP_SIZE 2048');
  const none = await write('none.parquet', 'SELECT 1::INTEGER AS i WHERE false');
  const statistics = await engine.fileStatistics([none, large, none]);
  expect(statistics.map(({ path }) => path)).toEqual([none, large, none]);
  expect(statistics[0]?.rowGroups).toEqual([]);
  const groups = statistics[1]?.rowGroups ?? [];
  expect(groups.map(({ rows }) => rows)).toEqual([2048, 2048, 2048, 2048, 1808]);
  expect(groups.map(({ ranges }) => ranges[0]?.min)).toEqual(['0', '2048', '4096', '6144', '8192']);
  for (const { bytes } of groups) expect(bytes).toBeGreaterThan(100);
  expect(statistics[0]?.columns).toBe(statistics[1]?.columns);
});

test('schemas may differ from file to file', async () => {
  const files = [await write('a.parquet', 'SELECT 1 AS a'), await write('b.parquet', "SELECT 'x' AS A, 2 AS b")];
  expect((await engine.fileStatistics(files)).map(({ columns }) => columns)).toEqual([
    [{ name: 'a', type: 'INTEGER' }],
    [
      { name: 'A', type: 'VARCHAR' },
      { name: 'b', type: 'INTEGER' },
    ],
  ]);
});

test.each(["it's", 'a[1]', 'b*', 'c?', 'd{x,y}', 'e\n', 'f%20', 'g\\', 'h=1', '--'])(
  'a file is named by itself, not by a pattern: %j',
  async (name) => {
    await write('decoy.parquet', 'SELECT 99 AS a');
    const path = await write(`${name}.parquet`, 'SELECT 1 AS a');
    expect((await engine.fileStatistics([path]))[0]).toMatchObject({ path, rowGroups: [{ ranges: [{ min: '1' }] }] });
  },
);

test('what is no Parquet file, is gone or lies elsewhere is refused', async () => {
  const text = join(allowed, 'text.parquet');
  writeFileSync(text, 'not parquet at all, but long enough');
  const good = await write('good.parquet', 'SELECT 1 AS a');
  const outside = join(root, 'outside.parquet');
  await runTrustedScript([`COPY (SELECT 1) TO '${outside}'`]);
  for (const path of [text, join(allowed, 'gone.parquet'), outside]) await expect(engine.fileStatistics([good, path])).rejects.toThrow();
  expect(await engine.fileStatistics([])).toEqual([]);
});

test('a footer with wrong bytes is refused or read, and ends nothing else', async () => {
  const select = "SELECT i AS a, 'x' || i AS b, {'x': i, 'y': [i]} AS c, i::DECIMAL(9,2) AS d FROM range(5000) t(i)";
  const good = await write('sound.parquet', select, ', ROW_GROUP_SIZE 2048');
  const bytes = readFileSync(good);
  const footer = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
  const broken = join(allowed, 'unsound.parquet');
  const change = fc.tuple(fc.integer({ min: footer, max: bytes.length - 5 }), fc.oneof(fc.constantFrom(0, 0x7f, 0x80, 0xff), fc.nat(255)));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const copy = Buffer.from(bytes);
      for (const [at, value] of changes) copy[at] = value;
      writeFileSync(broken, copy);
      const outcome: unknown = await engine.fileStatistics([broken]).catch((error: unknown) => error);
      expect(Array.isArray(outcome) || outcome instanceof SluiceError).toBe(true);
    }),
    { seed: SEED, numRuns: 100 },
  );
  expect((await engine.fileStatistics([good]))[0]?.rowGroups).toHaveLength(3);
});
