/** File indexes in PostgreSQL, for all nodes: their revisions are followed, so that a plan asks the database only for what is new. */
import type { IndexBackend, IndexSummary } from './file-index-store.ts';
import type { PostgresSession } from './postgres-session.ts';

interface Row {
  readonly dataset: string;
  readonly revision: string;
  readonly version: string;
  readonly indexed_at: Date;
  readonly files: string;
}

/** `graceMs`: how long what is known counts without the database; then reading rejects with metadata.unavailable. */
export async function openIndexTable(session: PostgresSession, graceMs: number): Promise<IndexBackend> {
  let known: ReadonlyMap<string, string> = new Map();
  await session.follow(async () => {
    const { rows } = await session.query<Pick<Row, 'dataset' | 'revision'>>('SELECT dataset, revision FROM sluice.file_index');
    known = new Map(rows.map(({ dataset, revision }) => [dataset, revision]));
  });
  return {
    stamp: async (dataset, fresh) => {
      if (fresh) await session.refresh();
      session.requireWithin(graceMs);
      return known.get(dataset) ?? null;
    },
    read: async (dataset, stamp) => {
      const statement = 'SELECT content FROM sluice.file_index WHERE dataset = $1 AND revision = $2::bigint';
      const { rows } = await session.query<{ content: Uint8Array }>(statement, [dataset, stamp]);
      return rows[0]?.content ?? null;
    },
    write: async (summary, content, expected) => {
      const written = await replace(session, summary, content, expected);
      await session.refresh();
      return written;
    },
    list: async () => {
      const statement = 'SELECT dataset, version, indexed_at, files FROM sluice.file_index ORDER BY dataset';
      const { rows } = await session.query<Row>(statement);
      return rows.map(({ dataset, version, indexed_at: at, files }) => ({
        dataset,
        version,
        indexedAtMs: at.getTime(),
        files: Number(files),
      }));
    },
  };
}

/** false when somebody else was first. */
async function replace(
  session: PostgresSession,
  { dataset, version, indexedAtMs, files }: IndexSummary,
  content: Uint8Array,
  expected: string | null,
): Promise<boolean> {
  const statement =
    expected === null
      ? `INSERT INTO sluice.file_index (dataset, revision, version, indexed_at, files, content)
         VALUES ($1, 1 + $6::bigint, $2, $3, $4, $5) ON CONFLICT DO NOTHING`
      : `UPDATE sluice.file_index SET revision = revision + 1, version = $2, indexed_at = $3, files = $4, content = $5
         WHERE dataset = $1 AND revision = $6::bigint`;
  const { rowCount } = await session.query(statement, [dataset, version, new Date(indexedAtMs), files, content, expected ?? '0']);
  return rowCount === 1;
}
