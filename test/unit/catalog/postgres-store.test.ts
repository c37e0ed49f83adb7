import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { PostgresSession, type PostgresSessionOptions } from '#src/catalog/postgres-session.js';
import { createPostgresStore, type PostgresStore, type PostgresStoreOptions } from '#src/catalog/postgres-store.js';
import { checkPolicy } from '#src/policy/index.js';
import { nextSnapshot, runMetadataStoreContract } from '../../contracts/metadata-store.ts';
import { type Postgres, startPostgres } from '../../support/postgres.ts';
import { COLUMNS, FILES } from './fixture.ts';

const POLICY = FILES['policy.csv'] ?? '';
const NOTE = { author: 'ann', comment: 'test' };
let postgres: Postgres;
let databases = 0;

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

async function makeDatabase(): Promise<string> {
  const client = new pg.Client(postgres.url);
  await client.connect();
  const name = `store_${++databases}`;
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  return `postgres://sluice@127.0.0.1:${postgres.port}/${name}`;
}

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const part of open.splice(0).reverse()) await part[Symbol.asyncDispose]();
});

interface Opened extends PostgresStore {
  readonly session: PostgresSession;
}

async function openStore(
  url: string,
  problems: string[] = [],
  more: Partial<PostgresStoreOptions & PostgresSessionOptions> = {},
): Promise<Opened> {
  const onProblems = (found: readonly string[]): void => void problems.push(...found);
  const session = await PostgresSession.open({ url, pollMs: 200, onProblems, ...more });
  open.push(session);
  const store = await createPostgresStore({
    session,
    graceMs: 60_000,
    base: { directory: '/srv', variables: new Map([['data', '/srv']]) },
    parsePredicate: async () => ({ kind: 'boolean', value: true }),
    supportsMask: () => true,
    resolveColumns: async () => COLUMNS,
    check: checkPolicy,
    onProblems,
    ...more,
  });
  open.push(store);
  return Object.assign(store, { session });
}

function files(more: Readonly<Record<string, string>> = {}): ReadonlyMap<string, string> {
  return new Map(Object.entries({ ...FILES, ...more }));
}

async function execute(url: string, sql: string, values: unknown[] = []): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(sql, values);
  } finally {
    await client.end();
  }
}

/** As a node of another version might write it, past every check. */
function insertRevision(url: string, epoch: number, content: Readonly<Record<string, string>>): Promise<void> {
  return execute(url, `INSERT INTO sluice.policy_revision (epoch, files, author, comment) VALUES ($1, $2, 'other', '')`, [epoch, content]);
}

runMetadataStoreContract('PostgreSQL', async () => {
  const url = await makeDatabase();
  const problems: string[] = [];
  const store = await openStore(url, problems);
  await store.push(files(), 0, NOTE);
  let epoch = 1;
  let grants = 1;
  const write = (more: Readonly<Record<string, string>>): Promise<void> => insertRevision(url, ++epoch, { ...FILES, ...more });
  return {
    store,
    problems,
    change: async () => {
      grants++;
      const more = Array.from({ length: grants - 1 }, (_, i) => `p, reader, demo.people, unmask, allow, u${i}\n`);
      await write({ 'policy.csv': POLICY + more.join('') });
    },
    breakIt: () => write({ 'rules.yaml': 'rowFilters: [\n' }),
    repair: () => write({}),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
});

describe('revisions', () => {
  test('a set is pushed, seen by another node, and kept as history', async () => {
    const url = await makeDatabase();
    const [first, second] = [await openStore(url), await openStore(url)];
    expect(await first.pull()).toBeNull();
    expect(() => second.current()).toThrow(expect.objectContaining({ code: 'policy.invalid' }));
    const heard = nextSnapshot(second);
    expect(await first.push(files(), 0, NOTE)).toBe(1);
    expect((await heard).epoch).toBe(1);
    await expect.poll(() => second.session.outageMs()).toBe(0);
    expect(first.current().contentHash).toBe(second.current().contentHash);
    await first.push(files({ 'policy.csv': `${POLICY}p, reader, demo.people, unmask, allow, u1\n` }), 1, {
      author: 'bea',
      comment: 'more',
    });
    expect((await second.revisions(10)).map(({ epoch, author, comment }) => [epoch, author, comment])).toEqual([
      [2, 'bea', 'more'],
      [1, 'ann', 'test'],
    ]);
    expect((await second.pull())?.files.get('policy.csv')).toContain('u1');
  });

  test('of two stewards at once one wins and the other is told', async () => {
    const url = await makeDatabase();
    const [first, second] = [await openStore(url), await openStore(url)];
    const results = await Promise.allSettled([first.push(files(), 0, NOTE), second.push(files(), 0, NOTE)]);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(results.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'metadata.conflict' } });
    await expect(first.push(files(), 0, NOTE)).rejects.toMatchObject({ code: 'metadata.conflict' });
  });

  test('a broken set is refused with every fault and not stored', async () => {
    const url = await makeDatabase();
    const store = await openStore(url);
    const broken = files({ 'policy.csv': 'p, reader\n', 'rules.yaml': 'rowFilters: [\n' });
    await expect(store.push(broken, 0, NOTE)).rejects.toMatchObject({
      code: 'policy.invalid',
      message: expect.stringContaining('policy.csv:1'),
    });
    expect(await store.pull()).toBeNull();
  });

  test('history can not be rewritten', async () => {
    const url = await makeDatabase();
    const store = await openStore(url);
    await store.push(files(), 0, NOTE);
    await expect(execute(url, `UPDATE sluice.policy_revision SET author = 'nobody'`)).rejects.toThrow('history');
    await expect(execute(url, 'DELETE FROM sluice.policy_revision')).rejects.toThrow('history');
  });
});

