import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readTables, share } from '#src/catalog/scratch-files.js';

test('a directory that is not there is made, for its owner only', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'sluice-scratch-'));
  expect(await readTables(join(parent, 'a', 'b'))).toEqual([]);
  expect((await stat(join(parent, 'a', 'b'))).mode & 0o777).toBe(0o700);
  await rm(parent, { recursive: true });
});

test('a shared part outlives the one it came from', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-scratch-'));
  await writeFile(join(directory, 'a'), 'rows');
  await share(join(directory, 'a'), join(directory, 'b'));
  await rm(join(directory, 'a'));
  expect(await readFile(join(directory, 'b'), 'utf8')).toBe('rows');
  expect(await readdir(directory)).toEqual(['b']);
  await rm(directory, { recursive: true });
});
