/** What the worker takes and gives. */
import type { BatchSource, Principal, TableName } from '../model.ts';

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

export interface Worker {
  /**
   * Opens a sealed ticket for its principal and starts the task. Rejects with ticket.*, policy.changed, limit.*, sql.*.
   * `signal` interrupts the engine; dispose the source on every exit.
   */
  redeem(ticket: Uint8Array, principal: Principal, signal: AbortSignal): Promise<{ task: OpenedTask; source: BatchSource }>;
  /** Runs a command's ticket to its end; the number of rows it changed. Rejects as `redeem`, and with request.malformed for a query. */
  execute(ticket: Uint8Array, principal: Principal, signal: AbortSignal): Promise<{ task: OpenedTask; rows: number }>;
  /** `messages`: an Arrow IPC stream, schema first. The number of rows stored. Rejects with policy.denied, limit.*, request.malformed. */
  ingest(request: IngestRequest, principal: Principal, messages: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number>;
  /** Ends what runs for this ticket's query and refuses its tickets from now on; false when it has already ended. Rejects with ticket.*. */
  cancel(ticket: Uint8Array, principal: Principal): Promise<boolean>;
}
