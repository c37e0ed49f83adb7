/** What the worker takes and gives. */
import type { Engine } from '../engine/index.ts';
import type { BatchSource, Command, Principal, QueryTask, Snapshot, TableName } from '../model.ts';
import type { PrincipalPolicy } from '../policy/index.ts';
import type { Running } from './running.ts';

/** An opened ticket, before any row is read. */
export interface OpenedTask {
  readonly queryId: string;
  readonly statement: string;
  readonly epoch: number;
  readonly fingerprint: string;
}

/** Rows that a client sends for a table of its own. */
export interface IngestRequest {
  readonly table: TableName;
  readonly ifExists: 'fail' | 'append' | 'replace';
  readonly ifMissing: 'create' | 'fail';
}

/** A started task. */
export interface Redeemed {
  readonly task: OpenedTask;
  readonly source: BatchSource;
  /** Fires when the query is ended, by its client or by a limit: stop sending, also in the middle of a batch. */
  readonly ended: AbortSignal;
}

export interface Worker {
  /**
   * Opens a sealed ticket for its principal and starts the task. Rejects with ticket.*, policy.changed, limit.*, sql.*.
   * `signal` interrupts the engine; dispose the source on every exit.
   */
  redeem(ticket: Uint8Array, principal: Principal, signal: AbortSignal): Promise<Redeemed>;
  /** Runs a command's ticket to its end; the number of rows it changed. Rejects as `redeem`, and with request.malformed for a query. */
  execute(ticket: Uint8Array, principal: Principal, signal: AbortSignal): Promise<{ task: OpenedTask; rows: number }>;
  /** `messages`: an Arrow IPC stream, schema first. The number of rows stored. Rejects with policy.denied, limit.*, request.malformed. */
  ingest(request: IngestRequest, principal: Principal, messages: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number>;
  /** Ends what runs for this ticket's query and refuses its tickets from now on; false when it has already ended. Rejects with ticket.*. */
  cancel(ticket: Uint8Array, principal: Principal): Promise<boolean>;
  /** A place among the running for a stream that another process computes, so that `cancel` ends it here too. Rejects with request.cancelled. */
  track(query: { readonly queryId: string; readonly expiresAtMs: number }, signal: AbortSignal): Running;
}

/** An engine held while a stream runs. */
export interface EngineLease {
  readonly engine: Engine;
  release(): void;
}

/** The policy at one moment, for one principal: check and use the same one. */
export interface PolicyInForce {
  readonly snapshot: Snapshot;
  readonly rights: PrincipalPolicy;
}

/** A command's answer: rows by column name under its `commandSchema`, or how many rows it changed. */
export type CommandResult =
  | { readonly count: number }
  | { readonly rows: readonly Readonly<Record<string, string | Date | bigint | boolean | null>>[] };

/** A command that has passed every check of its ticket. */
export interface CommandCall {
  readonly command: Command;
  readonly query: QueryTask | null;
  readonly principal: Principal;
  /** What the ticket was checked against. */
  readonly policy: PolicyInForce;
  readonly signal: AbortSignal;
}

export type CommandRunner = (call: CommandCall) => Promise<CommandResult>;

/** Rows to store for a principal of its own. */
export interface IngestCall {
  readonly request: IngestRequest;
  readonly principal: Principal;
  readonly policy: PolicyInForce;
  readonly messages: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/** The number of rows stored. */
export type Ingest = (call: IngestCall) => Promise<number>;

export type Registration = Extract<Command, { kind: 'registerDataset' }>;

/** What registering or refreshing found; sizes are bytes. */
export interface DatasetReport {
  readonly dataset: TableName;
  readonly files: number;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly bytes: number;
  /** null = not known. */
  readonly rows: number | null;
  /** What the steward should know or do next; empty = nothing. */
  readonly note: string;
}

/** A row of SHOW WORKERS. */
export interface FleetEntry {
  readonly location: string;
  readonly cluster: string;
  readonly zone: string;
  readonly version: string;
  readonly capacity: number;
  readonly running: number;
  readonly heartbeatAtMs: number | null;
  readonly alive: boolean;
}

/** A row of SHOW CACHE. */
export interface CacheEntry {
  /** Flight URI, or empty for this process. */
  readonly worker: string;
  readonly kind: 'result' | 'table' | 'metadata';
  /** What is kept; a dataset as `schema.name`. */
  readonly object: string;
  readonly bytes: number;
  /** null = not known. */
  readonly rows: number | null;
  readonly hits: number;
  readonly lastUsedAtMs: number | null;
  readonly pinned: boolean;
}
