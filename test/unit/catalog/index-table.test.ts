import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFileIndexStore, type FileIndexStore } from '#src/catalog/file-index-store.js';
import { openIndexTable } from '#src/catalog/index-table.js';
import { PostgresSession } from '#src/catalog/postgres-session.js';
import { runFileIndexStoreContract } from '../../contracts/file-index-store.ts';
import { type Postgres, startPostgres } from '../../support/postgres.ts';
import { largeIndex, smallIndex } from './index-fixture.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());

async function execute(statement: string): Promise<void> {
  const client = new pg.Client(postgres.url);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

interface Node extends AsyncDisposable {
  readonly store: FileIndexStore;
  readonly session: PostgresSession;
}

async function openNode(graceMs = 60_000, problems: string[] = []): Promise<Node> {
  const onProblems = (found: readonly string[]): void => void problems.push(...found);
  const session = await PostgresSession.open({ url: postgres.url, pollMs: 60_000, onProblems });
  const store = createFileIndexStore({ backend: await openIndexTable(session, graceMs), onProblems });
  return { store, session, [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() };
}

runFileIndexStoreContract('PostgreSQL', async () => {
  const nodes: Node[] = [];
  const problems: string[] = [];
  return {
    problems,
    open: async () => {
      const node = await openNode(60_000, problems);
      nodes.push(node);
      return node.store;
    },
    corrupt: (dataset) => execute(`UPDATE sluice.file_index SET content = 'no gzip' WHERE dataset = '${dataset}'`),
    [Symbol.asyncDispose]: async () => {
      for (const node of nodes) await node[Symbol.asyncDispose]();
      await execute('DELETE FROM sluice.file_index');
    },
  };
});

test('a removed index is gone everywhere, and a large one fits', async () => {
  await using node = await openNode();
  await using other = await openNode();
  await node.store.put(largeIndex(20_000, 10), null);
  await expect.poll(async () => (await other.store.get('large'))?.files.length, { timeout: 60_000 }).toBe(20_000);
  await execute('DELETE FROM sluice.file_index');
  await expect.poll(() => other.store.get('large'), { timeout: 60_000 }).toBeNull();
});

test('without the database what is in memory counts for its time', async () => {
  await using patient = await openNode();
  await using strict = await openNode(0);
  const put = await patient.store.put(smallIndex('d'), null);
  for (const { store } of [patient, strict])
    await expect.poll(async () => (await store.get('d'))?.version, { timeout: 60_000 }).toBe(put.version);
  await postgres.stop();
  try {
    for (const { session } of [patient, strict]) await expect.poll(() => session.outageMs(), { timeout: 60_000 }).toBeGreaterThan(0);
    expect((await patient.store.get('d'))?.version).toBe(put.version);
    await expect(strict.store.get('d')).rejects.toMatchObject({ code: 'metadata.unavailable' });
    await expect(patient.store.put(smallIndex('d', 2), put.version)).rejects.toMatchObject({ code: 'metadata.unavailable' });
  } finally {
    await postgres.start();
  }
  await expect
    .poll(
      () =>
        strict.store.get('d').then(
          (index) => index?.version,
          () => null,
        ),
      { timeout: 60_000 },
    )
    .toBe(put.version);
});
