import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Engine, runTrustedScript } from '#src/engine/index.js';
import { SluiceError } from '#src/errors.js';
import type { Scan, StoredFile } from '#src/files.js';
import type { PlanCatalog } from '#src/model.js';
import { createStorage } from '#src/storage/index.js';
import type { ScanPorts } from '#src/worker/index.js';
import { startQuery } from '#src/worker/redeem.js';
import { makeScans, verifiedSource } from '#src/worker/scans.js';
import { collect } from '../engine/arrow-values.ts';
import { startEngine, temporaryDirectory } from '../engine/fixtures.ts';
import { fakeSource, QUERY, rowCounts, schemaHeader } from './fixture.ts';

const directory = temporaryDirectory();
const storage = createStorage({ openSecret: (sealed) => sealed, glob: async () => [] });
const never = new AbortController().signal;
const { verify } = storage;

let engine: Engine;

beforeAll(async () => {
  mkdirSync(join(directory, 'k=01'));
  mkdirSync(join(directory, 'k=x y'));
  await runTrustedScript([
    `COPY (SELECT range::INTEGER AS id, 'a' || range AS name FROM range(10)) TO '${join(directory, 'k=01/a.parquet')}' (FORMAT parquet)`,
    `COPY (SELECT 5000000000 + range AS id, 1.5 AS extra FROM range(3)) TO '${join(directory, 'k=x y/b[1].parquet')}' (FORMAT parquet)`,
    `COPY (SELECT range AS id, 'big' AS name FROM range(100000)) TO '${join(directory, 'big.parquet')}' (FORMAT parquet, ROW_GROUP_SIZE 4096)`,
  ]);
  writeFileSync(join(directory, 'a.csv'), 'name;id\nx;01\n;2\n');
  writeFileSync(join(directory, 'a.json'), '{"id": 1, "name": "x"}\n{"name": "y", "other": []}\n');
  engine = await startEngine({ connections: [{ kind: 'local', name: 'lake', directory }] });
});

afterAll(() => engine[Symbol.asyncDispose]());

const stored = (...names: string[]): Promise<readonly StoredFile[]> =>
  storage.stat(
    [],
    names.map((name) => join(directory, name)),
  );

const SCAN: Omit<Scan, 'parts'> = {
  dataset: 'd1',
  relation: '"p_1"."__source"."demo.t"',
  format: 'parquet',
  hivePartitioning: true,
  columns: [
    { name: 'id', type: 'BIGINT' },
    { name: 'name', type: 'VARCHAR' },
    { name: 'k', type: 'VARCHAR' },
  ],
};

let made = 0;

/** Under a name of its own: catalogs of one name are one. */
function catalogOf(scan: Scan): PlanCatalog {
  const name = `p_${++made}`;
  return {
    name,
    defaultSchema: 'demo',
    statements: [`CREATE SCHEMA "${name}"."demo"`, `CREATE VIEW "${name}"."demo"."t" AS SELECT * FROM "${name}"."__source"."demo.t"`],
    scans: [{ ...scan, relation: `"${name}"."__source"."demo.t"` }],
  };
}

async function rowsOf(scan: Scan, sql = 'SELECT * FROM t', scans: ScanPorts = { verify }): Promise<readonly (readonly unknown[])[]> {
  const task = { ...QUERY, catalog: catalogOf(scan), statements: [sql] };
  const source = await startQuery(task, { connections: [], lease: async () => ({ engine, release: () => {} }), scans }, never);
  return (await collect(source)).rows;
}

describe('a scan', () => {
  test('gives files of several shapes the columns and types of the dataset', async () => {
    const parts = [
      { files: await stored('k=01/a.parquet'), missing: [] },
      { files: await stored('k=x y/b[1].parquet'), missing: ['name'] },
    ];
    expect(
      await rowsOf({ ...SCAN, parts }, 'SELECT max(id), count(name), list(DISTINCT k ORDER BY k)::VARCHAR, any_value(typeof(k)) FROM t'),
    ).toEqual([[5000000002n, 10n, '[01, x y]', 'VARCHAR']]);
    expect(await rowsOf({ ...SCAN, parts: parts.slice(1) }, 'SELECT * FROM t LIMIT 1')).toEqual([[5000000000n, null, 'x y']]);
  });

  test.each([
    ['1.5', 'DECIMAL(9,2)', '1.50'],
    ['2024-01-31', 'TIMESTAMP WITH TIME ZONE', '2024-01-31 00:00:00+00'],
    ['007', 'UTINYINT', '7'],
  ])('gives the partition %s the type %s', async (value, type, shown) => {
    const path = `typed=${value}/a.parquet`;
    mkdirSync(join(directory, `typed=${value}`));
    await runTrustedScript([`COPY (SELECT 1 AS id) TO '${join(directory, path)}' (FORMAT parquet)`]);
    const columns = [{ name: 'typed', type }];
    expect(await rowsOf({ ...SCAN, columns, parts: [{ files: await stored(path), missing: [] }] }, 'SELECT typed::VARCHAR FROM t')).toEqual(
      [[shown]],
    );
  });

  test('of no files has no rows', async () => {
    expect(await rowsOf({ ...SCAN, parts: [] })).toEqual([]);
    expect(await rowsOf({ ...SCAN, parts: [] }, 'SELECT count(*), any_value(k) FROM t')).toEqual([[0n, null]]);
  });

  test('by rows reads these and no others', async () => {
    const files = await stored('big.parquet');
    const columns = SCAN.columns.slice(0, 2);
    const ranges = [
      [0, 5],
      [5, 4096],
      [4096, 99_999],
      [99_999, 100_000],
    ] as const;
    const counts = [];
    for (const rows of ranges)
      counts.push(
        ...(await rowsOf(
          { ...SCAN, hivePartitioning: false, columns, parts: [{ files, missing: [], rows }] },
          'SELECT min(id), max(id), count(*) FROM t',
        )),
      );
    expect(counts).toEqual(ranges.map(([from, to]) => [BigInt(from), BigInt(to - 1), BigInt(to - from)]));
  });

  test('of CSV and of JSON lines reads columns by name', async () => {
    const columns = SCAN.columns.slice(0, 2);
    const csv = [{ files: await stored('a.csv'), missing: [] }];
    expect(await rowsOf({ ...SCAN, format: 'csv', hivePartitioning: false, columns, parts: csv })).toEqual([
      [1n, 'x'],
      [2n, null],
    ]);
    const json = [{ files: await stored('a.json'), missing: [] }];
    expect(await rowsOf({ ...SCAN, format: 'json', hivePartitioning: false, columns, parts: json })).toEqual([
      [1n, 'x'],
      [null, 'y'],
    ]);
  });

  test('some files of a listing have the widest type among them', async () => {
    const files = await stored('k=01/a.parquet', 'k=x y/b[1].parquet');
    const columns = SCAN.columns.filter(({ name }) => name !== 'name');
    expect(await rowsOf({ ...SCAN, columns, parts: [{ files, missing: [], mixed: true }] }, 'SELECT max(id) FROM t')).toEqual([
      [5000000002n],
    ]);
  });
});

