/** The nouns of Sluice: readonly values passed between folders; those of files are in files.ts. No behaviour lives here. */
import type { Connection, FileFormat, Scan } from './files.ts';

/** Who is asking. Attributes are always multi-valued; a single value is a list of one. */
export interface Principal {
  readonly subject: string;
  readonly groups: readonly string[];
  readonly attributes: Readonly<Record<string, readonly string[]>>;
  /** How the caller proved who it is; decides nothing about data. */
  readonly via?: 'password' | 'token' | 'certificate' | 'oidc';
}

export interface Column {
  readonly name: string;
  /** DuckDB type text as `DESCRIBE` prints it, e.g. `DECIMAL(15,2)`. */
  readonly type: string;
  readonly tags: readonly string[];
  readonly description?: string;
}

/** Where a dataset's rows come from. Paths are absolute, or `s3://bucket/key`. */
export type Source =
  | { readonly kind: FileFormat; readonly connection: string; readonly path: string; readonly hivePartitioning: boolean }
  | { readonly kind: 'duckdb'; readonly connection: string; readonly schema: string; readonly table: string }
  /** A steward's SELECT over other datasets, named `schema.name`. */
  | { readonly kind: 'view'; readonly sql: string };

export interface Dataset {
  /** Object id that policies bind to; survives a rename. */
  readonly id: string;
  readonly schema: string;
  readonly name: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly columns: readonly Column[];
  readonly source: Source;
  /** Empty = none declared. */
  readonly primaryKey?: readonly string[];
  readonly foreignKeys?: readonly ForeignKey[];
  /** Only scratch tables have one: nobody else reads them, and only while every source's decision is still the same. */
  readonly owner?: { readonly subject: string; readonly lineage: readonly Lineage[] };
  /** Why nobody may read this dataset (a rule or column that does not resolve); fail closed. */
  readonly broken?: string;
}

/** Referential facts that a steward declares; the engine does not check them. */
export interface ForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  /** Dataset id. */
  readonly references: string;
  readonly referencedColumns: readonly string[];
}

/** What a scratch table was made of: the decision of each source as it was then, hashed. */
export interface Lineage {
  readonly dataset: string;
  readonly decision: string;
}

export interface User {
  readonly name: string;
  /** `scrypt$N$r$p$salt$hash`, salt and hash in base64; empty = no login by password. */
  readonly passwordHash: string;
  /** The URI or, without one, the common name in the client certificates that prove this user. */
  readonly certificate?: string;
  readonly groups: readonly string[];
  readonly attributes: Readonly<Record<string, readonly string[]>>;
}

/** A typed scalar of the small policy language; `principal.x` is an attribute until a decision binds it. */
export type Scalar =
  | { readonly kind: 'column'; readonly name: string }
  | { readonly kind: 'literal'; readonly value: string | number | bigint | boolean; readonly type?: 'DATE' | 'TIMESTAMP' }
  | { readonly kind: 'attribute'; readonly name: string }
  | { readonly kind: 'call'; readonly function: 'lower' | 'upper' | 'year' | 'month' | 'current_date'; readonly args: readonly Scalar[] };

export type CompareOp = '=' | '<>' | '<' | '<=' | '>' | '>=';

/** A row condition over raw values of one dataset, built from typed pieces, never from text. */
export type Predicate =
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Predicate[] }
  | { readonly kind: 'not'; readonly operand: Predicate }
  | { readonly kind: 'compare'; readonly op: CompareOp; readonly left: Scalar; readonly right: Scalar }
  | { readonly kind: 'in'; readonly value: Scalar; readonly list: readonly Scalar[] }
  | { readonly kind: 'isNull'; readonly value: Scalar }
  | { readonly kind: 'like'; readonly value: Scalar; readonly pattern: string };

