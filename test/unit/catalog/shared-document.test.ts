import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { PostgresSession } from '#src/catalog/postgres-session.js';
import { openSharedDocument, type SharedDocument } from '#src/catalog/shared-document.js';
import { type Postgres, startPostgres } from '../../support/postgres.ts';

let postgres: Postgres;
const open: AsyncDisposable[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
});
afterEach(async () => {
  for (const part of open.splice(0).reverse()) await part[Symbol.asyncDispose]();
});
afterAll(() => postgres[Symbol.asyncDispose]());

async function member(name: string, graceMs = 60_000): Promise<SharedDocument> {
  const session = await PostgresSession.open({ url: postgres.url, pollMs: 60_000, onProblems: () => {} });
  open.push(session);
  return await openSharedDocument(session, name, graceMs);
}

const add = (item: string) => (content: unknown) => [...((content ?? []) as string[]), item];

test('a change is in force here at once, and elsewhere without asking', async () => {
  const [here, there] = [await member('a'), await member('a')];
  expect(here.current()).toBeNull();
  await here.update(add('x'));
  expect(here.current()).toEqual(['x']);
  await expect.poll(() => there.current()).toEqual(['x']);
  expect((await member('b')).current()).toBeNull();
});

test('no change is lost between many writers', async () => {
  const members = [await member('c'), await member('c'), await member('c')];
  await Promise.all(Array.from({ length: 15 }, (_, i) => members[i % 3]?.update(add(`t${i}`))));
  const all = Array.from({ length: 15 }, (_, i) => `t${i}`).sort();
  for (const document of members) await expect.poll(() => [...(document.current() as string[])].sort()).toEqual(all);
});

test('what a change throws passes, and the same value writes nothing', async () => {
  const document = await member('d');
  await document.update(add('x'));
  await expect(
    document.update(() => {
      throw new Error('no');
    }),
  ).rejects.toThrow('no');
  await document.update((content) => content);
  expect(document.current()).toEqual(['x']);
});

test('without the database the content counts for its time, and nothing can be changed', async () => {
  const [patient, strict] = [await member('e'), await member('e', 0)];
  await patient.update(add('x'));
  await expect.poll(() => strict.current()).toEqual(['x']);
  await postgres.stop();
  try {
    await expect(patient.update(add('y'))).rejects.toMatchObject({ code: 'metadata.unavailable' });
    expect(patient.current()).toEqual(['x']);
    await expect.poll(() => codeOf(() => strict.current())).toBe('metadata.unavailable');
  } finally {
    await postgres.start();
  }
});

function codeOf(work: () => unknown): unknown {
  try {
    work();
    return 'fine';
  } catch (error) {
    return (error as { code?: string }).code;
  }
}
