/** What kind of statement a text is, and its query part. */
import type { Command, Snapshot } from '../model.ts';
import { parseCommand } from '../sql/index.ts';
import { parseExplain } from './explain.ts';

export type Statement =
  | { readonly kind: 'query'; readonly query: string }
  | { readonly kind: 'explain'; readonly user: string | null; readonly query: string }
  | { readonly kind: 'command'; readonly command: Command; readonly query: string | null };

/** Texts that are none of Sluice's own statements count as queries: the gate says what is wrong with them. */
export function readStatement(sql: string, { catalogName }: Snapshot, defaultSchema: string): Statement {
  const names = { catalogName, defaultSchema };
  const explain = parseExplain(sql);
  // What a command's query may read is what there is to explain.
  if (explain !== null) return { kind: 'explain', ...explain, query: parseCommand(explain.query, names)?.query ?? explain.query };
  const parsed = parseCommand(sql, names);
  return parsed === null ? { kind: 'query', query: sql } : { kind: 'command', ...parsed };
}

/** Whether two texts are the same statement but for their query. */
export function sameButQuery(a: Statement, b: Statement): boolean {
  return JSON.stringify({ ...a, query: a.query === null }) === JSON.stringify({ ...b, query: b.query === null });
}
