import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createFileIndexStore, type FileIndexStore } from '#src/catalog/file-index-store.js';
import { createIndexFiles } from '#src/catalog/index-files.js';
import { runFileIndexStoreContract } from '../../contracts/file-index-store.ts';
import { smallIndex } from './index-fixture.ts';

const directories: string[] = [];
afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true });
});

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-indexes-'));
  directories.push(directory);
  return join(directory, 'indexes');
}

const open = (directory: string, problems: string[] = []): FileIndexStore =>
  createFileIndexStore({ backend: createIndexFiles(directory), onProblems: (found) => problems.push(...found) });

runFileIndexStoreContract('a directory', async () => {
  const directory = await newDirectory();
  const problems: string[] = [];
  return {
    problems,
    open: async () => open(directory, problems),
    corrupt: async () => {
      for (const folder of await readdir(directory)) await writeFile(join(directory, folder, '1.json.gz'), 'no gzip');
    },
    [Symbol.asyncDispose]: async () => {},
  };
});

test('keeps the newest file only, readable by its owner', async () => {
  const directory = await newDirectory();
  const store = open(directory);
  let version: string | null = null;
  for (let files = 1; files < 5; files++) version = (await store.put(smallIndex('d', files), version)).version;
  const [folder = ''] = await readdir(directory);
  expect((await readdir(join(directory, folder))).sort()).toEqual(['4.json.gz', 'summary.json']);
  expect((await stat(join(directory, folder, '4.json.gz'))).mode & 0o077).toBe(0);
});

test('what a writer left that died is swept by a later one, what one is writing now is not', async () => {
  const directory = await newDirectory();
  const store = open(directory);
  const { version } = await store.put(smallIndex('d', 1), null);
  const [folder = ''] = await readdir(directory);
  for (const name of ['old.tmp', 'new.tmp']) await writeFile(join(directory, folder, name), 'x');
  await utimes(join(directory, folder, 'old.tmp'), 1, 1);
  await store.put(smallIndex('d', 2), version);
  expect((await readdir(join(directory, folder))).sort()).toEqual(['2.json.gz', 'new.tmp', 'summary.json']);
});

test('a directory that is not there holds nothing', async () => {
  const store = open(await newDirectory());
  expect(await store.list()).toEqual([]);
  expect(await store.get('d')).toBeNull();
});
