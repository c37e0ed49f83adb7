import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { migrate, SCHEMA_VERSION } from '#src/catalog/postgres-schema.js';
import { type Postgres, startPostgres } from '../../support/postgres.ts';

/** What release 0.1.0 looked at, and what it knew. */
const RELEASE_0_1 = { seen: 'SELECT max(version) AS version FROM sluice.schema_version', knows: 2 };

let postgres: Postgres;
let client: pg.Client;
beforeAll(async () => {
  postgres = await startPostgres();
});
beforeEach(async () => {
  client = new pg.Client(postgres.url);
  await client.connect();
  await client.query('DROP SCHEMA IF EXISTS sluice CASCADE');
});
afterEach(async () => {
  await client.end();
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

async function steps(): Promise<readonly (readonly number[])[]> {
  const { rows } = await client.query('SELECT version, compatible_from FROM sluice.schema_step ORDER BY version');
  return rows.map(({ version, compatible_from }) => [version, compatible_from]);
}

test('a migration runs once and can be asked for again', async () => {
  await migrate(client);
  const first = await steps();
  await migrate(client);
  expect(await steps()).toEqual(first);
  expect(first.map(([version]) => version)).toEqual(Array.from({ length: SCHEMA_VERSION }, (_, i) => i + 1));
});

test('programs of release 0.1.0 work with what this one made', async () => {
  await migrate(client);
  expect((await client.query(RELEASE_0_1.seen)).rows[0].version).toBe(RELEASE_0_1.knows);
  // Its statements, word for word.
  await client.query(
    `INSERT INTO sluice.worker (id, cluster, location, zone, capacity, version, running) VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (id) DO UPDATE SET running = excluded.running, heartbeat_at = now()`,
    ['old', 'west', 'grpc://127.0.0.1:1', 'a', 4, '0.1.0', 0],
  );
  expect((await client.query("SELECT serving, ticket_version FROM sluice.worker WHERE id = 'old'")).rows).toEqual([
    { serving: true, ticket_version: 1 },
  ]);
  await client.query(
    `INSERT INTO sluice.policy_revision (epoch, files, author, comment)
      SELECT $1::bigint, $2::jsonb, $3, $4 WHERE $5::bigint = coalesce((SELECT max(epoch) FROM sluice.policy_revision), 0)`,
    [1, '{}', 'a', 'c', 0],
  );
});

test('a database of release 0.1.0 is brought up to date, and its rows stay', async () => {
  await migrate(client);
  await client.query(`DELETE FROM sluice.schema_step; DROP TABLE sluice.schema_step;
    ALTER TABLE sluice.worker DROP COLUMN serving, DROP COLUMN ticket_version, DROP COLUMN key_check;
    INSERT INTO sluice.document VALUES ('tokens', 1, '{}')`);
  const { rows: tables } = await client.query("SELECT tablename FROM pg_tables WHERE schemaname = 'sluice'");
  const first = ['policy_revision', 'worker', 'document', 'schema_version'];
  for (const { tablename } of tables) if (!first.includes(tablename)) await client.query(`DROP TABLE sluice.${tablename} CASCADE`);
  await client.query(`DO $$ DECLARE f record; BEGIN
    FOR f IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE pronamespace = 'sluice'::regnamespace
      AND proname NOT IN ('announce_revision', 'refuse_rewrite', 'announce_document') LOOP EXECUTE 'DROP FUNCTION ' || f.name || ' CASCADE'; END LOOP; END $$`);
  await migrate(client);
  expect((await steps()).map(([version]) => version)).toEqual(Array.from({ length: SCHEMA_VERSION - 2 }, (_, i) => i + 3));
  expect((await client.query('SELECT name FROM sluice.document')).rows).toEqual([{ name: 'tokens' }]);
});

test('a database ahead of this program by additive steps is left as it is', async () => {
  await migrate(client);
  await client.query('INSERT INTO sluice.schema_step (version, compatible_from) VALUES ($1, $2)', [SCHEMA_VERSION + 1, SCHEMA_VERSION]);
  const before = await steps();
  await migrate(client);
  expect(await steps()).toEqual(before);
});

test('a step that leaves this program behind is refused, and says what to do', async () => {
  await migrate(client);
  await client.query('INSERT INTO sluice.schema_step (version, compatible_from) VALUES ($1, $1)', [SCHEMA_VERSION + 1]);
  await expect(migrate(client)).rejects.toMatchObject({ code: 'metadata.version', message: expect.stringContaining('upgrade it') });
});

test('nodes that start at once migrate once', async () => {
  const others = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const other = new pg.Client(postgres.url);
      await other.connect();
      return other;
    }),
  );
  await Promise.all(others.map(migrate));
  for (const other of others) await other.end();
  expect((await steps()).length).toBe(SCHEMA_VERSION);
});
