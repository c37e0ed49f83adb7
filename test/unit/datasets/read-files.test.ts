import { expect, test } from 'vitest';
import { readFiles } from '#src/datasets/read-files.js';
import type { Engine } from '#src/engine/index.js';
import { SluiceError } from '#src/errors.js';

type Reader = Pick<Engine, 'columns' | 'fileStatistics'>;
const COLUMNS = [{ name: 'id', type: 'INTEGER' }];
const paths = (count: number) => Array.from({ length: count }, (_, i) => `/f${i}`);
const options = (done: number[] = []) => ({ signal: new AbortController().signal, onRead: (count: number) => void done.push(count) });
const reader = (more: Partial<Reader>): Reader => ({
  columns: async () => COLUMNS,
  fileStatistics: async (batch) => batch.map((path) => ({ path, columns: [{ name: path, type: 'INTEGER' }], rowGroups: [] })),
  ...more,
});

test('Parquet files come in their order, however the batches end', async () => {
  let turn = 0;
  const slow = reader({
    fileStatistics: async (batch) => {
      // The first batch ends last.
      if (turn++ === 0) await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      return reader({}).fileStatistics(batch);
    },
  });
  const done: number[] = [];
  const read = await readFiles(slow, 'parquet', paths(1000), options(done));
  expect(read.map(({ columns }) => columns[0]?.name)).toEqual(paths(1000));
  expect([done.length, done.at(-1)]).toEqual([2, 1000]);
});

test('each CSV file has its own header, JSON files have one sample', async () => {
  const asked: string[] = [];
  const watched = reader({
    columns: async (relation) => {
      asked.push(relation);
      return COLUMNS;
    },
  });
  expect(await readFiles(watched, 'csv', paths(3), options())).toHaveLength(3);
  expect(asked).toHaveLength(3);
  asked.splice(0);
  expect(await readFiles(watched, 'json', paths(250), options())).toHaveLength(250);
  expect(asked).toHaveLength(1);
  expect([asked[0]?.includes('/f99'), asked[0]?.includes('/f100')]).toEqual([true, false]);
  for (const format of ['parquet', 'csv', 'json'] as const) expect(await readFiles(watched, format, [], options())).toEqual([]);
});

test('a fault of the file is told apart from one of its storage, and names no path', async () => {
  const failing = (error: unknown) =>
    reader({ columns: async () => Promise.reject(error), fileStatistics: async () => Promise.reject(error) });
  const broken = new SluiceError('server.internal', 'internal error', new Error("no magic bytes in '/lake/secret.parquet'"));
  for (const format of ['parquet', 'csv', 'json'] as const) {
    const found = await readFiles(failing(broken), format, paths(1), options()).catch((error: unknown) => error);
    expect(found).toMatchObject({ code: 'dataset.invalid', cause: broken.cause });
    expect(String(found)).not.toContain('secret');
    const gone = new SluiceError('storage.unavailable', 'gone');
    await expect(readFiles(failing(gone), format, paths(1), options())).rejects.toBe(gone);
  }
});

test('a signal ends it before the next batch', async () => {
  const abort = new AbortController();
  const counting = reader({
    fileStatistics: async (batch) => {
      abort.abort(new SluiceError('request.cancelled', 'cancelled'));
      return reader({}).fileStatistics(batch);
    },
  });
  const done: number[] = [];
  await expect(readFiles(counting, 'parquet', paths(5000), { ...options(done), signal: abort.signal })).rejects.toMatchObject({
    code: 'request.cancelled',
  });
  expect(done.length).toBeLessThanOrEqual(2);
});
