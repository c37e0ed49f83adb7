/** Prepared-statement handles: sealed, stateless, good on every planner of the cluster. */
import { type Table, tableToIPC } from 'apache-arrow';
import { fail } from '../errors.ts';
import type { Principal } from '../model.ts';
import { decodePrepared, encodePrepared, type PreparedHandle, type Sealer } from '../wire/index.ts';

export interface PreparedOptions {
  readonly sealer: Sealer;
  /** Drivers keep prepared statements as long as their connection. */
  readonly preparedTtlMs: number;
}

export interface PreparedHandles {
  /** `parameterTypes`: DuckDB type text, one per parameter. */
  seal(sql: string, parameterTypes: readonly string[], principal: Principal): Uint8Array;
  /** Throws ticket.*. */
  open(handle: Uint8Array, principal: Principal): PreparedHandle;
  /** The handle with these rows in place of what was bound before. Throws ticket.*, sql.parameter, sql.limit. */
  bind(handle: Uint8Array, principal: Principal, rows: Table): Uint8Array;
}

/** Executions of one statement by one bind. */
const ROWS_MAX = 1_000;
/** Arrow bytes of all bound values. */
const BYTES_MAX = 4 * 1024 ** 2;

export function createPreparedHandles(options: PreparedOptions, now: () => number): PreparedHandles {
  const seal = (handle: PreparedHandle): Uint8Array => options.sealer.seal('prepared', encodePrepared(handle));
  const open = (bytes: Uint8Array, principal: Principal): PreparedHandle => {
    const handle = decodePrepared(options.sealer.open('prepared', bytes));
    if (handle.subject !== principal.subject) fail('ticket.principal', 'this prepared statement belongs to another principal');
    if (handle.expiresAtMs <= now()) fail('ticket.expired', 'this prepared statement has expired; prepare it again');
    return handle;
  };
  return {
    seal: (sql, parameterTypes, { subject }) =>
      seal({ sql, subject, expiresAtMs: now() + options.preparedTtlMs, parameterTypes, rows: new Uint8Array() }),
    open,
    bind: (bytes, principal, rows) => {
      const handle = open(bytes, principal);
      return seal({ ...handle, rows: rowsOf(rows, handle.parameterTypes.length) });
    },
  };
}

/** Clients bind an empty batch for "no parameters". */
function rowsOf(rows: Table, parameters: number): Uint8Array {
  if (rows.numCols !== parameters)
    fail('sql.parameter', `the statement has ${parameters} parameters, but ${rows.numCols} values were bound`);
  if (parameters === 0) return new Uint8Array();
  if (rows.numRows === 0) fail('sql.parameter', 'no row of parameters was bound');
  if (rows.numRows > ROWS_MAX) fail('sql.limit', `${rows.numRows} rows of parameters were bound; send at most ${ROWS_MAX} at a time`);
  const ipc = tableToIPC(rows, 'stream');
  if (ipc.length > BYTES_MAX) fail('sql.limit', `the bound parameters are larger than ${BYTES_MAX} bytes; send fewer rows at a time`);
  return ipc;
}
