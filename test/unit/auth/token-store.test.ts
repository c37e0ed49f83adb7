import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSharedTokenStore, createTokenStore, type TokenRecord, type TokenStore } from '#src/auth/token-store.js';

let directory: string;
let path: string;
let store: TokenStore;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-tokens-'));
  path = join(directory, 'state', 'tokens.json');
  store = createTokenStore(path);
});

afterEach(() => rm(directory, { recursive: true }));

const record = (name: string): TokenRecord => ({
  hash: `hash of ${name}`,
  user: 'ada',
  name,
  createdAtMs: 1,
  expiresAtMs: 2,
  usedAtMs: null,
});
const add = (name: string) => (records: readonly TokenRecord[]) => [...records, record(name)];

test('no file means no tokens, and reading makes none', async () => {
  expect(await store.read()).toEqual([]);
  expect(await readdir(directory)).toEqual([]);
});

test('the file is its owner’s alone, and nothing is left beside it', async () => {
  await store.update(add('a'));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(join(directory, 'state'))).toEqual(['tokens.json']);
  expect(await store.read()).toEqual([record('a')]);
});

test('another process’s change is seen at the next read', async () => {
  const other = createTokenStore(path);
  await store.update(add('a'));
  expect(await other.read()).toEqual([record('a')]);
  await other.update(() => []);
  expect(await store.read()).toEqual([]);
  await rm(path);
  expect(await store.read()).toEqual([]);
});

test('no change is lost between many writers', async () => {
  const writers = [store, createTokenStore(path), createTokenStore(path)];
  // Whom a slow disk keeps from the lock for too long is told so, and tries again.
  const write = (i: number): Promise<void> | undefined =>
    writers[i % 3]
      ?.update(add(`t${i}`))
      .catch((error: { code?: string }) => (error.code === 'auth.unavailable' ? write(i) : Promise.reject(error)));
  await Promise.all(Array.from({ length: 30 }, (_, i) => write(i)));
  expect((await store.read()).map(({ name }) => name).sort()).toEqual(Array.from({ length: 30 }, (_, i) => `t${i}`).sort());
});

test('a change that throws or changes nothing writes nothing and gives the lock back', async () => {
  await store.update(add('a'));
  const { ino } = await stat(path);
  await expect(
    store.update(() => {
      throw new Error('no');
    }),
  ).rejects.toThrow('no');
  await store.update((records) => records);
  expect((await stat(path)).ino).toBe(ino);
  await store.update(add('b'));
  expect(await store.read()).toHaveLength(2);
});

test('a lock left by a dead process is broken', async () => {
  await store.update(add('a'));
  await writeFile(`${path}.lock`, '');
  const old = new Date(Date.now() - 60_000);
  await utimes(`${path}.lock`, old, old);
  await store.update(add('b'));
  expect(await store.read()).toHaveLength(2);
});

test.each(['', 'nonsense', '[]', '{}', '{"tokens":[{"hash":"x"}]}', '{"tokens":[null]}'])(
  'a file of %j refuses all, and is not written over',
  async (text) => {
    await store.update(add('a'));
    await writeFile(path, text);
    await expect(store.read()).rejects.toMatchObject({ code: 'auth.unavailable' });
    await expect(store.update(add('b'))).rejects.toMatchObject({ code: 'auth.unavailable' });
    expect(await readFile(path, 'utf8')).toBe(text);
  },
);

describe('of a fleet', () => {
  const share = (content: unknown = null) => {
    const state = { content, writes: 0 };
    const document = {
      current: () => state.content,
      update: async (change: (content: unknown) => unknown) => {
        const changed = change(state.content);
        if (changed === state.content) return;
        state.content = JSON.parse(JSON.stringify(changed));
        state.writes++;
      },
    };
    return { state, document, shared: createSharedTokenStore(document) };
  };

  test('the document holds the records; a change of nothing writes nothing', async () => {
    const { state, shared } = share();
    expect(await shared.read()).toEqual([]);
    await shared.update(add('a'));
    await shared.update((records) => records);
    expect(await shared.read()).toEqual([record('a')]);
    expect(state).toEqual({ content: { tokens: [record('a')] }, writes: 1 });
  });

  test('content that does not read, or can not be trusted, refuses all', async () => {
    await expect(share({ tokens: 'x' }).shared.read()).rejects.toMatchObject({ code: 'auth.unavailable' });
    const { document, shared } = share();
    document.current = () => {
      throw new Error('too old');
    };
    await expect(shared.read()).rejects.toMatchObject({ code: 'auth.unavailable' });
  });
});
