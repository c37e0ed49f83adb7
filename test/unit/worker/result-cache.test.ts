import { describe, expect, test } from 'vitest';
import { fail } from '#src/errors.js';
import type { BatchSource, Dataset, QueryTask } from '#src/model.js';
import { createResultCache, isRepeatable, type ResultCache, resultKey } from '#src/worker/result-cache.js';
import { createResultStore } from '#src/worker/result-store.js';
import { fakeSource, QUERY, rowCounts, SCAN, schemaHeader } from './fixture.ts';

const header = schemaHeader(['a']);
const TASK: QueryTask = { ...QUERY, repeatable: true, catalog: { ...QUERY.catalog, scans: [SCAN] } };
const DATASETS = [
  { id: 'd1', source: { kind: 'parquet' } },
  { id: 'v', source: { kind: 'view' } },
  { id: 'db', source: { kind: 'duckdb' } },
] as unknown as readonly Dataset[];

function setUp(memoryMax = 8_000_000) {
  const counts = { starts: 0, verified: 0, open: 0 };
  const cache = createResultCache(createResultStore({ memoryMax, disk: null }), 'salt');
  const open = (
    task: QueryTask = TASK,
    change: { signal?: AbortSignal; rows?: readonly number[]; stale?: boolean; directory?: string } = {},
  ): Promise<BatchSource> =>
    cache.open({
      task,
      datasets: DATASETS,
      connections: [{ kind: 'local', name: 'lake', directory: change.directory ?? '/lake' }],
      verify: async () => {
        counts.verified++;
        if (change.stale === true) fail('storage.unavailable', 'changed');
      },
      start: async () => {
        counts.starts++;
        counts.open++;
        return fakeSource(change.rows ?? [1, 2, 3], header, () => void counts.open--);
      },
      signal: change.signal ?? new AbortController().signal,
    });
  const read = async (task?: QueryTask, change?: Parameters<typeof open>[1]): Promise<number[]> => {
    const source = await open(task, change);
    try {
      return await rowCounts(source);
    } finally {
      await source[Symbol.asyncDispose]();
    }
  };
  return { cache, counts, open, read };
}

function idle(cache: ResultCache): unknown {
  const { fillingBytes, filling } = cache.stats();
  return { fillingBytes, filling };
}

test('the second reading comes from memory, after the files were looked at', async () => {
  const { cache, counts, read } = setUp();
  expect(await read()).toEqual([1, 2, 3]);
  expect(counts).toEqual({ starts: 1, verified: 0, open: 0 });
  expect(await read()).toEqual([1, 2, 3]);
  expect(counts).toEqual({ starts: 1, verified: 1, open: 0 });
  expect(cache.stats()).toMatchObject({ hits: 1, misses: 1, entries: 1 });
});

test('a connection that leads elsewhere is another result', async () => {
  const { counts, read } = setUp();
  await read();
  await read(TASK, { directory: '/other' });
  await read();
  expect(counts.starts).toBe(2);
});

test('an empty result is a result', async () => {
  const { counts, read } = setUp();
  expect([await read(TASK, { rows: [] }), await read()]).toEqual([[], []]);
  expect(counts.starts).toBe(1);
});

test('32 identical first readings compute once', async () => {
  const { cache, counts, read } = setUp();
  expect(await Promise.all(Array.from({ length: 32 }, () => read()))).toEqual(Array.from({ length: 32 }, () => [1, 2, 3]));
  expect(counts).toMatchObject({ starts: 1, open: 0 });
  expect(cache.stats()).toMatchObject({ hits: 31, misses: 1 });
  expect(idle(cache)).toEqual({ fillingBytes: 0, filling: 0 });
});

test('a file that changed is an error as in a cold read, and the result is not kept any longer', async () => {
  const { cache, read } = setUp();
  await read();
  await expect(read(TASK, { stale: true })).rejects.toMatchObject({ code: 'storage.unavailable' });
  expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0 });
});

test('a cancelled or abandoned reading keeps nothing', async () => {
  const { cache, counts, open } = setUp();
  const source = await open();
  await source.next();
  await source[Symbol.asyncDispose]();
  const cancelled = new AbortController();
  const second = await open(TASK, { signal: cancelled.signal });
  cancelled.abort(new Error('enough'));
  await expect(second.next()).rejects.toThrow('enough');
  await second[Symbol.asyncDispose]();
  expect(counts.open).toBe(0);
  expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0, filling: 0 });
});

