/**
 * A small JSON document that all nodes share, in the metadata database: followed by everybody, changed by compare-and-set.
 * Without the database the last content stays for a bounded time, then it is refused. Errors: metadata.*.
 */
import { fail } from '../errors.ts';
import type { PostgresSession } from './postgres-session.ts';

export interface SharedDocument {
  /** As known here now; null before the first change. Throws metadata.unavailable after a long outage. */
  current(): unknown;
  /** Resolves when the change is in force here; the others follow within moments. `change` may run several times; the same value changes nothing. */
  update(change: (content: unknown) => unknown): Promise<void>;
}

interface Row {
  readonly version: string;
  readonly content: unknown;
}

const ATTEMPTS_MAX = 50;

/** `graceMs`: how long the content counts without the database. */
export async function openSharedDocument(session: PostgresSession, name: string, graceMs: number): Promise<SharedDocument> {
  let known: Row = { version: '0', content: null };
  const load = async (): Promise<Row> => {
    const { rows } = await session.query<Row>('SELECT version, content FROM sluice.document WHERE name = $1', [name]);
    known = rows[0] ?? { version: '0', content: null };
    return known;
  };
  await session.follow(async () => void (await load()));
  return {
    current: () => {
      session.requireWithin(graceMs);
      return known.content;
    },
    update: async (change) => {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const { version, content } = await load();
        const changed = change(content);
        if (changed === content || (await replace(session, name, version, changed))) {
          await session.refresh();
          return;
        }
      }
      fail('metadata.conflict', 'too many changes at once; try again');
    },
  };
}

/** false when somebody else was first. */
async function replace(session: PostgresSession, name: string, version: string, content: unknown): Promise<boolean> {
  const statement =
    version === '0'
      ? 'INSERT INTO sluice.document (name, version, content) VALUES ($1, 1 + $2::bigint, $3::jsonb) ON CONFLICT DO NOTHING'
      : 'UPDATE sluice.document SET version = version + 1, content = $3::jsonb WHERE name = $1 AND version = $2::bigint';
  const { rowCount } = await session.query(statement, [name, version, JSON.stringify(content)]);
  return rowCount === 1;
}