describe('an outage', () => {
  test('the last set stays in force for a bounded time; then nothing is planned, until the database is back', {
    timeout: 60_000,
  }, async () => {
    const url = await makeDatabase();
    const problems: string[] = [];
    let clock = 0;
    const store = await openStore(url, problems, { now: () => clock, graceMs: 1000 });
    await store.push(files(), 0, NOTE);
    const before = store.current();
    await postgres.stop();
    try {
      await expect.poll(() => store.session.outageMs()).toBeGreaterThan(0);
      expect(store.current()).toBe(before);
      expect(problems.join()).toContain('out of reach');
      await expect(store.push(files(), 1, NOTE)).rejects.toMatchObject({ code: 'metadata.unavailable' });
      clock = 1001;
      expect(() => store.current()).toThrow(expect.objectContaining({ code: 'metadata.unavailable' }));
    } finally {
      await postgres.start();
    }
    await expect.poll(() => store.session.outageMs()).toBe(0);
    expect(store.current().epoch).toBe(1);
  });

  test('what was missed meanwhile is in force after the reconnect', async () => {
    const url = await makeDatabase();
    const store = await openStore(url);
    await store.push(files(), 0, NOTE);
    await execute(
      url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await insertRevision(url, 2, { ...FILES, 'policy.csv': `${POLICY}p, reader, demo.people, unmask, allow, u1\n` });
    await expect.poll(() => store.current().epoch).toBe(2);
  });
});

describe('versions', () => {
  test('a database that is ahead is refused', async () => {
    const url = await makeDatabase();
    await openStore(url);
    await execute(url, 'INSERT INTO sluice.schema_version (version) VALUES (99)');
    await expect(openStore(url)).rejects.toMatchObject({ code: 'metadata.version' });
  });

  test('a set with a part that this program does not know is not taken', async () => {
    const url = await makeDatabase();
    const problems: string[] = [];
    const store = await openStore(url, problems);
    await store.push(files(), 0, NOTE);
    await insertRevision(url, 2, { ...FILES, 'later.yaml': 'x' });
    await expect.poll(() => store.session.outageMs()).toBeGreaterThan(0);
    expect(store.current().epoch).toBe(1);
    expect(problems.join()).toContain('later.yaml');
  });

  test('many nodes may start at once on an empty database', async () => {
    const url = await makeDatabase();
    const stores = await Promise.all(Array.from({ length: 4 }, () => openStore(url)));
    expect(stores).toHaveLength(4);
  });

  test('a database out of reach is said at start', async () => {
    await expect(openStore('postgres://sluice@127.0.0.1:1/none')).rejects.toMatchObject({ code: 'metadata.unavailable' });
  });
});
