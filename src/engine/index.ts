/**
 * DuckDB: parses and describes statements (analyzer), runs them into Arrow record batches (engine).
 * Decides nothing about policy and checks no statement: callers gate first. Sizes are bytes.
 * Rejects with SluiceError; DuckDB's own text is only ever in `cause`, except for binding and syntax errors.
 */
export { createAnalyzer } from './analyzer.ts';
export { duckdbVersion } from './duckdb-c.ts';
export { createEngine } from './engine.ts';
export { openTemporary, type Temporary } from './temporary.ts';
export { runTrustedScript } from './trusted-script.ts';
export type {
  Analyzer,
  ColumnInfo,
  CopyJob,
  Description,
  Engine,
  EngineOptions,
  EngineStats,
  FileCacheBytes,
  FileStatistics,
  FunctionInfo,
  KeptTable,
  ParameterInfo,
  RowGroupStatistics,
  StoredColumn,
} from './types.ts';
