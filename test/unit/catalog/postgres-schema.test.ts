import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate, SCHEMA_VERSION } from '#src/catalog/postgres-schema.js';
import { type Postgres, startPostgres } from '../../support/postgres.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

test('a migration runs once and can be asked for again', async () => {
  const client = new pg.Client(postgres.url);
  await client.connect();
  await migrate(client);
  await migrate(client);
  const { rows } = await client.query('SELECT version FROM sluice.schema_version ORDER BY version');
  expect(rows.map(({ version }) => version)).toEqual(Array.from({ length: SCHEMA_VERSION }, (_, i) => i + 1));
  await client.end();
});
