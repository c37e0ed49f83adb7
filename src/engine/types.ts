/** The faces of the engine: plain values in and out, no native handle. */
import type { Schema } from 'apache-arrow';
import type { Connection, S3Connection, S3Credentials } from '../files.ts';
import type { BatchSource, PlanCatalog, WireForm } from '../model.ts';

export interface FunctionInfo {
  readonly name: string;
  /** scalar, aggregate, macro, table, table_macro, pragma. */
  readonly type: string;
  readonly parameterTypes: readonly string[];
  readonly returnType: string | null;
  /** CONSISTENT, CONSISTENT_WITHIN_QUERY, VOLATILE; null for macros. */
  readonly stability: string | null;
}

export interface ColumnInfo {
  readonly name: string;
  /** DuckDB's text. */
  readonly type: string;
}

export interface ParameterInfo {
  readonly name: string;
  /** DuckDB's text; `UNKNOWN` where nothing tells. */
  readonly type: string;
}

export interface Description {
  readonly schema: Schema;
  /** IPC Message flatbuffer of `schema`. */
  readonly schemaHeader: Uint8Array;
  readonly columns: readonly ColumnInfo[];
  readonly parameterCount: number;
}

/** The planner's instance: in memory, no file, no extension, locked. Reads no data. */
export interface Analyzer extends AsyncDisposable {
  /** JSON tree of `json_serialize_sql`; numbers may lose digits. Rejects with sql.syntax or sql.refused. */
  parse(sql: string): Promise<unknown>;
  /** Binds a statement against empty tables; the schema is the one of `form`, plain by default. Rejects with sql.binding, sql.type, sql.syntax, sql.refused. */
  describe(catalog: PlanCatalog, sql: string, form?: WireForm): Promise<Description>;
  /** JSON tree of the bound plan, not optimised, or an error tree; numbers may lose digits. Null when it can not be read. */
  boundPlan(catalog: PlanCatalog, sql: string): Promise<unknown>;
  /** What is known of a statement's parameters. Rejects as `describe`. */
  parameters(catalog: PlanCatalog, sql: string): Promise<readonly ParameterInfo[]>;
  /** The values of trusted constant expressions, as texts. Rejects with sql.runtime and the like. */
  evaluate(expressions: readonly string[]): Promise<readonly (string | null)[]>;
  functions(): Promise<readonly FunctionInfo[]>;
}

export interface EngineOptions {
  /** What may be read; nothing else can be opened afterwards. */
  readonly connections: readonly Connection[];
  readonly memoryLimitBytes: number;
  /** DuckDB's own threads. */
  readonly threads: number;
  /** Most results computed at the same time; more wait their turn. */
  readonly engineThreads: number;
  /** For spilled data; each engine makes a directory of its own in it. */
  readonly tempDirectory: string;
  readonly tempLimitBytes: number;
  /** Most bytes of a batch with its header; a single larger row gets up to 16 MiB. */
  readonly batchBytes: number;
  /** Most batches made and not released, per stream. */
  readonly streamWindow: number;
  /** How far DuckDB may run ahead of a stream, in bytes; less when many are open. */
  readonly streamingBufferBytes: number;
  /** `SET VARIABLE` on every connection. */
  readonly variables: Readonly<Record<string, string>>;
  /** Directory with DuckDB's extensions, which S3 needs; null = DuckDB gets them from its own place. */
  readonly extensions: string | null;
}

export interface EngineStats {
  readonly openStreams: number;
  /** Native connections of queries. */
  readonly connections: number;
  readonly slotsInUse: number;
  readonly bytesInUse: number;
  readonly slotsIdle: number;
  readonly threads: number;
  readonly runningJobs: number;
  readonly queuedJobs: number;
  readonly catalogs: number;
  /** Since its start: queries whose catalog was there, and those that had to load it. */
  readonly catalogHits: number;
  readonly catalogMisses: number;
}

/** A column of a Parquet file: the result column number `from` cast to `type`, or NULL. */
export interface StoredColumn {
  readonly name: string;
  /** Goes into SQL as it is. */
  readonly type: string;
  readonly from: number | null;
}

/** What a Parquet file's footer says. */
export interface FileStatistics {
  readonly path: string;
  /** The same value for all files of the same schema. */
  readonly columns: readonly ColumnInfo[];
  readonly rowGroups: readonly RowGroupStatistics[];
}

export interface RowGroupStatistics {
  readonly rows: number;
  /** As stored. */
  readonly bytes: number;
  /** By column: bounds as DuckDB writes the value; null = not known, or of a type whose order is in doubt. */
  readonly ranges: readonly ({ readonly min: string | null; readonly max: string | null; readonly hasNull: boolean } | null)[];
}

export interface CopyJob {
  /** SELECTs of the same width; their rows follow each other. */
  readonly statements: readonly string[];
  /** null: the columns of the first statement, in types that Parquet keeps. */
  readonly columns: readonly StoredColumn[] | null;
  /** Of a new file in a directory of the engine's connections. */
  readonly path: string;
}

/** Rows that the engine holds in memory, compressed. */
export interface KeptTable {
  /** Quoted and fully qualified: what trusted text reads. */
  readonly relation: string;
  readonly rows: number;
  readonly bytes: number;
  /** When no query reads it any more. */
  drop(): Promise<void>;
}

/** What DuckDB itself keeps of files, in bytes within its memory limit. */
export interface FileCacheBytes {
  /** Byte ranges. */
  readonly ranges: number;
  /** Parquet footers. */
  readonly footers: number;
}

/** The worker's instance: sandboxed to its connections, locked. */
export interface Engine extends AsyncDisposable {
  /**
   * Starts a SELECT in its private catalog. `signal` interrupts it; dispose the source on every exit.
   * `form` is plain by default; with dictionaries, batches of 0 rows that carry them come first.
   * Rejects with sql.runtime, sql.type, limit.*, storage.unavailable, request.cancelled, request.unimplemented.
   */
  run(catalog: PlanCatalog, sql: string, signal: AbortSignal, form?: WireForm): Promise<BatchSource>;
  /**
   * Writes SELECTs of a private catalog to a Parquet file; `signal` interrupts it and leaves part of a file.
   * Rejects as `run` does, and with sql.binding when the statements have not the columns asked for.
   */
  copyTo(catalog: PlanCatalog, job: CopyJob, signal: AbortSignal): Promise<{ readonly rows: number }>;
  /** The columns of a trusted relation text. Rejects with storage.unavailable. */
  columns(relation: string): Promise<readonly ColumnInfo[]>;
  /** The files that a trusted path or pattern means, in the order they are read in; at most `max`. Rejects with storage.unavailable. */
  files(pattern: string, max: number): Promise<readonly string[]>;
  /**
   * Takes the rows of a trusted SELECT into a database of its own, of that name, which no statement of a user resolves to. One at a time.
   * Rejects with storage.unavailable, limit.memory, request.cancelled.
   */
  keep(name: string, select: string, signal: AbortSignal): Promise<KeptTable>;
  fileCache(): Promise<FileCacheBytes>;
  /** Reads an S3 connection with these from now on; running queries keep theirs. In memory only. */
  authorize(connection: S3Connection, credentials: S3Credentials): Promise<void>;
  /** Footers of Parquet files by their own names, in this order; a few hundred at a time. Rejects with storage.unavailable. */
  fileStatistics(paths: readonly string[]): Promise<readonly FileStatistics[]>;
  stats(): EngineStats;
}
