import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { storedType } from '#src/engine/copy.js';
import type { CopyJob, Engine } from '#src/engine/index.js';
import { collect } from './arrow-values.ts';
import { catalogOf, EMPTY, never, startEngine, temporaryDirectory } from './fixtures.ts';

const root = temporaryDirectory();
const allowed = join(root, 'data');
let engine: Engine;
let files = 0;

beforeAll(async () => {
  mkdirSync(allowed);
  engine = await startEngine({ connections: [{ kind: 'local', name: 'files', directory: allowed }] });
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

const newPath = (): string => join(allowed, `${files++}.parquet`);

async function stored(statements: readonly string[], columns: CopyJob['columns'] = null, catalog = EMPTY) {
  const path = newPath();
  const { rows } = await engine.copyTo(catalog, { statements, columns, path }, never());
  const relation = `read_parquet('${path}')`;
  const read = await collect(await engine.run(EMPTY, `SELECT * FROM ${relation}`, never()));
  expect(read.rows).toHaveLength(rows);
  return { rows: read.rows, columns: (await engine.columns(relation)).map(({ name, type }) => `${name} ${type}`) };
}

describe('a result becomes a Parquet file', () => {
  test('with its names and types', async () => {
    expect(await stored(["SELECT 1 AS a, 'x' AS \"b c\", DATE '2020-01-02' AS d"])).toMatchObject({
      columns: ['a INTEGER', 'b c VARCHAR', 'd DATE'],
      rows: [[1n, 'x', expect.anything()]],
    });
  });

  test('also without rows', async () => {
    expect(await stored(['SELECT 1 AS a WHERE false'])).toEqual({ rows: [], columns: ['a INTEGER'] });
  });

  test('of a private catalog, and of several statements in order', async () => {
    const catalog = catalogOf('p_copy', 'CREATE VIEW "p_copy".demo.v AS SELECT 7 AS n');
    expect((await stored(['FROM v', 'SELECT n + 1 FROM v', 'VALUES (9)'], null, catalog)).rows).toEqual([[7n], [8n], [9n]]);
  });

  test('in the columns of a table that is there', async () => {
    const columns = [
      { name: 'x', type: 'VARCHAR', from: 1 },
      { name: 'y', type: 'DATE', from: null },
      { name: 'z', type: 'BIGINT', from: 0 },
    ];
    expect(await stored(["SELECT 1, 'b'"], columns)).toMatchObject({
      columns: ['x VARCHAR', 'y DATE', 'z BIGINT'],
      rows: [['b', null, 1n]],
    });
    await expect(stored(['SELECT 1'], columns)).rejects.toMatchObject({ code: 'sql.binding' });
    await expect(stored(["SELECT 1, 'b', 2"], columns)).rejects.toMatchObject({ code: 'sql.binding' });
  });

  test('whose values do not fit the table is refused without showing them', async () => {
    const failure = await stored(["SELECT 'topsecret'"], [{ name: 'x', type: 'DATE', from: 0 }]).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'sql.runtime', message: expect.not.stringContaining('topsecret') });
  });

  test.each([
    ['SELECT 170141183460469231731687303715884105::HUGEINT AS v', 'v DECIMAL(38,0)'],
    ['SELECT sum(x) AS v FROM range(9) t(x)', 'v DECIMAL(38,0)'],
    ["SELECT 'a'::ENUM('a', 'b') AS v", 'v VARCHAR'],
    ["SELECT ['a'::ENUM('a', 'b)'), NULL] AS v", 'v VARCHAR[]'],
    ["SELECT {'HUGEINT': 1::HUGEINT, 'b': 'x'} AS v", 'v STRUCT(HUGEINT DECIMAL(38,0), b VARCHAR)'],
    ['SELECT NULL AS v', 'v INTEGER'],
    ['SELECT 1.25::DECIMAL(5,2) AS v', 'v DECIMAL(5,2)'],
    ["SELECT TIMESTAMPTZ '2020-01-01 00:00:00+00' AS v", 'v TIMESTAMP WITH TIME ZONE'],
    ["SELECT MAP {'a': 1} AS v", 'v MAP(VARCHAR, INTEGER)'],
    ["SELECT 'x'::BLOB AS v", 'v BLOB'],
    ['SELECT uuid() AS v', 'v UUID'],
    ["SELECT INTERVAL '1 month' AS v", 'v INTERVAL'],
    ['SELECT 255::UTINYINT AS v', 'v UTINYINT'],
  ])('%s keeps its values as %s', async (sql, column) => {
    const { columns, rows } = await stored([sql]);
    expect(columns).toEqual([column]);
    expect(rows).toHaveLength(1);
  });
});

