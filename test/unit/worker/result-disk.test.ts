import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openResultDisk } from '#src/worker/result-disk.js';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'results-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const SECRET = 'a value of somebody';
const RESULT = {
  schemaHeader: new Uint8Array([1]),
  batches: [
    { header: new Uint8Array([2]), body: Buffer.from(SECRET.repeat(1000)), rows: 3 },
    { header: new Uint8Array([4]), body: new Uint8Array(), rows: 0 },
    { header: new Uint8Array([5]), body: new Uint8Array(100_000).fill(5), rows: 6 },
  ],
};

test('what was written is read again, byte for byte', async () => {
  await using disk = await openResultDisk(parent);
  const stored = await disk.write('k', RESULT);
  const { schemaHeader, batches } = await disk.read('k', stored);
  expect(schemaHeader).toEqual(RESULT.schemaHeader);
  expect(batches.map(({ header, body, rows }) => [header, Buffer.from(body), rows])).toEqual(
    RESULT.batches.map(({ header, body, rows }) => [header, Buffer.from(body), rows]),
  );
});

test('a file is its owner’s alone, tells nothing, and goes with the process', async () => {
  const disk = await openResultDisk(parent);
  const { path } = await disk.write('k', RESULT);
  expect([statSync(path).mode & 0o777, statSync(disk.directory).mode & 0o777]).toEqual([0o600, 0o700]);
  expect(readFileSync(path).includes(SECRET)).toBe(false);
  await disk[Symbol.asyncDispose]();
  expect(existsSync(disk.directory)).toBe(false);
});

test.each([
  ['a changed bit', (path: string) => writeFileSync(path, readFileSync(path).fill(1, 10, 11))],
  ['a shorter file', (path: string) => truncateSync(path, 50_000)],
  ['another key', () => {}],
  ['a missing file', (path: string) => rmSync(path)],
])('%s is an error and never an answer', async (name, change) => {
  await using disk = await openResultDisk(parent);
  const stored = await disk.write('k', RESULT);
  change(stored.path);
  await expect(disk.read(name === 'another key' ? 'other' : 'k', stored)).rejects.toThrow();
});

test('a removed file is gone', async () => {
  await using disk = await openResultDisk(parent);
  const stored = await disk.write('k', RESULT);
  disk.remove(stored);
  await expect.poll(() => existsSync(stored.path), { timeout: 60_000 }).toBe(false);
});

test('another process can not read it: the key is new each time', async () => {
  await using disk = await openResultDisk(parent);
  await using other = await openResultDisk(parent);
  const stored = await disk.write('k', RESULT);
  await expect(other.read('k', stored)).rejects.toThrow();
});
