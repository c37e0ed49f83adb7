/** What the worker takes and gives. */
import type { BatchSource, Principal } from '../model.ts';

/** An opened ticket, before any row is read. */
export interface OpenedTask {
  readonly queryId: string;
  readonly statement: string;
  readonly epoch: number;
  readonly fingerprint: string;
}

export interface Worker {
  /**
   * Opens a sealed ticket for its principal and starts the task. Rejects with ticket.*, policy.changed, limit.*, sql.*.
   * `signal` interrupts the engine; dispose the source on every exit.
   */
  redeem(ticket: Uint8Array, principal: Principal, signal: AbortSignal): Promise<{ task: OpenedTask; source: BatchSource }>;
}
