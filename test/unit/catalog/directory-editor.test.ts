import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFileStore, type FileStore } from '#src/catalog/index.js';
import { checkPolicy } from '#src/policy/index.js';
import { COLUMNS, FILES } from './fixture.ts';

let directory: string;
let store: FileStore;
const NOTE = { author: 'ann', comment: 'test' };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-editor-'));
  for (const [name, text] of Object.entries(FILES)) await writeFile(join(directory, name), text);
  store = await createFileStore({
    directory,
    variables: { data: directory },
    parsePredicate: async () => ({ kind: 'boolean', value: true }),
    supportsMask: () => true,
    resolveColumns: async () => COLUMNS,
    check: checkPolicy,
    onProblems: () => {},
  });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const catalog = () => readFile(join(directory, 'catalog.yaml'), 'utf8');
const commented = (files: ReadonlyMap<string, string>, text: string) =>
  new Map(files).set('catalog.yaml', `${files.get('catalog.yaml')}# ${text}\n`);

test('a change is in force when it is written, and nothing else is left in the directory', async () => {
  await chmod(join(directory, 'catalog.yaml'), 0o640);
  const { files, revision } = await store.editor.read();
  const { epoch, contentHash } = store.current();
  const written = await store.editor.write({ files: commented(files, 'new'), revision }, NOTE);
  expect(store.current().epoch).toBe(epoch + 1);
  expect(store.current().contentHash).toBe(written.contentHash);
  expect(written.contentHash).not.toBe(contentHash);
  expect(await catalog()).toMatch(/# new\n$/);
  expect((await stat(join(directory, 'catalog.yaml'))).mode & 0o777).toBe(0o640);
  expect((await readdir(directory)).sort()).toEqual(Object.keys(FILES).sort());
});

test('what would not load is not written', async () => {
  const { files, revision } = await store.editor.read();
  const before = await catalog();
  for (const text of ['', 'catalog: [', 'catalog: x\ndefaultSchema: main\ndatasets: {}'])
    await expect(store.editor.write({ files: new Map(files).set('catalog.yaml', text), revision }, NOTE)).rejects.toMatchObject({
      code: 'policy.invalid',
      message: expect.stringContaining('catalog.yaml'),
    });
  expect(await catalog()).toBe(before);
});

test("somebody else's change is not overwritten", async () => {
  const { files, revision } = await store.editor.read();
  const other = `${files.get('catalog.yaml')}# by hand\n`;
  await writeFile(join(directory, 'catalog.yaml'), other);
  await expect(store.editor.write({ files: commented(files, 'mine'), revision }, NOTE)).rejects.toMatchObject({
    code: 'metadata.conflict',
  });
  expect(await catalog()).toBe(other);
});

test('of many writers at once one wins', async () => {
  const { files, revision } = await store.editor.read();
  const tried = await Promise.allSettled(
    Array.from({ length: 5 }, (_, i) => store.editor.write({ files: commented(files, `writer ${i}`), revision }, NOTE)),
  );
  expect(tried.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const result of tried) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'metadata.conflict' });
  expect((await catalog()).match(/# writer/g)).toHaveLength(1);
});

test('a writer that died holds nobody up for long, one that writes now does', async () => {
  const lock = join(directory, '.writing');
  await mkdir(lock);
  const { files, revision } = await store.editor.read();
  await expect(store.editor.write({ files: commented(files, 'x'), revision }, NOTE)).rejects.toMatchObject({ code: 'metadata.conflict' });
  await utimes(lock, 1, 1);
  await store.editor.write({ files: commented(files, 'x'), revision }, NOTE);
  expect(await catalog()).toMatch(/# x\n$/);
});