/** How a cell is hidden. Keeps the column's type and NULL-ness, never throws. */
export type Mask =
  | { readonly kind: 'null' }
  | { readonly kind: 'constant'; readonly value: string | number | boolean }
  | { readonly kind: 'redact' }
  | { readonly kind: 'first' | 'last'; readonly count: number }
  | { readonly kind: 'email' }
  | { readonly kind: 'hash' }
  | { readonly kind: 'token' }
  | { readonly kind: 'date'; readonly unit: 'year' | 'quarter' | 'month' | 'day' }
  | { readonly kind: 'round'; readonly step: number };

export type Treatment =
  | { readonly kind: 'raw' }
  | { readonly kind: 'hidden' }
  /** `rawWhen`: rows on which a grant gives the raw value; null = none. */
  | { readonly kind: 'masked'; readonly mask: Mask; readonly rawWhen: Predicate | null };

export interface ColumnDecision {
  readonly name: string;
  readonly treatment: Treatment;
  /** Rule and grant ids that led here, for EXPLAIN POLICY. */
  readonly rules: readonly string[];
  readonly reason: string;
}

/** The policy's answer for one principal and one dataset. A denial is a value, not an error. */
export type Decision =
  | { readonly effect: 'deny'; readonly dataset: string; readonly reason: string; readonly rules: readonly string[] }
  | {
      readonly effect: 'allow';
      readonly dataset: string;
      /** null = every row. Attributes are bound to literals. */
      readonly rowFilter: Predicate | null;
      /** One per column of the dataset, in dataset order. */
      readonly columns: readonly ColumnDecision[];
      readonly roles: readonly string[];
      readonly grants: readonly string[];
      /** Ids of the row filters in force. */
      readonly rules: readonly string[];
    };

export type AllowDecision = Extract<Decision, { effect: 'allow' }>;

export interface Grant {
  readonly id: string;
  readonly role: string;
  /** `schema.name` pattern with `*`, or `tag:name`. */
  readonly object: string;
  readonly action: string;
  readonly effect: 'allow' | 'deny';
  /** Name pattern with `*` of the clusters it holds in; left out = in all. */
  readonly cluster?: string;
}

/** Where a rule applies; within a field any match counts, between fields all must match. Omitted = everywhere. */
export interface RuleScope {
  readonly roles?: readonly string[];
  readonly exceptRoles?: readonly string[];
  /** `schema.name` patterns. */
  readonly datasets?: readonly string[];
  /** Dataset tags for row filters; column tags for masks. */
  readonly tags?: readonly string[];
  /** Grant ids. */
  readonly grants?: readonly string[];
}

export interface RowFilterRule extends RuleScope {
  readonly id: string;
  readonly restrictive: boolean;
  readonly filter: Predicate;
}

export interface MaskRule extends RuleScope {
  readonly id: string;
  /** Column name patterns with `*`. */
  readonly columns?: readonly string[];
  /** `hide` removes the column. */
  readonly treatment: Mask | { readonly kind: 'hide' };
}

/** Everything that metadata says at one epoch. Immutable; a change makes a new one. */
export interface Snapshot {
  /** Increases with every change. */
  readonly epoch: number;
  /** SHA-256 over the content, hex: two nodes with the same files agree. */
  readonly contentHash: string;
  readonly catalogName: string;
  readonly defaultSchema: string;
  /** Where principals may make tables of their own; null = nowhere. */
  readonly scratchSchema: string | null;
  readonly connections: readonly Connection[];
  readonly datasets: readonly Dataset[];
  readonly users: readonly User[];
  /** Casbin model text. */
  readonly model: string;
  /** Casbin `g` lines: [member, role]. */
  readonly memberships: readonly (readonly [string, string])[];
  readonly grants: readonly Grant[];
  readonly rowFilters: readonly RowFilterRule[];
  readonly masks: readonly MaskRule[];
  /** What `sluice check` reports; the datasets concerned are `broken`. */
  readonly problems: readonly string[];
}