describe('what surrounds the statement stays outside', () => {
  test.each([
    'SELECT 1 AS a;',
    'SELECT 1 AS a ; ; \n',
    'SELECT 1 AS a -- a comment',
    'SELECT 1 AS a -- a comment;',
    'SELECT 1 AS a /* ) TO */',
    "SELECT ') TO ''x''' AS a",
    'SELECT 1 AS ")"',
    'SELECT $$ ) TO $$ AS a',
    'WITH q(c0) AS (SELECT 5) SELECT c0 FROM q',
    'SELECT 1 AS a ORDER BY 1 LIMIT 1',
    'SELECT 1 UNION ALL SELECT 2',
    '(SELECT 1)',
    'VALUES (1)',
    'FROM (SELECT 1)',
  ])('%s', async (sql) => {
    expect((await stored([sql])).columns).toHaveLength(1);
  });

  const outside = join(allowed, 'escaped.parquet');
  test.each([
    `SELECT 1) TO '${outside}' (FORMAT parquet); --`,
    `SELECT 1) TO '${outside}' (FORMAT parquet) --`,
    `SELECT 1\n) TO '${outside}' (FORMAT csv); COPY (SELECT 1`,
    `SELECT 1 AS a) AS q(c0)) TO '${outside}' /*`,
    'SELECT 1 AS a /*',
    "SELECT 'x",
    'SELECT $$x',
    'SELECT "x',
    `SELECT 1; COPY (SELECT 2) TO '${outside}'`,
    `COPY (SELECT 2) TO '${outside}' (FORMAT parquet)`,
    `SELECT 1\0) TO '${outside}'`,
    'CREATE TABLE x AS SELECT 1',
    'SET threads = 1',
    'EXPLAIN SELECT 1',
    'SELECT ?',
    '',
    ';',
    '-- nothing',
  ])('%j does not run', async (sql) => {
    const before = readdirSync(allowed).length;
    await expect(engine.copyTo(EMPTY, { statements: [sql], columns: null, path: newPath() }, never())).rejects.toMatchObject({
      code: expect.stringMatching(/^sql\./),
    });
    await expect(engine.copyTo(EMPTY, { statements: ['SELECT 1', sql], columns: null, path: newPath() }, never())).rejects.toThrow();
    expect(existsSync(outside)).toBe(false);
    expect(readdirSync(allowed)).toHaveLength(before);
  });

  test('a path outside the connections is refused', async () => {
    const path = join(root, 'outside.parquet');
    const job = { statements: ['SELECT 1'], columns: null, path };
    await expect(engine.copyTo(EMPTY, job, never())).rejects.toMatchObject({ code: 'storage.unavailable' });
    expect(existsSync(path)).toBe(false);
    const quoted = { ...job, path: join(allowed, "it's.parquet") };
    expect(await engine.copyTo(EMPTY, quoted, never())).toEqual({ rows: 1 });
  });
});

const ENDLESS = 'SELECT count(*) FROM range(1000000000) a, range(1000000) b';

test('a signal ends it, whether it runs, waits or has not begun', async () => {
  const abort = new AbortController();
  const job = () => engine.copyTo(EMPTY, { statements: [ENDLESS], columns: null, path: newPath() }, abort.signal);
  const running = Array.from({ length: 6 }, job);
  const settled = Promise.allSettled(running);
  // Streams go on beside as many long jobs as there may be.
  expect((await collect(await engine.run(EMPTY, 'SELECT 1', never()))).rows).toEqual([[1n]]);
  abort.abort();
  for (const outcome of await settled) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'request.cancelled' } });
  await expect(job()).rejects.toMatchObject({ code: 'request.cancelled' });
  await expect.poll(() => engine.stats()).toMatchObject({ runningJobs: 0, queuedJobs: 0 });
});

test('closing the engine ends it', async () => {
  const own = await startEngine({ connections: [{ kind: 'local', name: 'files', directory: allowed }] });
  const running = own.copyTo(EMPTY, { statements: [ENDLESS], columns: null, path: newPath() }, never()).catch((error: unknown) => error);
  await own[Symbol.asyncDispose]();
  expect(await running).toMatchObject({ code: 'request.cancelled' });
});

test('types are changed where they are types only', () => {
  expect(storedType('STRUCT("HUGEINT" HUGEINT, "a ENUM(" ENUM(\'HUGEINT\', \')\'), c BIT[])[]')).toBe(
    'STRUCT("HUGEINT" DECIMAL(38,0), "a ENUM(" VARCHAR, c VARCHAR[])[]',
  );
});
