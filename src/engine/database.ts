/** Work on a whole database, on an engine thread: open it, read a small result, describe a statement. */
import type { WireForm } from '../model.ts';
import type { ResultColumn } from './column-type.ts';
import { type Address, api, create, destroy, freeResult, newResult, takeText } from './duckdb-c.ts';
import { JobError } from './jobs.ts';
import { readColumns } from './read-types.ts';
import { arrowOptions, execute, prepare, requireSelect, resultError } from './statement.ts';
import { typeText } from './type-text.ts';
import type { ParameterInfo } from './types.ts';

/** Opens an in-memory database and runs its setup; a failure closes it. */
export function openDatabase(setup: readonly string[]): Address {
  const [state, database] = create((out) => api.open(null, out));
  if (state !== 0) throw new JobError({ kind: 'fault', text: 'can not open an in-memory database' });
  try {
    const connection = connect(database);
    try {
      for (const statement of setup) execute(connection, statement);
    } finally {
      destroy(api.disconnect, connection);
    }
    return database;
  } catch (error) {
    destroy(api.close, database);
    throw error;
  }
}

export function connect(database: Address): Address {
  const [state, connection] = create((out) => api.connect(database, out));
  if (state !== 0) throw new JobError({ kind: 'fault', text: 'can not connect to the database' });
  return connection;
}

/** Runs `setup`, then reads all of `sql` as text. */
export function query(
  connection: Address,
  setup: readonly string[],
  sql: string | null,
  parameters: readonly string[],
): (string | null)[][] {
  for (const statement of setup) execute(connection, statement);
  return sql === null ? [] : readRows(connection, sql, parameters);
}

/** The result columns of a statement that is not run. */
export function describe(
  connection: Address,
  setup: readonly string[],
  sql: string,
  form: WireForm,
): { readonly columns: readonly ResultColumn[]; readonly parameterCount: number } {
  for (const before of setup) execute(connection, before);
  const statement = prepare(connection, sql);
  try {
    requireSelect(statement);
    const options = arrowOptions(connection);
    try {
      return { columns: readColumns(statement, options, form).columns, parameterCount: api.parameterCount(statement) };
    } finally {
      destroy(api.destroyArrowOptions, options);
    }
  } finally {
    destroy(api.destroyPrepare, statement);
  }
}

/** Types that DuckDB gives the parameters of a statement, which need not have a result type yet. */
export function parameters(connection: Address, setup: readonly string[], sql: string): ParameterInfo[] {
  for (const before of setup) execute(connection, before);
  const statement = prepare(connection, sql);
  try {
    return Array.from({ length: api.parameterCount(statement) }, (_, index) => {
      const type = api.parameterType(statement, index + 1);
      try {
        return { name: takeText(api.parameterName(statement, index + 1)), type: typeText(type) };
      } finally {
        destroy(api.destroyType, type);
      }
    });
  } finally {
    destroy(api.destroyPrepare, statement);
  }
}

function readRows(connection: Address, sql: string, parameters: readonly string[]): (string | null)[][] {
  const statement = prepare(connection, sql);
  const result = newResult();
  try {
    parameters.forEach((text, index) => {
      api.bindText(statement, index + 1, text);
    });
    if (api.execute(statement, result) !== 0) throw resultError(result);
    return readTexts(result);
  } finally {
    freeResult(result);
    destroy(api.destroyPrepare, statement);
  }
}

function readTexts(result: Address): (string | null)[][] {
  const columns = api.columnCount(result);
  return Array.from({ length: api.rowCount(result) }, (_, row) =>
    Array.from({ length: columns }, (_, column) => {
      const text = api.valueText(result, column, row);
      return text === 0 ? null : takeText(text);
    }),
  );
}
