/** What the main thread and the engine threads say to each other. Native state crosses as plain addresses. */
import type { WireForm } from '../model.ts';
import type { ResultColumn } from './column-type.ts';
import type { Address } from './duckdb-c.ts';
import type { CopyJob, ParameterInfo } from './types.ts';

/** How far a cursor has been read: what a pull changes. */
export interface Position {
  /** A fetched chunk of which rows before `from` have been sent; 0 = none. */
  readonly chunk: Address;
  readonly from: number;
  /** Batches made so far. */
  readonly batches: number;
}

/** The native state of one running query. Owned by one job at a time; freed by a `close` job. */
export interface Cursor extends Position {
  readonly connection: Address;
  readonly statement: Address;
  /** `duckdb_result` in native memory. */
  readonly result: Address;
  readonly options: Address;
  /** Chunk that references the columns which DuckDB itself converts; 0 = none. */
  readonly conversion: Address;
  /** The columns' wire types as JSON: one text crosses threads faster than the objects. */
  readonly layout: string;
  readonly compression: WireForm['compression'];
  /** Wished size of a batch; 0 = a slot. */
  readonly batchBytes: number;
}

/** Shared memory that one pull may write. */
export interface SlotMemory {
  readonly memory: SharedArrayBuffer;
  readonly address: Address;
}

export type Job =
  | { readonly kind: 'openDatabase'; readonly setup: readonly string[] }
  | { readonly kind: 'closeDatabase'; readonly database: Address }
  /** Runs `setup`, then `sql` if there is one, with text parameters. */
  | {
      readonly kind: 'query';
      readonly connection: Address;
      readonly setup: readonly string[];
      readonly sql: string | null;
      readonly parameters: readonly string[];
    }
  | {
      readonly kind: 'describe';
      readonly connection: Address;
      readonly setup: readonly string[];
      readonly sql: string;
      readonly form: WireForm;
    }
  | {
      readonly kind: 'open';
      readonly connection: Address;
      readonly setup: readonly string[];
      readonly sql: string;
      readonly form: WireForm;
    }
  /** The parameters of a statement that is only prepared. */
  | { readonly kind: 'parameters'; readonly connection: Address; readonly setup: readonly string[]; readonly sql: string }
  | ({ readonly kind: 'copy'; readonly connection: Address; readonly setup: readonly string[] } & CopyJob)
  | { readonly kind: 'pull'; readonly cursor: Cursor; readonly slot: SlotMemory; readonly maxRows: number }
  | { readonly kind: 'close'; readonly cursor: Cursor };

export interface JobResults {
  readonly openDatabase: Address;
  readonly closeDatabase: null;
  readonly query: readonly (readonly (string | null)[])[];
  readonly describe: { readonly columns: readonly ResultColumn[]; readonly parameterCount: number };
  readonly parameters: readonly ParameterInfo[];
  readonly open: {
    readonly cursor: Cursor;
    readonly columns: readonly ResultColumn[];
    /** Values of each dictionary, by id. */
    readonly dictionaries: readonly (readonly string[])[];
  };
  readonly copy: { readonly rows: number };
  readonly pull: Pulled;
  readonly close: null;
}

export type Pulled =
  /** `body` null: `length` bytes from the start of the slot. `ended`: no batch follows. */
  | {
      readonly kind: 'batch';
      readonly header: Uint8Array;
      readonly body: Uint8Array | null;
      readonly length: number;
      readonly rows: number;
      readonly ended: boolean;
      readonly position: Position;
    }
  | { readonly kind: 'end'; readonly position: Position }
  /** The next row alone needs a slot of `bytes`. */
  | { readonly kind: 'grow'; readonly bytes: number; readonly position: Position };

/** Why a job failed; turned into a SluiceError on the main thread. */
export type Failure =
  /** DuckDB's own text; begins with the error class. */
  | { readonly kind: 'duckdb'; readonly text: string }
  | { readonly kind: 'type'; readonly column: string; readonly type: string }
  /** Analysing took too long; the statement was interrupted. */
  | { readonly kind: 'deadline' }
  /** A 128-bit integer beyond decimal128(38, 0). */
  | { readonly kind: 'digits' }
  | { readonly kind: 'statement'; readonly statementType: number }
  /** A result has more or fewer columns than the table takes. */
  | { readonly kind: 'width'; readonly found: number; readonly expected: number }
  /** Two columns of a file would have this name. */
  | { readonly kind: 'twin'; readonly column: string }
  | { readonly kind: 'fault'; readonly text: string };

export type Reply<K extends Job['kind'] = Job['kind']> =
  | { readonly id: number; readonly ok: true; readonly result: JobResults[K] }
  | { readonly id: number; readonly ok: false; readonly failure: Failure };

/** A job's failure as an exception. */
export class JobError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.kind === 'duckdb' || failure.kind === 'fault' ? failure.text : failure.kind);
    this.failure = failure;
  }
}
