/** The tables of the shared metadata, and their migration: forward only, one node at a time. */
import type { Client } from 'pg';
import { fail } from '../errors.ts';

/** One step per version; a step that was released never changes. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE sluice.policy_revision (
     epoch bigint PRIMARY KEY CHECK (epoch > 0),
     files jsonb NOT NULL,
     author text NOT NULL,
     comment text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT now()
   );
   CREATE FUNCTION sluice.announce_revision() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN PERFORM pg_notify('sluice_change', 'policy'); RETURN NULL; END $$;
   CREATE TRIGGER announce_revision AFTER INSERT ON sluice.policy_revision
     FOR EACH ROW EXECUTE FUNCTION sluice.announce_revision();
   CREATE FUNCTION sluice.refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN RAISE EXCEPTION 'revisions are history: add a new one'; END $$;
   CREATE TRIGGER refuse_rewrite BEFORE UPDATE OR DELETE ON sluice.policy_revision
     FOR EACH ROW EXECUTE FUNCTION sluice.refuse_rewrite();
   CREATE TABLE sluice.worker (
     id text PRIMARY KEY,
     cluster text NOT NULL,
     location text NOT NULL,
     zone text NOT NULL,
     capacity integer NOT NULL,
     version text NOT NULL,
     running integer NOT NULL,
     heartbeat_at timestamptz NOT NULL DEFAULT now()
   );`,
  `CREATE TABLE sluice.document (
     name text PRIMARY KEY,
     version bigint NOT NULL,
     content jsonb NOT NULL
   );
   CREATE FUNCTION sluice.announce_document() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN PERFORM pg_notify('sluice_change', 'document'); RETURN NULL; END $$;
   CREATE TRIGGER announce_document AFTER INSERT OR UPDATE ON sluice.document
     FOR EACH ROW EXECUTE FUNCTION sluice.announce_document();`,
];

/** Any number that nothing else in the database takes. */
const MIGRATION_LOCK = 7_303_014;

export const SCHEMA_VERSION: number = MIGRATIONS.length;

/** Brings the database to this program's version. Rejects with metadata.version when the database is ahead. */
export async function migrate(client: Client): Promise<void> {
  await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
  try {
    await client.query('CREATE SCHEMA IF NOT EXISTS sluice');
    await client.query(
      'CREATE TABLE IF NOT EXISTS sluice.schema_version (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    const { rows } = await client.query<{ version: number | null }>('SELECT max(version) AS version FROM sluice.schema_version');
    const found = rows[0]?.version ?? 0;
    if (found > SCHEMA_VERSION)
      fail('metadata.version', `the metadata is of version ${found}, this program knows up to ${SCHEMA_VERSION}: upgrade it`);
    for (let version = found + 1; version <= SCHEMA_VERSION; version++) await apply(client, version);
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
  }
}

async function apply(client: Client, version: number): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(MIGRATIONS[version - 1] ?? '');
    await client.query('INSERT INTO sluice.schema_version (version) VALUES ($1)', [version]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}
