/** TPC-H and TPC-DS at a small scale: data and query texts from DuckDB's own extensions, made once into `.testbed/tpc/`. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer, PythonClients } from './clients.ts';
import { extensionPath, TESTBED } from './testbed.mjs';

export type Benchmark = 'tpch' | 'tpcds';

export interface TpcQuery {
  readonly benchmark: Benchmark;
  readonly number: number;
  readonly sql: string;
}

/** Holds `tpch/` and `tpcds/`, one Parquet file per table. */
export const TPC_DIRECTORY: string = join(TESTBED, 'tpc');

const GENERATE: Readonly<Record<Benchmark, string>> = { tpch: 'CALL dbgen(sf = 0.05)', tpcds: 'CALL dsdgen(sf = 0.1)' };

/** The 22 and the 99. */
export async function loadTpc(python: PythonClients): Promise<readonly TpcQuery[]> {
  const file = join(TPC_DIRECTORY, 'queries.json');
  if (!existsSync(file)) await makeTpc(python);
  return JSON.parse(readFileSync(file, 'utf8')) as readonly TpcQuery[];
}

/** Table names of one benchmark. */
export async function tpcTables(python: PythonClients, benchmark: Benchmark): Promise<readonly string[]> {
  const files = await python.expected(`SELECT parse_filename(file, true) FROM glob('${TPC_DIRECTORY}/${benchmark}/*.parquet') ORDER BY 1`);
  return files.rows.map(([name]) => String(name));
}

async function makeTpc(python: PythonClients): Promise<void> {
  const draft = `${TPC_DIRECTORY}.${process.pid}.draft`;
  rmSync(draft, { recursive: true, force: true });
  const queries: TpcQuery[] = [];
  for (const benchmark of ['tpch', 'tpcds'] as const) {
    mkdirSync(join(draft, benchmark), { recursive: true });
    const load = `LOAD '${extensionPath(benchmark)}'`;
    const database = join(draft, `${benchmark}.duckdb`);
    await python.call('duckdb_run', { database, statements: [load, GENERATE[benchmark]] });
    const tables: Answer = await python.call('duckdb_query', { database, sql: 'SELECT table_name FROM duckdb_tables() ORDER BY 1' });
    const copies = tables.rows.map(
      ([table]) => `COPY "${table}" TO '${join(draft, benchmark, `${table}.parquet`)}' (ROW_GROUP_SIZE 20480)`,
    );
    await python.call('duckdb_run', { database, statements: copies });
    rmSync(database);
    const texts = await python.expected(`SELECT query_nr, query FROM ${benchmark}_queries() ORDER BY 1`, [load]);
    queries.push(...texts.rows.map(([number, sql]): TpcQuery => ({ benchmark, number: Number(number), sql: String(sql) })));
  }
  writeFileSync(join(draft, 'queries.json'), JSON.stringify(queries));
  rmSync(TPC_DIRECTORY, { recursive: true, force: true });
  renameSync(draft, TPC_DIRECTORY);
}
