import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { createStorage } from '#src/storage/index.js';

const storage = createStorage();
let path: string;

beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'sluice-storage-')), 'a.parquet');
  writeFileSync(path, 'one');
});

it('gives lengths and versions in the order asked for', async () => {
  const other = `${path}.b`;
  writeFileSync(other, 'three');
  const paths = Array.from({ length: 100 }, (_, index) => (index % 3 === 0 ? other : path));
  const files = await storage.stat(paths);
  expect(files.map((file) => file.path)).toEqual(paths);
  expect(files.map((file) => file.bytes)).toEqual(paths.map((file) => (file === other ? 5 : 3)));
  await storage.verify(files);
});

it.each<[string, (path: string) => void]>([
  ['rewritten', (file) => writeFileSync(file, 'another length')],
  ['written again with the same length', (file) => utimesSync(file, new Date(0), new Date(0))],
  [
    'replaced',
    (file) => {
      writeFileSync(`${file}.new`, 'one');
      renameSync(`${file}.new`, file);
    },
  ],
  ['removed', (file) => rmSync(file)],
])('a file that was %s is not the same', async (_, change) => {
  const files = await storage.stat([path]);
  change(path);
  await expect(storage.verify(files)).rejects.toMatchObject({ code: 'storage.unavailable', message: expect.stringContaining('again') });
});
