import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createEngine, type Engine, runTrustedScript } from '#src/engine/index.js';
import type { PlanCatalog } from '#src/model.js';

let directory: string;
let engine: Engine;
const never = new AbortController().signal;
const file = (): string => join(directory, 'a.parquet');
const write = (sql: string): Promise<void> => runTrustedScript([`COPY (${sql}) TO '${file()}' (FORMAT parquet)`]);

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'kept-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
beforeEach(async () => {
  await write("SELECT i, 'text ' || (i % 10) AS s FROM range(200000) t(i)");
  isOpen = true;
  engine = await createEngine({
    connections: [{ kind: 'local', name: 'lake', directory }],
    memoryLimitBytes: 256 * 1024 ** 2,
    threads: 2,
    engineThreads: 2,
    tempDirectory: join(directory, 'tmp'),
    tempLimitBytes: 1024 ** 3,
    batchBytes: 1024 ** 2,
    streamWindow: 2,
    streamingBufferBytes: 1024 ** 2,
    variables: {},
    extensions: null,
  });
});
let isOpen = true;
afterEach(async () => {
  if (isOpen) await engine[Symbol.asyncDispose]();
});

const read = (): string => `SELECT i, s FROM read_parquet('${file()}')`;

async function rowsOf(sql: string, name = 'p_test'): Promise<number> {
  const catalog: PlanCatalog = { name, defaultSchema: 'main', statements: [] };
  const source = await engine.run(catalog, sql, never);
  let rows = 0;
  try {
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      rows += batch.rows;
      batch.release();
    }
  } finally {
    await source[Symbol.asyncDispose]();
  }
  return rows;
}

test('rows stay in memory, compressed, in their order, until dropped', async () => {
  const kept = await engine.keep('__hot_a', read(), never);
  expect(kept.rows).toBe(200_000);
  expect(kept.bytes).toBeGreaterThan(0);
  expect(kept.bytes).toBeLessThan(2_000_000);
  rmSync(file());
  expect(await rowsOf(`SELECT i FROM ${kept.relation} WHERE s = 'text 3'`)).toBe(20_000);
  expect(await rowsOf(`SELECT * FROM (SELECT i, lag(i) OVER () AS before FROM ${kept.relation}) WHERE before > i`)).toBe(0);
  await kept.drop();
  await kept.drop();
  await expect(rowsOf(`SELECT i FROM ${kept.relation}`)).rejects.toThrow();
  const again = await engine.keep('__hot_a', 'SELECT 1 AS x', never);
  expect(again.rows).toBe(1);
});

test('a failure or a cancelled load leaves nothing', async () => {
  await expect(engine.keep('__hot_a', "SELECT * FROM read_parquet('/etc/passwd')", never)).rejects.toMatchObject({
    code: 'storage.unavailable',
  });
  const cancelled = new AbortController();
  const loading = engine.keep('__hot_a', 'SELECT sum(a.i * b.i) FROM range(1000000) a(i), range(1000000) b(i)', cancelled.signal);
  cancelled.abort(new Error('enough'));
  await expect(loading).rejects.toMatchObject({ code: 'request.cancelled' });
  expect((await engine.keep('__hot_a', 'SELECT 1 AS x', never)).rows).toBe(1);
  expect(engine.stats()).toMatchObject({ openStreams: 0, connections: 0 });
});

test('closing ends a load under way', async () => {
  const loading = engine.keep('__hot_a', 'SELECT sum(a.i * b.i) FROM range(1000000) a(i), range(1000000) b(i)', never);
  loading.catch(() => {});
  isOpen = false;
  await engine[Symbol.asyncDispose]();
  await expect(loading).rejects.toMatchObject({ code: 'request.cancelled' });
});

test('files are cached within the memory limit, and a replaced one is read anew', async () => {
  expect(await rowsOf(read())).toBe(200_000);
  expect(await rowsOf(read())).toBe(200_000);
  const { ranges, footers } = await engine.fileCache();
  expect(ranges).toBeGreaterThan(0);
  expect(footers).toBeGreaterThan(0);
  for (const rows of [10, 200, 10]) {
    await write(`SELECT i, 'x' AS s FROM range(${rows}) t(i)`);
    expect(await rowsOf(read())).toBe(rows);
  }
});
