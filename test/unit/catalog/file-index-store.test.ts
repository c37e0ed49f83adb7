import { expect, test } from 'vitest';
import { encodeIndex } from '#src/catalog/file-index-codec.js';
import { createFileIndexStore, type IndexBackend, sourceHash } from '#src/catalog/file-index-store.js';
import { SOURCE, smallIndex } from './index-fixture.ts';

/** In memory, counting what is read. */
function fakeBackend(): IndexBackend & { readonly reads: string[]; readonly stored: Map<string, { stamp: string; content: Uint8Array }> } {
  const stored = new Map<string, { stamp: string; content: Uint8Array }>();
  const reads: string[] = [];
  return {
    stored,
    reads,
    stamp: async (dataset) => stored.get(dataset)?.stamp ?? null,
    read: async (dataset, stamp) => {
      reads.push(dataset);
      const found = stored.get(dataset);
      return found?.stamp === stamp ? found.content : null;
    },
    write: async ({ dataset }, content, expected) => {
      if ((stored.get(dataset)?.stamp ?? null) !== expected) return false;
      stored.set(dataset, { stamp: `${Number(expected ?? 0) + 1}`, content });
      return true;
    },
    list: async () => [],
  };
}

const store = (backend: IndexBackend, memoryBytes?: number, problems: string[] = []) =>
  createFileIndexStore({ backend, onProblems: (found) => problems.push(...found), ...(memoryBytes === undefined ? {} : { memoryBytes }) });

test('is read once by many readers at once, and again when it changed', async () => {
  const backend = fakeBackend();
  const first = await store(backend).put(smallIndex('d'), null);
  const indexes = store(backend);
  await Promise.all(Array.from({ length: 20 }, () => indexes.get('d')));
  expect(backend.reads).toEqual(['d']);
  expect(await indexes.get('d')).toBe(await indexes.get('d'));
  await store(backend).put(smallIndex('d', 2), first.version);
  expect((await indexes.get('d'))?.files).toHaveLength(2);
});

test('the latest used ones stay in memory, up to a size', async () => {
  const backend = fakeBackend();
  for (const id of ['a', 'b', 'c']) await store(backend).put(smallIndex(id, 100), null);
  backend.reads.splice(0);
  const size = 2.5 * (await sizeOfOne());
  const indexes = store(backend, size);
  for (const id of ['a', 'b', 'a', 'c', 'a']) await indexes.get(id);
  expect(backend.reads).toEqual(['a', 'b', 'c']);
  await indexes.get('b');
  expect(backend.reads).toEqual(['a', 'b', 'c', 'b']);
  const small = store(backend, 1);
  backend.reads.splice(0);
  for (const id of ['a', 'a', 'b', 'a']) await small.get(id);
  expect(backend.reads).toEqual(['a', 'b', 'a']);
});

async function sizeOfOne(): Promise<number> {
  const { decodeIndex } = await import('#src/catalog/file-index-codec.js');
  return (await decodeIndex((await encodeIndex(smallIndex('a', 100))).content)).bytes;
}

test('a failed read is tried again, and one overtaken by a writer finds the new one', async () => {
  const backend = fakeBackend();
  await store(backend).put(smallIndex('d'), null);
  let failures = 1;
  const failing = {
    ...backend,
    read: (...args: Parameters<IndexBackend['read']>) => (failures-- > 0 ? Promise.reject(new Error('down')) : backend.read(...args)),
  };
  const indexes = store(failing);
  await expect(indexes.get('d')).rejects.toThrow('down');
  expect(await indexes.get('d')).not.toBeNull();

  let overtaken = 0;
  const moving = { ...backend, stamp: async (dataset: string) => (overtaken++ < 2 ? '0' : backend.stamp(dataset, true)) };
  expect(await store(moving).get('d')).not.toBeNull();
  const never = { ...backend, stamp: async () => '0' };
  await expect(store(never).get('d')).rejects.toMatchObject({ code: 'metadata.unavailable' });
});

test("another dataset's content is no index of this one", async () => {
  const backend = fakeBackend();
  const problems: string[] = [];
  backend.stored.set('d', { stamp: '1', content: (await encodeIndex(smallIndex('other'))).content });
  expect(await store(backend, undefined, problems).get('d')).toBeNull();
  expect(problems.join()).toMatch(/belongs to another dataset/);
});

test('a place is its format, connection, path and partitioning', () => {
  const all = [
    SOURCE,
    { ...SOURCE, kind: 'json' as const },
    { ...SOURCE, connection: 'b' },
    { ...SOURCE, path: '/x' },
    { ...SOURCE, hivePartitioning: false },
  ];
  expect(new Set(all.map(sourceHash)).size).toBe(all.length);
});
