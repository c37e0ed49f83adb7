import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runtimeError } from '#src/engine/failures.js';
import { type Engine, runTrustedScript } from '#src/engine/index.js';
import { JobError } from '#src/engine/jobs.js';
import { collect } from './arrow-values.ts';
import { catalogOf, EMPTY, never, startEngine } from './fixtures.ts';

const directory = mkdtempSync(join(tmpdir(), 'sluice-failures-'));
let engine: Engine;

beforeAll(async () => {
  await runTrustedScript([`COPY (SELECT range AS a FROM range(100)) TO '${directory}/gone.parquet' (FORMAT parquet)`]);
  engine = await startEngine({
    connections: [{ kind: 'local', name: 'l', directory }],
    memoryLimitBytes: 64 * 1024 ** 2,
    tempLimitBytes: 1024 ** 2,
  });
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

async function errorOf(sql: string, catalog = EMPTY): Promise<Error & { code: string; cause: Error }> {
  return engine
    .run(catalog, sql, never())
    .then(collect)
    .then(
      () => {
        throw new Error('did not fail');
      },
      (error: unknown) => error as Error & { code: string; cause: Error },
    );
}

describe('runtime errors', () => {
  it.each([
    ["SELECT ('secret' || i)::INTEGER FROM range(3) t(i)", 'sql.runtime', 'converted'],
    ["SELECT error('secret') FROM range(3)", 'sql.runtime', 'function'],
    ["SELECT regexp_replace('x', '(secret' || i, 'y') FROM range(3) t(i)", 'sql.runtime', 'function'],
    ['SELECT (9223372036854775807 - i) + 5 FROM range(3) t(i)', 'sql.runtime', 'range'],
    ['SELECT (i + 300)::TINYINT FROM range(3) t(i)', 'sql.runtime', 'converted'],
    ['SELECT (SELECT i FROM range(3) t(i))', 'sql.runtime', ''],
    ["SELECT list(i::VARCHAR || repeat('x', 100)) FROM range(3000000) t(i)", 'limit.memory', 'memory'],
    ['SELECT nope', 'sql.runtime', ''],
  ])('%s', async (sql, code, text) => {
    const error = await errorOf(sql);
    expect(error.code).toBe(code);
    expect(error.message).toContain(text);
    expect(error.message).not.toMatch(/secret|9223372036854775807|300|LINE/);
    expect(error.cause.message).not.toBe('');
  });

  it('storage that went away', async () => {
    const catalog = catalogOf('p_gone', `CREATE VIEW "p_gone".demo.t AS SELECT a FROM read_parquet('${directory}/gone.parquet')`);
    expect((await collect(await engine.run(catalog, 'SELECT a FROM t', never()))).rows.length).toBe(100);
    rmSync(join(directory, 'gone.parquet'));
    const error = await errorOf('SELECT a + 1 FROM t', catalog);
    expect(error.code).toBe('storage.unavailable');
    expect(error.message).not.toContain(directory);
    const missing = catalogOf('p_missing', `CREATE VIEW "p_missing".demo.t AS SELECT a FROM read_parquet('${directory}/none.parquet')`);
    expect((await errorOf('SELECT 1', missing)).code).toBe('storage.unavailable');
  });

  it('leave nothing behind', async () => {
    await expect.poll(() => engine.stats()).toMatchObject({ openStreams: 0, connections: 0, slotsInUse: 0 });
  });
});

it.each([
  ['Could not write file "/state/tmp/engine-1-x/duckdb_temp_storage_DEFAULT-0.tmp": No space left on device', 'limit.memory'],
  ['Could not write all bytes to file "/state/tmp/engine-1-x/duckdb_temp_block-9.block": wanted=262144 wrote=4096', 'limit.memory'],
  ['Could not read from file "/lake/a.parquet": Input/output error', 'storage.unavailable'],
])('a full disk for spilling is not the fault of the data: %s', (text, code) => {
  const error = runtimeError(new JobError({ kind: 'duckdb', text: `IO Error: ${text}` }));
  expect(error.code).toBe(code);
  expect(error.message).not.toMatch(/\/(state|lake)/);
});
