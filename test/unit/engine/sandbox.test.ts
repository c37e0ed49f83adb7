import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, runTrustedScript } from '#src/engine/index.js';
import { collect } from './arrow-values.ts';
import { catalogOf, EMPTY, never, startEngine, temporaryDirectory } from './fixtures.ts';

const root = temporaryDirectory();
const allowed = join(root, 'data');
const sibling = join(root, 'data-private');
const file = join(root, 'shop.duckdb');
let engine: Engine;

beforeAll(async () => {
  for (const directory of [allowed, sibling]) mkdirSync(directory);
  writeFileSync(join(root, 'secret.csv'), 'secret\n4711\n');
  await runTrustedScript([
    `COPY (SELECT 1 AS a, 'x' AS b) TO '${allowed}/t.parquet' (FORMAT parquet)`,
    `COPY (SELECT 2 AS a) TO '${sibling}/t.parquet' (FORMAT parquet)`,
    `ATTACH '${file}' AS shop`,
    'CREATE TABLE shop.main.items AS SELECT 7 AS item',
  ]);
  engine = await startEngine({
    connections: [
      { kind: 'local', name: 'files', directory: allowed },
      { kind: 'duckdb', name: 'shop', file },
    ],
    variables: { sluice_token_key: "it's a key" },
  });
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

async function rowsOf(sql: string, catalog = EMPTY): Promise<unknown[][]> {
  return (await collect(await engine.run(catalog, sql, never()))).rows;
}

describe('the data instance', () => {
  it('reads its connections through a plan catalog', async () => {
    const catalog = catalogOf(
      'p_shop',
      `CREATE VIEW "p_shop".demo.t AS SELECT a, b FROM read_parquet('${allowed}/t.parquet')`,
      'CREATE VIEW "p_shop".demo.items AS SELECT item FROM "src_shop".main.items',
    );
    expect(await rowsOf('SELECT a, b, item FROM t, items', catalog)).toEqual([[1n, 'x', 7n]]);
    expect(await rowsOf('SELECT a FROM p_shop.demo.t', catalog)).toEqual([[1n]]);
    expect(await engine.columns(`read_parquet('${allowed}/t.parquet')`)).toEqual([
      { name: 'a', type: 'INTEGER' },
      { name: 'b', type: 'VARCHAR' },
    ]);
    expect(await engine.columns('"src_shop"."main"."items"')).toEqual([{ name: 'item', type: 'INTEGER' }]);
  });

  it('lists the files of a pattern in the order in which it reads them, of its connections only', async () => {
    const names = ['b/2.parquet', 'a.parquet', 'B/1.parquet', 'a-b/3.parquet', 'a/4.parquet', 'é/5.parquet', '.h/6.parquet'];
    const tree = join(allowed, 'tree');
    for (const name of names) mkdirSync(join(tree, name, '..'), { recursive: true });
    await runTrustedScript(names.map((name) => `COPY (SELECT '${name}' AS name) TO '${join(tree, name)}' (FORMAT parquet)`));
    for (const pattern of [`${tree}/**/*.parquet`, `${tree}/*/*.parquet`, `${tree}/*.parquet`, `${tree}/a/4.parquet`]) {
      const rows = await rowsOf(`SELECT name FROM read_parquet('${pattern}')`);
      expect(rows.length).toBeGreaterThan(0);
      expect(await engine.files(pattern, 100)).toEqual(rows.map(([name]) => join(tree, String(name))));
    }
    expect(await engine.files(`${tree}/**/*.parquet`, 3)).toHaveLength(3);
    expect(await engine.files(`${tree}/none-*.parquet`, 3)).toEqual([]);
    for (const outside of [`${sibling}/*.parquet`, '/etc/*'])
      await expect(engine.files(outside, 3)).rejects.toMatchObject({ code: 'storage.unavailable' });
  });

  it('gives every connection its variables and UTC', async () => {
    const sql = "SELECT getvariable('sluice_token_key'), current_setting('TimeZone')";
    expect(await rowsOf(sql)).toEqual([["it's a key", 'UTC']]);
  });

  it.each([
    `SELECT * FROM read_parquet('${sibling}/t.parquet')`,
    `SELECT * FROM read_csv('${root}/secret.csv')`,
    `SELECT * FROM read_text('/etc/hostname')`,
    `SELECT * FROM glob('${root}/*')`,
    `SELECT * FROM read_parquet('${allowed}/../data-private/t.parquet')`,
    `SELECT * FROM '${root}/secret.csv'`,
    `SELECT * FROM read_parquet('http://127.0.0.1:9/x.parquet')`,
  ])('refuses what lies outside: %s', async (sql) => {
    const error = await rowsOf(sql).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).not.toContain(root);
    expect(String(error)).not.toContain('4711');
  });

  it.each([
    'SET threads = 1',
    'RESET lock_configuration',
    "SET allowed_directories = ['/']",
    "ATTACH '/tmp/evil.duckdb' AS evil",
    'INSTALL httpfs',
    'LOAD httpfs',
    `COPY (SELECT 1) TO '${allowed}/evil.csv'`,
    'CREATE TABLE evil(a INTEGER)',
    'INSERT INTO "src_shop".main.items VALUES (8)',
    'SELECT 1; SELECT 2',
    'CHECKPOINT',
  ])('runs nothing but one SELECT: %s', async (sql) => {
    await expect(rowsOf(sql)).rejects.toThrow();
  });

  it('refuses settings and files to its own statements too, after the lock', async () => {
    for (const statement of ['SET threads = 1', "ATTACH '/tmp/evil.duckdb' AS evil", 'SET enable_external_access = true']) {
      await expect(rowsOf('SELECT 1', catalogOf(`p_${statement.length}`, statement))).rejects.toMatchObject({ code: expect.any(String) });
    }
  });

  it('does not start with a connection that is not there', async () => {
    const missing = startEngine({ connections: [{ kind: 'duckdb', name: 'x', file: join(root, 'missing.duckdb') }] });
    await expect(missing).rejects.toMatchObject({ code: 'storage.unavailable' });
  });
});
