import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createScratchStore, type ScratchCommit, type ScratchStore } from '#src/catalog/index.js';
import { PATIENCE } from '../../support/patience.ts';

let directory: string;
let store: ScratchStore;
const OPTIONS = { tablesMax: 3, bytesMax: 1000, lingerMs: 60_000 };
const COLUMNS = [{ name: 'a', type: 'BIGINT' }];

const restart = async (): Promise<ScratchStore> => createScratchStore({ ...OPTIONS, directory });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-scratch-'));
  store = await restart();
});

afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

/** Commits parts of these texts. */
async function put(owner: string, name: string, texts: readonly string[], commit: Partial<ScratchCommit> = {}) {
  const draft = await store.draft(owner);
  for (const text of texts) await writeFile(draft.nextPart(), text);
  return draft.commit({ name, mode: 'create', columns: COLUMNS, lineage: [], rows: texts.length, ...commit });
}

const contentOf = async (owner: string, name: string): Promise<string[]> => {
  const table = store.find(owner, name);
  return Promise.all((table?.parts ?? []).map((part) => readFile(join(directory, table?.id ?? '', part), 'utf8')));
};

const visible = (from: ScratchStore) =>
  from.tables().map(({ owner, name, rows, version }) => `${owner}.${name} ${rows} rows, version ${version}`);

describe('a table', () => {
  test('is made, added to, replaced and dropped; each version is whole', async () => {
    await put('ada', 't', ['1', '2']);
    expect(await contentOf('ada', 't')).toEqual(['1', '2']);
    await put('ada', 't', ['3'], { mode: 'append' });
    expect(await contentOf('ada', 't')).toEqual(['1', '2', '3']);
    expect(visible(store)).toEqual(['ada.t 3 rows, version 2']);
    await put('ada', 't', ['4'], { mode: 'replace' });
    expect(await contentOf('ada', 't')).toEqual(['4']);
    expect(await store.drop('ada', 'T')).toBe(true);
    expect(await store.drop('ada', 't')).toBe(false);
    expect(visible(store)).toEqual([]);
  });

  test('belongs to its owner: others have names of their own', async () => {
    await put('ada', 't', ['1']);
    await put('eve', 't', ['2']);
    expect(await store.drop('eve', 't')).toBe(true);
    expect(visible(store)).toEqual(['ada.t 1 rows, version 1']);
    expect(store.find('eve', 't')).toBeNull();
  });

  test('keeps every lineage it ever got rows from, each once', async () => {
    const [a, b] = [
      { dataset: 'd1', decision: 'x' },
      { dataset: 'd1', decision: 'y' },
    ];
    await put('ada', 't', ['1'], { lineage: [a] });
    const table = await put('ada', 't', ['2'], { mode: 'append', lineage: [a, b] });
    expect(table.lineage).toEqual([a, b]);
    expect((await put('ada', 't', ['2'], { mode: 'replace', lineage: [b] })).lineage).toEqual([b]);
  });

  test('whose old version is being read stays readable for a while', async () => {
    const old = await put('ada', 't', ['1']);
    await put('ada', 't', ['2'], { mode: 'replace' });
    expect(await readFile(join(directory, old.id, old.parts[0] ?? ''), 'utf8')).toBe('1');
    await store[Symbol.asyncDispose]();
    expect(existsSync(join(directory, old.id))).toBe(false);
  });

  test('replaced over and over does not fill the disk with old versions', async () => {
    for (let i = 0; i < 10; i++) await put('ada', 't', ['x'.repeat(400)], { mode: 'replace' });
    await vi.waitFor(async () => expect((await readdir(directory)).length).toBeLessThanOrEqual(3), PATIENCE);
  });

  test.each([
    ['that is there already', 'create', {}, 'dataset.exists'],
    ['with other columns', 'append', { columns: [{ name: 'b', type: 'BIGINT' }] }, 'dataset.changed'],
    ['with other types', 'append', { columns: [{ name: 'a', type: 'INTEGER' }] }, 'dataset.changed'],
  ] as const)('%s is refused', async (_, mode, commit, code) => {
    await put('ada', 't', ['1']);
    await expect(put('ada', 'T', ['2'], { mode, ...commit })).rejects.toMatchObject({ code });
    expect(await contentOf('ada', 't')).toEqual(['1']);
    expect(await readdir(directory)).toHaveLength(1);
  });

  test('that is not there can not be added to', async () => {
    await expect(put('ada', 't', ['1'], { mode: 'append' })).rejects.toMatchObject({ code: 'dataset.unknown' });
  });

  test('that changed since it was looked at is refused', async () => {
    const base = await put('ada', 't', ['1']);
    await put('ada', 't', ['2'], { mode: 'append' });
    await expect(put('ada', 't', ['3'], { mode: 'replace', base })).rejects.toMatchObject({ code: 'dataset.changed' });
  });

  test.each([
    '',
    ' ',
    ' t',
    '../x',
    '..',
    'a.b',
    'x\0y',
    'a\nb',
    '"x"',
    "a'b",
    '*',
    'a:b',
    'x'.repeat(129),
    'a\u202eb',
    'e\u0301',
    '\ud800',
  ])('called %j is refused', async (name) => {
    await expect(put('ada', name, ['1'])).rejects.toMatchObject({ code: 'request.malformed' });
    expect(await readdir(directory)).toEqual([]);
  });

  test.each(['ü', '表', 'a b', 'CON', 'meta.json'.replace('.', '_'), '-', '/etc/passwd'])(
    'called %j is stored under an id of its own',
    async (name) => {
      const table = await put('ada', name, ['1']);
      expect(await readdir(directory)).toEqual([table.id]);
      expect((await restart()).find('ada', name)?.rows).toBe(1);
    },
  );
});