describe('a file that was written since', () => {
  test('is not read, and nothing stays held', async () => {
    let held = 0;
    const lease = async (): Promise<{ engine: Engine; release: () => void }> => {
      held++;
      return { engine, release: () => void held-- };
    };
    const [file] = await stored('k=01/a.parquet');
    const catalog = catalogOf({ ...SCAN, parts: [{ files: [{ path: '', bytes: 1, ...file, version: 'before' }], missing: [] }] });
    const started = startQuery({ ...QUERY, catalog }, { connections: [], lease, scans: { verify } }, never);
    await expect(started).rejects.toMatchObject({ code: 'storage.unavailable' });
    expect(held).toBe(0);
  });

  test('ends the result with an error in place of its end', async () => {
    const files = await stored('k=01/a.parquet');
    let verified = 0;
    const changes: ScanPorts['verify'] = async (_, named) => {
      expect(named).toEqual(files);
      if (++verified > 1) throw new SluiceError('storage.unavailable', 'changed');
    };
    const task = { ...QUERY, catalog: catalogOf({ ...SCAN, parts: [{ files, missing: [] }] }), statements: ['SELECT id FROM t'] };
    const ports = { connections: [], lease: async () => ({ engine, release: () => {} }), scans: { verify: changes } };
    const source = await startQuery(task, ports, never);
    const first = await source.next();
    expect(first?.rows).toBe(10);
    first?.release();
    await expect(source.next()).rejects.toMatchObject({ code: 'storage.unavailable' });
    await source[Symbol.asyncDispose]();
  });

  test('is the reason of what the engine says, and of nothing else', async () => {
    const failing = (code: 'sql.runtime' | 'limit.memory', verifying: () => Promise<void>): Promise<unknown> => {
      const source = { ...fakeSource([1], schemaHeader(['a'])), next: () => Promise.reject(new SluiceError(code, 'no')) };
      return verifiedSource(source, verifying).next();
    };
    const changed = async (): Promise<void> => {
      throw new SluiceError('storage.unavailable', 'changed');
    };
    await expect(failing('sql.runtime', changed)).rejects.toMatchObject({ code: 'storage.unavailable' });
    await expect(failing('sql.runtime', async () => {})).rejects.toMatchObject({ code: 'sql.runtime' });
    await expect(failing('limit.memory', changed)).rejects.toMatchObject({ code: 'limit.memory' });
    expect(await rowCounts(verifiedSource(fakeSource([1, 2], schemaHeader(['a'])), async () => {}))).toEqual([1, 2]);
  });
});

describe('a relation that holds the rows already', () => {
  test('is read in place of the files, under another name, until the query ends', async () => {
    let released = 0;
    const scans: ScanPorts = {
      verify: () => Promise.reject(new Error('nothing is read of files')),
      relationFor: async () => ({ text: "(SELECT 7 AS id, 'hot' AS name, 'k' AS k)", release: () => void released++ }),
    };
    const catalog = catalogOf({ ...SCAN, parts: [{ files: await stored('k=01/a.parquet'), missing: [] }] });
    const variant = await makeScans(catalog, engine, [], scans);
    expect(variant.catalog.name).toMatch(/^p_[0-9a-f]{32}$/);
    expect(variant.statement(`SELECT * FROM "${catalog.name}".demo.t`)).toBe(`SELECT * FROM "${variant.catalog.name}".demo.t`);
    variant.release();
    expect(released).toBe(1);
    const scan = catalog.scans?.[0] as Scan;
    expect(await rowsOf(scan, 'SELECT id, name FROM t', scans)).toEqual([[7n, 'hot']]);
    expect(await rowsOf(scan, 'SELECT count(*) FROM t')).toEqual([[10n]]);
  });

  test('is given back when another one fails', async () => {
    let released = 0;
    let asked = 0;
    const relationFor: ScanPorts['relationFor'] = async () => {
      if (asked++ > 0) throw new SluiceError('limit.memory', 'no');
      return { text: 'x', release: () => void released++ };
    };
    const catalog = catalogOf({ ...SCAN, parts: [] });
    const scans = [...(catalog.scans ?? []), ...(catalog.scans ?? [])];
    await expect(makeScans({ ...catalog, scans }, engine, [], { verify, relationFor })).rejects.toMatchObject({ code: 'limit.memory' });
    expect(released).toBe(1);
  });
});
