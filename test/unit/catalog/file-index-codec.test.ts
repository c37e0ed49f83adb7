import { promisify } from 'node:util';
import { gunzipSync, gzip, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decodeIndex, encodeIndex } from '#src/catalog/file-index-codec.js';
import type { IndexedFile } from '#src/files.js';
import { largeIndex, smallIndex } from './index-fixture.ts';

function plain(file: IndexedFile): IndexedFile {
  const { path, bytes, version, variant, partition, rowGroups } = file;
  return { path, bytes, version, variant, partition, rowGroups };
}

test.each([0, 1, 2, 5, 13])('%i files come back as they were', async (files) => {
  const given = smallIndex('d', files);
  const { content, version } = await encodeIndex(given);
  const { index } = await decodeIndex(content);
  expect({ ...index, files: index.files.map(plain) }).toEqual({ ...given, version });
});

test('the version is one of the content, not of the time', async () => {
  const first = await encodeIndex(smallIndex('d', 3));
  expect((await encodeIndex({ ...smallIndex('d', 3), indexedAtMs: 5 })).version).toBe(first.version);
  const [file] = smallIndex('d', 1).files;
  const others = [smallIndex('e', 3), smallIndex('d', 4), { ...smallIndex('d', 3), source: 'x' }];
  if (file !== undefined) others.push({ ...smallIndex('d', 1), files: [{ ...file, version: 'changed' }] });
  for (const other of others) expect((await encodeIndex(other)).version).not.toBe(first.version);
});

describe('what is no index', () => {
  const edit = async (change: (stored: Record<string, unknown> & { files: Record<string, unknown> }) => void): Promise<Uint8Array> => {
    const { content } = await encodeIndex(smallIndex('d', 5));
    const stored = JSON.parse(gunzipSync(content).toString());
    change(stored);
    return promisify(gzip)(JSON.stringify(stored));
  };
  test.each<[string, () => Promise<Uint8Array>]>([
    ['bytes', async () => new Uint8Array([1, 2, 3])],
    ['half of one', async () => (await encodeIndex(smallIndex('d', 5))).content.subarray(0, 50)],
    ['other JSON', async () => gzipSync('[]')],
    ['text', async () => gzipSync('hello')],
    ['a later format', () => edit((stored) => (stored['format'] = 2))],
    ['a file short', () => edit((stored) => (stored.files['bytes'] as unknown[]).pop())],
    ['a row group more than there are', () => edit((stored) => ((stored.files['groups'] as number[])[1] = 40))],
    ['a variant that is not there', () => edit((stored) => ((stored.files['variant'] as number[])[1] = 7))],
    ['a partition column too many', () => edit((stored) => (stored['partitionColumns'] as unknown[]).push('x'))],
    ['a range column too many', () => edit((stored) => (stored['rangeColumns'] as unknown[]).push('x'))],
  ])('is refused: %s', async (_, content) => {
    await expect(decodeIndex(await content())).rejects.toThrow();
  });
});

test('100,000 files with ten ranges each take tens of megabytes', async () => {
  const { content } = await encodeIndex(largeIndex(100_000, 10));
  const { bytes, index } = await decodeIndex(content);
  expect(bytes).toBeLessThan(80 * 1024 ** 2);
  expect(content.length).toBeLessThan(30 * 1024 ** 2);
  const last = index.files.at(-1);
  expect(last?.rowGroups?.[0]?.ranges[9]).toEqual({ min: '99999009', max: '99999999', hasNull: false });
  expect(last?.path).toMatch(/part-00099999-/);
});