describe('room', () => {
  test('is limited in tables, for each owner', async () => {
    for (const name of ['a', 'b', 'c']) await put('ada', name, ['1']);
    await expect(put('ada', 'd', ['1'])).rejects.toMatchObject({ code: 'limit.scratch' });
    await put('ada', 'c', ['2'], { mode: 'replace' });
    await put('eve', 'd', ['1']);
  });

  test('is limited in bytes, for each owner; replacing counts the new size only', async () => {
    await put('ada', 'a', ['x'.repeat(900)]);
    await expect(put('ada', 'b', ['x'.repeat(101)])).rejects.toMatchObject({ code: 'limit.scratch' });
    await expect(put('ada', 'a', ['x'.repeat(101)], { mode: 'append' })).rejects.toMatchObject({ code: 'limit.scratch' });
    await put('ada', 'a', ['x'.repeat(950)], { mode: 'replace' });
    await put('eve', 'a', ['x'.repeat(900)]);
  });

  test('that is left counts what is being written', async () => {
    await put('ada', 'a', ['x'.repeat(300)]);
    const draft = await store.draft('ada');
    await writeFile(draft.nextPart(), 'x'.repeat(700));
    await draft.checkRoom();
    await writeFile(draft.nextPart(), 'x');
    await expect(draft.checkRoom()).rejects.toMatchObject({ code: 'limit.scratch' });
    await draft.discard();
    expect(await readdir(directory)).toHaveLength(1);
  });
});

describe('a restart', () => {
  test('finds the tables as they were', async () => {
    await put('ada', 't', ['1']);
    await put('ada', 't', ['2'], { mode: 'append', lineage: [{ dataset: 'd', decision: 'h' }] });
    expect((await restart()).tables()).toEqual(store.tables());
  });

  test('removes what was being written', async () => {
    const draft = await store.draft('ada');
    await writeFile(draft.nextPart(), 'x');
    expect((await restart()).tables()).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });

  test('between a new version and the end of the old one keeps the new one', async () => {
    const old = await put('ada', 't', ['1']);
    const meta = await readFile(join(directory, old.id, 'meta.json'), 'utf8');
    await put('ada', 't', ['2'], { mode: 'replace' });
    await writeFile(join(directory, old.id, 'meta.json'), meta);
    store = await restart();
    expect(visible(store)).toEqual(['ada.t 1 rows, version 2']);
    expect(await contentOf('ada', 't')).toEqual(['2']);
    expect(await readdir(directory)).toHaveLength(1);
  });

  test.each([
    ['a part is missing', async (path: string) => rm(join(path, 'part-000000000.parquet'))],
    ['its description is cut short', async (path: string) => writeFile(join(path, 'meta.json'), '{"id":')],
    ['its description is of another table', async (path: string) => writeFile(join(path, 'meta.json'), '{"id":"x","parts":[]}')],
    [
      'its description leads elsewhere',
      async (path: string) => {
        const text = await readFile(join(path, 'meta.json'), 'utf8');
        await writeFile(join(path, 'meta.json'), text.replace('part-000000000.parquet', '../../x.parquet'));
      },
    ],
  ])('removes a table when %s', async (_, damage) => {
    const table = await put('ada', 't', ['1']);
    await damage(join(directory, table.id));
    expect((await restart()).tables()).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });

  test('leaves alone what is not its own', async () => {
    await writeFile(join(directory, 'notes.txt'), 'x');
    await restart();
    expect(await readdir(directory)).toEqual(['notes.txt']);
  });
});

test('changes at the same time are all kept, and each is told', async () => {
  let told = 0;
  const stop = store.watch(() => told++);
  await put('ada', 't', ['0']);
  await Promise.all(Array.from({ length: 20 }, (_, i) => put('ada', 't', [`${i}`], { mode: 'append' })));
  expect(store.find('ada', 't')?.rows).toBe(21);
  expect(told).toBe(21);
  stop();
  await store.drop('ada', 't');
  expect(told).toBe(21);
});
