/** The tables of the shared metadata, and their migration: forward only, one node at a time. */
import type { Client } from 'pg';
import { fail } from '../errors.ts';

/**
 * One step per version; a step that was released never changes. A step adds: tables, columns with a default, triggers that
 * old programs need not know, so that nodes of two releases share the database. One that can not goes into BREAKING.
 */
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
  `CREATE TABLE sluice.file_index (
     dataset text PRIMARY KEY,
     revision bigint NOT NULL,
     version text NOT NULL,
     indexed_at timestamptz NOT NULL,
     files bigint NOT NULL,
     content bytea NOT NULL
   );
   CREATE FUNCTION sluice.announce_file_index() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN PERFORM pg_notify('sluice_change', 'file_index'); RETURN NULL; END $$;
   CREATE TRIGGER announce_file_index AFTER INSERT OR UPDATE OR DELETE ON sluice.file_index
     FOR EACH ROW EXECUTE FUNCTION sluice.announce_file_index();`,
  `ALTER TABLE sluice.worker
     ADD COLUMN serving boolean NOT NULL DEFAULT true,
     ADD COLUMN ticket_version integer NOT NULL DEFAULT 1;`,
  `ALTER TABLE sluice.worker ADD COLUMN key_check text NOT NULL DEFAULT '';`,
];

/** Versions that programs of earlier ones can not work with. */
const BREAKING: readonly number[] = [];
/** Release 0.1.0: it works with every later version, and refuses by `schema_version` alone. */
const FIRST_VERSION = 2;

/** Any number that nothing else in the database takes. */
const MIGRATION_LOCK = 7_303_014;

export const SCHEMA_VERSION: number = MIGRATIONS.length;

/**
 * Brings the database to this program's version. One that is ahead stays as it is: additive steps do no harm.
 * Rejects with metadata.version when a step there leaves this program behind.
 */
export async function migrate(client: Client): Promise<void> {
  await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
  try {
    await client.query('CREATE SCHEMA IF NOT EXISTS sluice');
    await client.query(`
      CREATE TABLE IF NOT EXISTS sluice.schema_version (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
      CREATE TABLE IF NOT EXISTS sluice.schema_step (
        version integer PRIMARY KEY, compatible_from integer NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());`);
    const { version, compatibleFrom } = await found(client);
    if (compatibleFrom > SCHEMA_VERSION)
      fail(
        'metadata.version',
        `the metadata is of version ${version} and needs a program of at least ${compatibleFrom}; this one knows up to ${SCHEMA_VERSION}: upgrade it`,
      );
    for (let next = version + 1; next <= SCHEMA_VERSION; next++) await apply(client, next);
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
  }
}

/** `compatibleFrom`: the least version of programs that the newest step still serves. */
async function found(client: Client): Promise<{ readonly version: number; readonly compatibleFrom: number }> {
  const { rows } = await client.query<{ version: number; compatible_from: number }>(
    `SELECT version, compatible_from FROM sluice.schema_step
     UNION ALL SELECT version, version FROM sluice.schema_version ORDER BY 1 DESC, 2 LIMIT 1`,
  );
  const [newest] = rows;
  return { version: newest?.version ?? 0, compatibleFrom: newest?.compatible_from ?? 0 };
}

async function apply(client: Client, version: number): Promise<void> {
  const compatibleFrom = Math.max(Math.min(version, FIRST_VERSION), ...BREAKING.filter((breaking) => breaking <= version));
  await client.query('BEGIN');
  try {
    await client.query(MIGRATIONS[version - 1] ?? '');
    await client.query('INSERT INTO sluice.schema_step (version, compatible_from) VALUES ($1, $2)', [version, compatibleFrom]);
    // What release 0.1.0 looks at: a version above its own keeps it out.
    if (compatibleFrom === version) await client.query('INSERT INTO sluice.schema_version (version) VALUES ($1)', [version]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}
