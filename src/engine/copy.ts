/**
 * Results into Parquet files, on an engine thread. A statement is prepared alone first: only one whole SELECT passes, so
 * that its brackets, quotes and comments end inside it, and what is put around it stays outside.
 */
import { PLAIN_FORM } from '../model.ts';
import { foldName } from '../names.ts';
import type { ResultColumn } from './column-type.ts';
import { type Address, api, destroy, freeResult, newResult, takeText } from './duckdb-c.ts';
import { type Job, JobError, type JobResults } from './jobs.ts';
import { quoteIdentifier, quoteText } from './quoting.ts';
import { readColumns } from './read-types.ts';
import { arrowOptions, execute, prepare, requireSelect, resultError } from './statement.ts';
import type { StoredColumn } from './types.ts';

const COPY_STATEMENT = 11;

/** Runs `setup`, then the statements' rows one after the other into one file. */
export function copy(connection: Address, { setup, statements, columns, path }: Extract<Job, { kind: 'copy' }>): JobResults['copy'] {
  for (const before of setup) execute(connection, before);
  const results = statements.map((sql) => resultColumns(connection, sql));
  const target = columns ?? storedColumns(results[0] ?? []);
  refuseTwins(target);
  const selects = statements.map((sql, i) => select(sql, results[i]?.length ?? 0, target));
  const text = `COPY (\n${selects.join('\nUNION ALL\n')}\n) TO ${quoteText(path)} (FORMAT parquet, COMPRESSION zstd)`;
  const statement = prepare(connection, text);
  const result = newResult();
  try {
    const statementType = api.statementType(statement);
    if (statementType !== COPY_STATEMENT) throw new JobError({ kind: 'statement', statementType });
    if (api.execute(statement, result) !== 0) throw resultError(result);
    const count = api.valueText(result, 0, 0);
    return { rows: count === 0 ? 0 : Number(takeText(count)) };
  } finally {
    freeResult(result);
    destroy(api.destroyPrepare, statement);
  }
}

function resultColumns(connection: Address, sql: string): readonly ResultColumn[] {
  const statement = prepare(connection, sql);
  const options = arrowOptions(connection);
  try {
    requireSelect(statement);
    return readColumns(statement, options, PLAIN_FORM).columns;
  } finally {
    destroy(api.destroyArrowOptions, options);
    destroy(api.destroyPrepare, statement);
  }
}

/** The statement's columns get names of ours, since its own may be equal. What follows a last `;` is only space or comment. */
function select(sql: string, width: number, target: readonly StoredColumn[]): string {
  const used = target.filter(({ from }) => from !== null).length;
  if (width !== used) throw new JobError({ kind: 'width', found: width, expected: used });
  const values = target.map(
    ({ name, type, from }) => `CAST(${from === null ? 'NULL' : `"q"."c${from}"`} AS ${type}) AS ${quoteIdentifier(name)}`,
  );
  const names = Array.from({ length: width }, (_, i) => `"c${i}"`);
  return `SELECT ${values.join(', ')} FROM (\n${withoutEnd(sql)}\n) AS "q"(${names.join(', ')})`;
}

/** Without blanks and semicolons at the end; one step for each. */
function withoutEnd(sql: string): string {
  let text = sql.trimEnd();
  while (text.endsWith(';')) text = text.slice(0, -1).trimEnd();
  return text;
}

function storedColumns(columns: readonly ResultColumn[]): readonly StoredColumn[] {
  return columns.map(({ name, type }, from) => ({ name, type: storedType(type), from }));
}

/** DuckDB would give the second one another name. */
function refuseTwins(columns: readonly StoredColumn[]): void {
  const seen = new Set<string>();
  for (const { name } of columns) {
    if (seen.has(foldName(name))) throw new JobError({ kind: 'twin', column: name });
    seen.add(foldName(name));
  }
}

/** The type that keeps these values in Parquet; DuckDB itself would round 128-bit integers. */
export function storedType(type: string): string {
  return type.replace(/"(?:[^"]|"")*"|'(?:[^']|'')*'|\bENUM\((?:[^')]|'(?:[^']|'')*')*\)|\w+/g, (token) => {
    if (token.startsWith('ENUM(') || token === 'BIT' || token === 'BIGNUM' || token === 'VARINT') return 'VARCHAR';
    if (token === 'HUGEINT' || token === 'UHUGEINT') return 'DECIMAL(38,0)';
    return token === '"NULL"' || token === 'NULL' ? 'INTEGER' : token;
  });
}
