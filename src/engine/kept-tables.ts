/** Small datasets in the engine's memory, below the policies. Each has a database of its own, so that it is compressed and gone as a whole. */
import { ownStatementError } from './failures.ts';
import type { Host } from './host.ts';
import { quoteIdentifier } from './quoting.ts';
import type { FileCacheBytes, KeptTable } from './types.ts';

const TABLES_BYTES = "SELECT memory_usage_bytes + temporary_storage_bytes FROM duckdb_memory() WHERE tag = 'IN_MEMORY_TABLE'";

/** Its size is how much all such tables grew: callers keep one at a time. */
export async function keepTable(host: Host, name: string, select: string, signal: AbortSignal): Promise<KeptTable> {
  const database = quoteIdentifier(name);
  const relation = `${database}."main"."rows"`;
  const drop = async (): Promise<void> => {
    await host.query([`DETACH DATABASE IF EXISTS ${database}`], null);
  };
  try {
    const before = await numberOf(host, TABLES_BYTES);
    const setup = [`ATTACH ':memory:' AS ${database} (COMPRESS)`, `CREATE TABLE ${relation} AS ${select}`, `CHECKPOINT ${database}`];
    const sql = `SELECT count(*) FROM ${relation}`;
    const counted = await host.runLong<'query'>(signal, (connection) => ({ kind: 'query', connection, setup, sql, parameters: [] }));
    const bytes = Math.max(0, (await numberOf(host, TABLES_BYTES)) - before);
    return { relation, rows: Number(counted[0]?.[0] ?? 0), bytes, drop };
  } catch (error) {
    await drop().catch(() => {});
    throw ownStatementError(error);
  }
}

export async function fileCacheBytes(host: Host): Promise<FileCacheBytes> {
  const bytesOf = (tag: string): Promise<number> => numberOf(host, `SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = '${tag}'`);
  return { ranges: await bytesOf('EXTERNAL_FILE_CACHE'), footers: await bytesOf('OBJECT_CACHE') };
}

async function numberOf(host: Host, sql: string): Promise<number> {
  const [row] = await host.query([], sql);
  return Number(row?.[0] ?? 0);
}
