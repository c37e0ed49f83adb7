/** The native side of one query, on an engine thread: open, pull one batch, close. State lives in the Cursor only. */
import type { WireForm } from '../model.ts';
import { type Address, api, destroy, freeResult, newResult } from './duckdb-c.ts';
import type { Cursor, JobResults } from './jobs.ts';
import { createConversionChunk, readColumns } from './read-types.ts';
import { arrowOptions, execute, prepare, requireSelect, resultError } from './statement.ts';

/** Prepares and starts a SELECT. On failure everything but the connection is freed. */
export function openCursor(connection: Address, setup: readonly string[], sql: string, form: WireForm): JobResults['open'] {
  for (const statement of setup) execute(connection, statement);
  let cursor: Cursor = {
    connection,
    statement: 0,
    result: 0,
    options: 0,
    conversion: 0,
    layout: '',
    compression: form.compression,
    batchBytes: form.batchBytes ?? 0,
    chunk: 0,
    from: 0,
    batches: 0,
  };
  try {
    const statement = prepare(connection, sql);
    cursor = { ...cursor, statement };
    requireSelect(statement);
    cursor = { ...cursor, options: arrowOptions(connection) };
    const { columns, dictionaries } = readColumns(statement, cursor.options, form);
    cursor = {
      ...cursor,
      layout: JSON.stringify(columns.map((column) => column.wire)),
      conversion: createConversionChunk(statement, columns),
    };
    cursor = { ...cursor, result: newResult() };
    if (api.executeStreaming(statement, cursor.result) !== 0) throw resultError(cursor.result);
    return { cursor, columns, dictionaries };
  } catch (error) {
    freeCursor({ ...cursor, connection: 0 });
    throw error;
  }
}

/** Frees everything the cursor holds. Stops what still runs in the background. */
export function freeCursor(cursor: Cursor): void {
  destroy(api.destroyChunk, cursor.chunk);
  destroy(api.destroyChunk, cursor.conversion);
  if (cursor.result !== 0) freeResult(cursor.result);
  destroy(api.destroyArrowOptions, cursor.options);
  destroy(api.destroyPrepare, cursor.statement);
  destroy(api.disconnect, cursor.connection);
}
