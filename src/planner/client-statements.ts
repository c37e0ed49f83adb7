/** Statements that client libraries send of themselves. */
import { INFORMATION_SCHEMA } from '../sql/index.ts';

const SHOW_TABLES = `SELECT table_name AS name FROM ${INFORMATION_SCHEMA}.tables WHERE table_schema = current_schema() ORDER BY 1`;

/** The query that answers a statement about the catalog, or null. */
export function asQuery(sql: string): string | null {
  return /^show\s+tables$/i.test(bare(sql)) ? SHOW_TABLES : null;
}

const WITHOUT_EFFECT: readonly RegExp[] = [
  // SQLAlchemy puts them around everything. Each statement is a transaction of its own, over when one of these arrives.
  /^(?:begin|commit|rollback)$/i,
  // ibis sets the time zone that every session has.
  /^set\s+timezone\s*=\s*'utc'$/i,
];

export function isWithoutEffect(sql: string): boolean {
  return WITHOUT_EFFECT.some((statement) => statement.test(bare(sql)));
}

/** No pattern looks for the end: in a text full of blanks it would begin anew at each of them. */
function bare(sql: string): string {
  const text = sql.trim();
  return text.endsWith(';') ? text.slice(0, -1).trimEnd() : text;
}