test('a hit ends when its reader is cancelled', async () => {
  const { read, open } = setUp();
  await read();
  const cancelled = new AbortController();
  const source = await open(TASK, { signal: cancelled.signal });
  expect((await source.next())?.rows).toBe(1);
  cancelled.abort(new Error('enough'));
  await expect(source.next()).rejects.toThrow('enough');
  await expect(open(TASK, { signal: cancelled.signal })).rejects.toThrow('enough');
});

test('a result that was too large is not recorded again', async () => {
  const { cache, counts, read } = setUp(8 * 3000);
  expect(await read()).toEqual([1, 2, 3]);
  expect(await read()).toEqual([1, 2, 3]);
  expect([counts.starts, counts.open, cache.stats().entries]).toEqual([2, 0, 0]);
  expect(idle(cache)).toEqual({ fillingBytes: 0, filling: 0 });
});

test('without room it is off', async () => {
  const cache = createResultCache(null, '');
  const start = async () => fakeSource([1], header);
  for (let i = 0; i < 2; i++) {
    const source = await cache.open({
      task: TASK,
      datasets: DATASETS,
      connections: [],
      verify: async () => {},
      start,
      signal: new AbortController().signal,
    });
    expect(await rowCounts(source)).toEqual([1]);
  }
  expect(cache.stats()).toMatchObject({ hits: 0, misses: 0 });
});

describe('only what is the same again', () => {
  test.each([
    ['a repeatable task over files', TASK, true],
    ['a view over files', { ...TASK, datasets: ['d1', 'v'] }, true],
    ['one that is not repeatable', { ...TASK, repeatable: false }, false],
    ['one that does not say', QUERY, false],
    ['a table without version', { ...TASK, datasets: ['d1', 'db'] }, false],
    ['files that are not listed', { ...TASK, catalog: QUERY.catalog }, false],
    ['a dataset that is not known', { ...TASK, datasets: ['d1', 'gone'] }, false],
    ['no dataset at all', { ...TASK, datasets: [] }, false],
  ] as const)('%s', async (_name, task, expected) => {
    expect(isRepeatable(task, DATASETS)).toBe(expected);
    const { counts, read } = setUp();
    await read(task);
    await read(task);
    expect(counts.starts).toBe(expected ? 1 : 2);
  });

  const [part] = SCAN.parts;
  const files = part?.files ?? [];
  test.each([
    ['catalog', { ...TASK, catalog: { ...TASK.catalog, name: 'p_2' } }],
    ['governed view', { ...TASK, catalog: { ...TASK.catalog, statements: ['CREATE VIEW other'] } }],
    ['statement', { ...TASK, statements: ['SELECT 2'] }],
    [
      'file version',
      {
        ...TASK,
        catalog: { ...TASK.catalog, scans: [{ ...SCAN, parts: [{ files: files.map((f) => ({ ...f, version: 'v2' })), missing: [] }] }] },
      },
    ],
    ['share of rows', { ...TASK, catalog: { ...TASK.catalog, scans: [{ ...SCAN, parts: [{ files, missing: [], rows: [0, 5] }] }] } }],
    ['set of files', { ...TASK, catalog: { ...TASK.catalog, scans: [{ ...SCAN, parts: [] }] } }],
    ['wire form', { ...TASK, form: { ...TASK.form, compression: 'lz4' } }],
    ['size of batches', { ...TASK, form: { ...TASK.form, batchBytes: 1000 } }],
    ['promised schema', { ...TASK, schema: header }],
  ] satisfies readonly (readonly [string, QueryTask])[])('another %s is another result', (_name, task) => {
    expect(resultKey(task, 'salt')).not.toBe(resultKey(TASK, 'salt'));
  });

  test('another token key is another result; the same task is the same', () => {
    expect(resultKey(TASK, 'other')).not.toBe(resultKey(TASK, 'salt'));
    expect(resultKey(structuredClone(TASK), 'salt')).toBe(resultKey(TASK, 'salt'));
  });
});
