import { open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { nextSnapshot, runMetadataStoreContract } from '../../contracts/metadata-store.ts';
import { COLUMNS, type Directory, FILES, makeDirectory, openStore } from './fixture.ts';

const POLICY = FILES['policy.csv'] ?? '';
const RULES = FILES['rules.yaml'] ?? '';

runMetadataStoreContract('the policy directory', async () => {
  const directory = await makeDirectory();
  const problems: string[] = [];
  const store = await openStore(directory, problems);
  let grants = 1;
  return {
    store,
    problems,
    change: async () => {
      grants++;
      const more = Array.from({ length: grants - 1 }, (_, i) => `p, reader, demo.people, unmask, allow, u${i}\n`);
      await directory.write('policy.csv', POLICY + more.join(''));
    },
    breakIt: () => directory.write('rules.yaml', 'rowFilters: [\n'),
    repair: () => directory.write('rules.yaml', RULES),
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
});

describe('hot reload', () => {
  const closing: AsyncDisposable[] = [];
  afterEach(async () => {
    for (const part of closing.splice(0).reverse()) await part[Symbol.asyncDispose]();
  });

  async function start(
    more: Parameters<typeof openStore>[2] = {},
  ): Promise<{ directory: Directory; problems: string[]; store: Awaited<ReturnType<typeof openStore>> }> {
    const directory = await makeDirectory();
    const problems: string[] = [];
    const store = await openStore(directory, problems, more);
    closing.push(directory, store);
    return { directory, problems, store };
  }

  test('a broken edit is reported with file and line, all faults at once', async () => {
    const { directory, problems, store } = await start({ settleMs: 1000 });
    const before = store.current();
    await directory.write('policy.csv', `${POLICY}p, reader, demo.gone, select, allow, g2\np, reader\n`);
    await directory.write('rules.yaml', `${RULES}  - { id: m1, tags: [gone], mask: blur }\nmore: 1\n`);
    await expect.poll(() => problems.length).toBe(4);
    expect([...problems].sort()).toEqual([
      'policy.csv:4: write p, role, object, action, effect, id, or the same and a cluster',
      expect.stringMatching(/^rules\.yaml:4: rule m1 is there twice, first in line 3$/),
      expect.stringMatching(/^rules\.yaml:4: unknown mask blur; known are /),
      'rules.yaml:5: unknown key more; known are rowFilters, masks',
    ]);
    expect(store.current()).toBe(before);
  });

  test('an edit in several steps is never taken half-way', async () => {
    const { directory, store } = await start({ settleMs: 1000 });
    const seen: number[] = [];
    store.watch((snapshot) => seen.push(snapshot.grants.length));
    const file = await open(join(directory.path, 'policy.csv'), 'w');
    for (const line of [
      ...POLICY.trim().split('\n'),
      'p, reader, demo.people.id, select, deny, d1',
      'p, reader, demo.people, unmask, allow, u1',
    ]) {
      await file.write(`${line}\n`);
      await sleep(30);
    }
    await file.close();
    await expect.poll(() => seen.length).toBe(1);
    expect(seen).toEqual([3]);
  });

  test('a file replaced by rename counts, an untouched or equal one does not', async () => {
    const { directory, store } = await start();
    const before = store.current();
    await directory.write('policy.csv', POLICY);
    await sleep(600);
    expect(store.current()).toBe(before);
    const changed = nextSnapshot(store);
    await writeFile(join(directory.path, 'new.tmp'), `${POLICY}p, reader, demo.people, unmask, allow, u1\n`);
    await rename(join(directory.path, 'new.tmp'), join(directory.path, 'policy.csv'));
    expect((await changed).grants).toHaveLength(2);
  });

  test('a file that goes away, or is empty for a moment, leaves the last good set in force', async () => {
    const { directory, problems, store } = await start();
    const before = store.current();
    await rm(join(directory.path, 'rules.yaml'));
    await expect.poll(() => problems).toEqual(['rules.yaml: the file is missing']);
    await directory.write('rules.yaml', '');
    await expect.poll(() => problems.at(-1)).toBe('rules.yaml: the file is empty');
    await directory.write('rules.yaml', 'rowFilters: []\n');
    await expect.poll(() => problems.at(-1)).toBe('rules.yaml:1: rules.yaml needs masks');
    expect(store.current()).toBe(before);
  });

  test('sources are asked again only when they changed, or on reload', async () => {
    const resolve = vi.fn(async () => COLUMNS);
    const { directory, store } = await start({ resolveColumns: resolve });
    const changed = nextSnapshot(store);
    await directory.write('policy.csv', `${POLICY}p, reader, demo.people, unmask, allow, u1\n`);
    await changed;
    expect(resolve).toHaveBeenCalledTimes(1);
    resolve.mockResolvedValueOnce(new Map([...COLUMNS, ['demo.both', [{ name: 'two', type: 'INTEGER' }]]]));
    await store.reload();
    expect(resolve).toHaveBeenCalledTimes(2);
    expect(store.current().datasets[2]?.columns).toEqual([{ name: 'two', type: 'INTEGER', tags: [] }]);
    expect(store.current().epoch).toBe(3);
  });

  test('a broken dataset is in force as broken, and comes back with its source', async () => {
    const { directory, problems, store } = await start();
    await directory.write('rules.yaml', `${RULES}  - { id: m2, datasets: [demo.people], columns: [gone], mask: hash }\n`);
    await expect.poll(() => store.current().epoch).toBe(2);
    expect(problems).toEqual([
      'rules.yaml:4: mask m2: demo.people has no column that this mask could cover',
      'rules.yaml:4: mask m2: demo.people has no column gone',
    ]);
    expect(store.current().problems).toEqual(problems);
    expect(store.current().datasets.map((dataset) => dataset.broken === undefined)).toEqual([false, true, true]);
    await directory.write('rules.yaml', RULES);
    await expect.poll(() => store.current().epoch).toBe(3);
    expect(store.current().datasets.every((dataset) => dataset.broken === undefined)).toBe(true);
  });

  test('a failing source is reported and asked again at the next edit', async () => {
    let fail = true;
    const { directory, problems, store } = await start({
      resolveColumns: async () => (fail ? new Map([...COLUMNS, ['demo.people', 'the file is not there']]) : COLUMNS),
    });
    expect(problems).toEqual(['catalog.yaml:10: demo.people: the file is not there']);
    expect(store.current().datasets[0]).toMatchObject({ broken: 'the file is not there', columns: [] });
    fail = false;
    await directory.write('policy.csv', `${POLICY}p, reader, demo.people, unmask, allow, u1\n`);
    await expect.poll(() => store.current().datasets[0]?.broken).toBeUndefined();
  });
});

test('at start a broken set throws with every problem', async () => {
  await using directory = await makeDirectory({ ...FILES, 'policy.csv': 'x\ny\n', 'users.yaml': 'users: 3\n' });
  await expect(openStore(directory)).rejects.toMatchObject({
    code: 'policy.invalid',
    message:
      'the policy directory does not load:\n  policy.csv:1: a line begins with p or g; comments begin with #\n  policy.csv:2: a line begins with p or g; comments begin with #\n  users.yaml:1: users must be a mapping',
  });
});

test('a fault of the file system or a source is reported once, and the next edit tries again', async () => {
  await using directory = await makeDirectory();
  const problems: string[] = [];
  let fails = false;
  const resolveColumns = async (): Promise<typeof COLUMNS> => (fails ? Promise.reject(new Error('storage is away')) : COLUMNS);
  await using store = await openStore(directory, problems, { resolveColumns });
  const before = store.current();
  fails = true;
  await directory.write('catalog.yaml', `${FILES['catalog.yaml']}  demo.more: { view: SELECT 1 }\n`);
  await expect.poll(() => problems).toEqual(['the policy directory can not be read: storage is away']);
  await sleep(900);
  expect(problems).toHaveLength(1);
  expect(store.current()).toBe(before);
  fails = false;
  const changed = nextSnapshot(store);
  await directory.write('policy.csv', `${POLICY}# again\n`);
  expect((await changed).datasets).toHaveLength(4);
});

test('a listener that throws neither stops the others nor the store', async () => {
  await using directory = await makeDirectory();
  const problems: string[] = [];
  await using store = await openStore(directory, problems);
  store.watch(() => {
    throw new Error('listener');
  });
  const changed = nextSnapshot(store);
  await directory.write('policy.csv', `${POLICY}# again\n`);
  expect((await changed).epoch).toBe(2);
  const again = nextSnapshot(store);
  await directory.write('policy.csv', `${POLICY}# and again\n`);
  expect((await again).epoch).toBe(3);
  expect(problems).toEqual(['a listener failed: listener', 'a listener failed: listener']);
});

test('a missing directory throws', async () => {
  const directory = await makeDirectory({});
  await directory[Symbol.asyncDispose]();
  await expect(openStore(directory)).rejects.toMatchObject({ code: 'policy.invalid' });
});