/** A private catalog that holds only one plan's governed views; `name` is a hash of what decides its content. */
export interface PlanCatalog {
  readonly name: string;
  readonly defaultSchema: string;
  /** Run in order after `ATTACH ':memory:' AS name`; every name in them is fully qualified. */
  readonly statements: readonly string[];
  /** What views in `statements` read of files: the worker makes each relation first, from storage or from its cache. */
  readonly scans?: readonly Scan[];
}

/** How a result looks on the wire. The plain form is the one every client reads (D10). */
export interface WireForm {
  readonly strings: 'utf8' | 'view';
  readonly enums: 'utf8' | 'dictionary';
  readonly compression: 'none' | 'lz4' | 'zstd';
  /** Wished size of a record batch; at most, and by default, the server's. */
  readonly batchBytes?: number;
}

export const PLAIN_FORM: WireForm = { strings: 'utf8', enums: 'utf8', compression: 'none' };

export interface QueryTask {
  readonly kind: 'query';
  readonly catalog: PlanCatalog;
  /** Run one after the other into one stream: one per row of bound parameters. */
  readonly statements: readonly string[];
  readonly datasets: readonly string[];
  readonly form: WireForm;
  /** IPC Schema message that the client was promised; empty = the engine's own. */
  readonly schema: Uint8Array;
  /** The same rows come again as long as policy, files and this task are the same: no clock, no chance, no session in it. */
  readonly repeatable?: boolean;
}

/** A table of a principal's own in the scratch schema. */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** A statement that is not a query: it changes something, or asks the server about itself. */
export type Command =
  | { readonly kind: 'createTable'; readonly table: TableName; readonly ifExists: 'fail' | 'replace' | 'keep' }
  | { readonly kind: 'insert'; readonly table: TableName; readonly columns: readonly string[] }
  | { readonly kind: 'dropTable'; readonly table: TableName; readonly ifExists: boolean }
  | { readonly kind: 'createToken'; readonly name: string; readonly ttlMs: number | null }
  | { readonly kind: 'dropToken'; readonly name: string }
  | { readonly kind: 'showTokens' }
  | StewardCommand
  /** What clients send around their statements; nothing happens. */
  | { readonly kind: 'none' };

/** Needs the right `operate` on the server. */
export type StewardCommand =
  /** Takes the files of a dataset as they are now into its index. */
  | { readonly kind: 'refreshDataset'; readonly table: TableName }
  /** Makes files below a connection's place a dataset. */
  | {
      readonly kind: 'registerDataset';
      readonly table: TableName;
      readonly connection: string;
      readonly path: string;
      readonly format: FileFormat;
      readonly hivePartitioning: boolean;
    }
  /** Keeps a dataset in the memory of the engines, or leaves that to observed use again. */
  | { readonly kind: 'pin' | 'unpin'; readonly table: TableName }
  | { readonly kind: 'showWorkers' | 'showCache' };

/** One unit of work for one worker. */
export type Task =
  | QueryTask
  /** Runs at most once per query id; `query` gives the rows that a table is made of. */
  | { readonly kind: 'command'; readonly command: Command; readonly query: QueryTask | null }
  /** A finished small result (EXPLAIN POLICY) as an Arrow IPC stream. */
  | { readonly kind: 'inline'; readonly ipc: Uint8Array };

/** One record batch, ready to frame: IPC Message flatbuffer and its body. */
export interface EncodedBatch {
  readonly header: Uint8Array;
  /** Valid until `release()`; may be shared memory. */
  readonly body: Uint8Array;
  readonly rows: number;
  /** Gives the memory back; call exactly once, after the bytes left the process. */
  release(): void;
}

/** Pull-based result; nothing runs ahead further than the engine's bounded buffers. */
export interface BatchSource extends AsyncDisposable {
  /** IPC Schema message flatbuffer. */
  readonly schemaHeader: Uint8Array;
  /** null at the end. Rejects with a SluiceError. */
  next(): Promise<EncodedBatch | null>;
}
