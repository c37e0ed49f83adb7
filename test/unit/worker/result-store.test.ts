import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openResultDisk, type ResultDisk } from '#src/worker/result-disk.js';
import { batchBytes, createResultStore, type KeptResult, type ResultStore, resultBytes } from '#src/worker/result-store.js';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'results-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

function result(fill: number, bytes = 10_000): KeptResult {
  return {
    schemaHeader: new Uint8Array([9]),
    batches: [{ header: new Uint8Array([fill]), body: new Uint8Array(bytes).fill(fill), rows: 7 }],
  };
}

function sizeOf({ schemaHeader, batches }: KeptResult): number {
  return batches.reduce((bytes, batch) => bytes + batchBytes(batch), resultBytes(schemaHeader));
}

function keep(store: ResultStore, key: string, kept: KeptResult, costMs = 10): boolean {
  const bytes = sizeOf(kept);
  if (!store.reserve(bytes)) return false;
  store.put(key, kept, bytes, costMs);
  return true;
}

async function look(store: ResultStore, key: string): Promise<number | null> {
  const held = await store.find(key);
  held?.release();
  held?.release();
  return held?.result.batches[0]?.body[0] ?? null;
}

const ENTRY = sizeOf(result(1));

test('keeps within its bound; what saves least time per byte goes first', async () => {
  await using store = createResultStore({ memoryMax: 3 * ENTRY, disk: null });
  expect(keep(store, 'dear', result(1), 1000)).toBe(true);
  expect(keep(store, 'used', result(2), 10)).toBe(true);
  expect(keep(store, 'cheap', result(3), 1)).toBe(true);
  for (let i = 0; i < 5; i++) expect(await look(store, 'used')).toBe(2);
  expect(keep(store, 'next', result(4), 10)).toBe(true);
  expect(await Promise.all(['dear', 'used', 'cheap', 'next'].map((key) => look(store, key)))).toEqual([1, 2, null, 4]);
  expect(store.stats()).toMatchObject({ entries: 3, bytes: 3 * ENTRY, fillingBytes: 0, evictions: 1, diskEntries: 0 });
});

test('what nobody asks for ages, however dear it was', async () => {
  await using store = createResultStore({ memoryMax: 2 * ENTRY, disk: null });
  keep(store, 'dear', result(1), 50);
  for (let i = 0; i < 20; i++) keep(store, `k${i}`, result(2), 10);
  expect(await look(store, 'dear')).toBeNull();
});

test('what is being read is not evicted, and counts until its last reader has left', async () => {
  await using store = createResultStore({ memoryMax: 2 * ENTRY, disk: null });
  keep(store, 'a', result(1));
  keep(store, 'b', result(2));
  const [a, b] = [await store.find('a'), await store.find('b')];
  expect(keep(store, 'c', result(3))).toBe(false);
  store.delete('a');
  expect(await look(store, 'a')).toBeNull();
  expect(store.stats()).toMatchObject({ entries: 1, bytes: 2 * ENTRY });
  expect(a?.result.batches[0]?.body[0]).toBe(1);
  a?.release();
  expect(store.stats().bytes).toBe(ENTRY);
  expect(keep(store, 'c', result(3))).toBe(true);
  b?.release();
});

test('fills under way count, and give back what they reserved', async () => {
  await using store = createResultStore({ memoryMax: 2 * ENTRY, disk: null });
  expect(store.entryMax).toBe(Math.floor((2 * ENTRY) / 8));
  keep(store, 'a', result(1));
  expect(store.reserve(2 * ENTRY)).toBe(true);
  expect(store.stats()).toMatchObject({ entries: 0, bytes: 2 * ENTRY, fillingBytes: 2 * ENTRY });
  expect(store.reserve(1)).toBe(false);
  store.unreserve(2 * ENTRY);
  expect(store.stats()).toMatchObject({ bytes: 0, fillingBytes: 0 });
});

test('the same key twice keeps the later one', async () => {
  await using store = createResultStore({ memoryMax: 4 * ENTRY, disk: null });
  keep(store, 'a', result(1));
  keep(store, 'a', result(2));
  expect([await look(store, 'a'), store.stats().bytes]).toEqual([2, ENTRY]);
});

async function written(store: ResultStore, entries: number): Promise<void> {
  await expect.poll(() => store.stats().diskEntries, { timeout: 60_000 }).toBe(entries);
}

test('what was asked for again goes to disk, and comes back from there after it left memory', async () => {
  const files = await openResultDisk(parent);
  const store = createResultStore({ memoryMax: 2 * ENTRY, disk: { files, bytesMax: 100 * ENTRY } });
  keep(store, 'again', result(1), 1);
  keep(store, 'once', result(2), 1);
  await look(store, 'again');
  await written(store, 1);
  for (const key of ['x', 'y', 'z']) keep(store, key, result(3), 1000);
  expect(store.stats()).toMatchObject({ diskEntries: 1, diskBytes: ENTRY, bytes: 2 * ENTRY });
  expect(await look(store, 'once')).toBeNull();
  expect(await Promise.all([look(store, 'again'), look(store, 'again')])).toEqual([1, 1]);
  expect(store.stats().bytes).toBe(2 * ENTRY);
  await store[Symbol.asyncDispose]();
  expect(store.stats()).toMatchObject({ entries: 0, bytes: 0, diskBytes: 0 });
});

test('the disk has its bound too, and one result a share of it', async () => {
  const files = await openResultDisk(parent);
  await using store = createResultStore({ memoryMax: 100 * ENTRY, disk: { files, bytesMax: 8 * ENTRY } });
  for (let i = 0; i < 10; i++) {
    keep(store, `k${i}`, result(i), 10 + i);
    await look(store, `k${i}`);
  }
  await written(store, 8);
  expect(store.stats().diskBytes).toBe(8 * ENTRY);
  const large = result(1, 20_000);
  keep(store, 'large', large);
  await look(store, 'large');
  keep(store, 'last', result(3), 1000);
  await look(store, 'last');
  await written(store, 8);
  expect(store.stats().entries).toBe(12);
});

test('a disk that fails is a miss and leaves nothing behind', async () => {
  const real = await openResultDisk(parent);
  const state = { writes: true };
  const files: ResultDisk = {
    ...real,
    write: async (...call) => (state.writes ? real.write(...call) : Promise.reject(new Error('ENOSPC'))),
    read: () => Promise.reject(new Error('EIO')),
    [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
  };
  await using store = createResultStore({ memoryMax: ENTRY, disk: { files, bytesMax: 100 * ENTRY } });
  keep(store, 'a', result(1));
  await look(store, 'a');
  await written(store, 1);
  state.writes = false;
  keep(store, 'b', result(2));
  await look(store, 'b');
  // As long as the other is being written there is no room to load this one.
  await expect.poll(async () => [await look(store, 'a'), store.stats().diskEntries], { timeout: 60_000 }).toEqual([null, 0]);
  expect(store.stats().diskBytes).toBe(0);
});
