/** One statement on one connection: the steps that queries and setup share. */
import { type Address, api, create, destroy, freeResult, newResult } from './duckdb-c.ts';
import { JobError } from './jobs.ts';

const SELECT_STATEMENT = 1;

/** Runs one of our own statements to its end. */
export function execute(connection: Address, sql: string): void {
  const result = newResult();
  try {
    if (api.query(connection, sql, result) !== 0) throw resultError(result);
  } finally {
    freeResult(result);
  }
}

/** A prepared statement; the caller destroys it. */
export function prepare(connection: Address, sql: string): Address {
  if (sql.includes('\0')) throw new JobError({ kind: 'duckdb', text: 'Parser Error: NUL character' });
  const [state, statement] = create((out) => api.prepare(connection, sql, out));
  if (state === 0) return statement;
  const text = api.prepareError(statement) ?? 'unknown error';
  destroy(api.destroyPrepare, statement);
  throw new JobError({ kind: 'duckdb', text });
}

export function requireSelect(statement: Address): void {
  const statementType = api.statementType(statement);
  if (statementType !== SELECT_STATEMENT) throw new JobError({ kind: 'statement', statementType });
}

export function arrowOptions(connection: Address): Address {
  return create((out) => {
    api.connectionArrowOptions(connection, out);
    return 0;
  })[1];
}

export function resultError(result: Address): JobError {
  return new JobError({ kind: 'duckdb', text: api.resultError(result) ?? 'unknown error' });
}
