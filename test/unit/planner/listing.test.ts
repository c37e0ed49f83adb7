import { expect, test } from 'vitest';
import type { Connection, StoredFile } from '#src/files.js';
import type { Dataset } from '#src/model.js';
import { createListing, type ListFiles } from '#src/planner/index.js';

const LOCAL: Connection = { kind: 'local', name: 'lake', directory: '/lake' };
const S3: Connection = {
  kind: 's3',
  name: 'far',
  bucket: 'b',
  prefix: '',
  region: null,
  endpoint: null,
  pathStyle: false,
  credentials: { kind: 'default' },
};

const dataset = (connection: string, path = '/lake/t'): Dataset => ({
  id: 'd',
  schema: 'demo',
  name: 't',
  tags: [],
  columns: [],
  source: { kind: 'parquet', connection, path, hivePartitioning: false },
});

const filesOf = (count: number): readonly StoredFile[] =>
  Array.from({ length: count }, (_, i) => ({ path: `/lake/t/${i}`, bytes: 1, version: '1' }));

function world(count: number): {
  readonly list: ListFiles;
  readonly asked: string[];
  nowMs: number;
  count: number;
  waiting: (() => void)[] | null;
} {
  const state = { asked: [] as string[], nowMs: 0, count, waiting: null as (() => void)[] | null };
  const list = createListing({
    now: () => state.nowMs,
    list: async (_, pattern) => {
      state.asked.push(pattern);
      const files = filesOf(state.count);
      if (state.waiting !== null) await new Promise<void>((resolve) => state.waiting?.push(resolve));
      return files;
    },
  });
  return Object.assign(state, { list });
}

test('a short local list is made for each plan, a directory by its Parquet files', async () => {
  const state = world(2);
  await state.list([LOCAL], dataset('lake'));
  state.count = 3;
  expect(await state.list([LOCAL], dataset('lake'))).toHaveLength(3);
  expect(state.asked).toEqual(['/lake/t/**/*.parquet', '/lake/t/**/*.parquet']);
});

test.each([
  ['a long local list', 'lake', 100, 1000],
  ['a list of objects', 'far', 1, 2000],
])('%s is kept for moments', async (_, connection, count, keptMs) => {
  const state = world(count);
  const list = (): Promise<readonly StoredFile[]> => state.list([LOCAL, S3], dataset(connection));
  const first = await list();
  state.nowMs = keptMs - 1;
  state.count++;
  expect(await list()).toBe(first);
  state.nowMs = keptMs;
  expect(await list()).toHaveLength(count + 1);
  expect(state.asked).toHaveLength(2);
});

test('who asks while a list is made gets the next one, which all who wait share', async () => {
  const state = world(1);
  state.waiting = [];
  const first = state.list([LOCAL], dataset('lake'));
  const later = [state.list([LOCAL], dataset('lake')), state.list([LOCAL], dataset('lake'))];
  state.count = 2;
  state.waiting.splice(0)[0]?.();
  expect(await first).toHaveLength(1);
  await expect.poll(() => state.waiting?.length, { timeout: 60_000 }).toBe(1);
  state.waiting.splice(0)[0]?.();
  const [a, b] = await Promise.all(later);
  expect(a).toHaveLength(2);
  expect(b).toBe(a);
  expect(state.asked).toHaveLength(2);
});

test('a failure is told to those who waited for it, and the next one lists again', async () => {
  let fails = true;
  const list = createListing({
    list: async () => {
      if (fails) throw new Error('gone');
      return filesOf(1);
    },
  });
  const [a, b] = await Promise.allSettled([list([LOCAL], dataset('lake')), list([LOCAL], dataset('lake'))]);
  expect([a.status, b.status]).toEqual(['rejected', 'rejected']);
  fails = false;
  expect(await list([LOCAL], dataset('lake'))).toHaveLength(1);
});

test('no files, too many, or no connection are refused in words', async () => {
  await expect(world(0).list([LOCAL], dataset('lake'))).rejects.toMatchObject({ code: 'storage.unavailable' });
  await expect(world(100_001).list([LOCAL], dataset('lake'))).rejects.toMatchObject({ code: 'sql.limit' });
  await expect(world(1).list([LOCAL], dataset('other'))).rejects.toMatchObject({ code: 'storage.unavailable' });
});
