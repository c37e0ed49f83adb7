/** What every store of file indexes keeps, whatever it stores in. */
import { afterEach, describe, expect, test } from 'vitest';
import type { FileIndexStore } from '#src/catalog/file-index-store.js';
import type { FileIndex } from '#src/files.js';
import { SOURCE, smallIndex } from '../unit/catalog/index-fixture.ts';

export interface IndexStoresUnderTest extends AsyncDisposable {
  /** A process's own store over what all of them share. */
  open(): Promise<FileIndexStore>;
  readonly problems: readonly string[];
  /** Makes what is stored of a dataset unreadable. */
  corrupt(dataset: string): Promise<void>;
}

export function runFileIndexStoreContract(name: string, make: () => Promise<IndexStoresUnderTest>): void {
  let world: IndexStoresUnderTest | undefined;
  const start = async (): Promise<IndexStoresUnderTest> => {
    world = await make();
    return world;
  };
  afterEach(async () => {
    await world?.[Symbol.asyncDispose]();
    world = undefined;
  });

  describe(`${name} keeps the contract of a store of file indexes`, () => {
    test('gives back what was put, in every process', async () => {
      const { open } = await start();
      const [store, other] = [await open(), await open()];
      expect(await store.get('d1')).toBeNull();
      const put = await store.put(smallIndex('d1'), null);
      expect(put).toEqual({ ...smallIndex('d1'), version: put.version });
      expect(put.version).toMatch(/^[0-9a-f]{64}$/);
      await expect.poll(async () => (await other.get('d1'))?.version, { timeout: 60_000 }).toBe(put.version);
      for (const each of [store, other, await open()]) expect(plain(await each.get('d1'))).toEqual(put);
      expect(await store.get('d2')).toBeNull();
    });

    test('names of datasets are no paths', async () => {
      const store = await (await start()).open();
      const names = ['../../etc/passwd', "a'b", 'a\nb', 'a/b', '.', '\u00e9', 'e\u0301', 'x'.repeat(4000)];
      for (const id of names) await store.put(smallIndex(id), null);
      for (const id of names) expect((await store.get(id))?.dataset).toBe(id);
      expect((await store.list()).map(({ dataset }) => dataset).sort()).toEqual([...names].sort());
    });

    test('a change names the version that it replaces', async () => {
      const { open } = await start();
      const [store, other] = [await open(), await open()];
      const first = await store.put(smallIndex('d1', 1), null);
      await expect(other.put(smallIndex('d1', 2), null)).rejects.toMatchObject({ code: 'metadata.conflict' });
      await expect(other.put(smallIndex('d1', 2), '0'.repeat(64))).rejects.toMatchObject({ code: 'metadata.conflict' });
      const second = await other.put(smallIndex('d1', 2), first.version);
      await expect(store.put(smallIndex('d1', 3), first.version)).rejects.toMatchObject({ code: 'metadata.conflict' });
      await expect.poll(async () => (await store.get('d1'))?.version, { timeout: 60_000 }).toBe(second.version);
      expect((await store.list()).map(({ dataset, version, files }) => [dataset, version, files])).toEqual([['d1', second.version, 2]]);
    });

    test('of many writers at once exactly one wins, again and again', async () => {
      const { open } = await start();
      const stores = [await open(), await open(), await open()];
      let version: string | null = null;
      for (let round = 1; round <= 5; round++) {
        const files = round * stores.length;
        const expected: string | null = version;
        const tried: readonly PromiseSettledResult<FileIndex>[] = await Promise.allSettled(
          stores.map((store, i) => store.put(smallIndex('d1', files + i), expected)),
        );
        const won = tried.flatMap((result) => (result.status === 'fulfilled' ? [result.value.version] : []));
        const lost = tried.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
        expect([won.length, lost]).toEqual([1, ['metadata.conflict', 'metadata.conflict']]);
        version = won[0] ?? null;
        for (const store of stores) await expect.poll(async () => (await store.get('d1'))?.version, { timeout: 60_000 }).toBe(version);
      }
    });

    test('what can not be read counts as missing, is reported, and may be replaced', async () => {
      const { open, corrupt, problems } = await start();
      const before = await (await open()).put(smallIndex('d1'), null);
      await corrupt('d1');
      const store = await open();
      expect(await store.get('d1')).toBeNull();
      expect(problems.join()).toMatch(/file index of dataset d1 can not be read .* refresh it/);
      await expect(store.put(smallIndex('d1'), before.version)).rejects.toMatchObject({ code: 'metadata.conflict' });
      await store.put(smallIndex('d1'), null);
      expect((await store.get('d1'))?.files).toHaveLength(1);
    });

    test('an index of another place counts as none for a dataset that moved', async () => {
      const store = await (await start()).open();
      await store.put(smallIndex('d1'), null);
      expect(await store.of({ id: 'd1', source: SOURCE })).not.toBeNull();
      expect(await store.of({ id: 'd1', source: { ...SOURCE, path: '/lake/elsewhere/*.parquet' } })).toBeNull();
      expect(await store.of({ id: 'd1', source: { ...SOURCE, kind: 'csv' } })).toBeNull();
      expect(await store.of({ id: 'd1', source: { kind: 'view', sql: 'SELECT 1' } })).toBeNull();
    });
  });
}

/** A loaded index makes its parts when they are looked at. */
function plain(index: FileIndex | null): FileIndex | null {
  if (index === null) return null;
  return {
    ...index,
    files: index.files.map(({ path, bytes, version, variant, partition, rowGroups }) => ({
      path,
      bytes,
      version,
      variant,
      partition,
      rowGroups,
    })),
  };
}
