/** Sealed ticket → record batches. Decides nothing: it only checks that the decision inside still holds (invariants I3, I10). */
import type { Engine } from '../engine/index.ts';
import { fail } from '../errors.ts';
import type { BatchSource, EncodedBatch, Principal, Task } from '../model.ts';
import { decodeTicket, inlineFingerprint, type Sealer, splitIpcStream, type Ticket } from '../wire/index.ts';
import type { Worker } from './types.ts';

/** An engine held while a stream runs. */
export interface EngineLease {
  readonly engine: Engine;
  release(): void;
}

export interface PolicyInForce {
  /** Hash of the whole policy and catalog; unlike an epoch it means the same after a restart. */
  readonly contentHash: string;
  readonly fingerprint: string;
}

export interface WorkerOptions {
  readonly cluster: string;
  readonly sealer: Sealer;
  /** The engine that serves the catalog in force now. */
  readonly lease: () => Promise<EngineLease>;
  /** What is in force now: the policy's content and the fingerprint for these datasets. */
  readonly inForce: (principal: Principal, datasets: readonly string[]) => Promise<PolicyInForce>;
  readonly streamsMax: number;
  readonly now?: () => number;
}

export function createWorker(options: WorkerOptions): Worker {
  const now = options.now ?? Date.now;
  let open = 0;
  return {
    redeem: async (sealed, principal, signal) => {
      const ticket = decodeTicket(options.sealer.open('ticket', sealed));
      checkTicket(ticket, principal, options.cluster, now());
      checkPolicy(ticket, await options.inForce(principal, ticket.datasets));
      if (open >= options.streamsMax) fail('limit.busy', `${options.streamsMax} streams are open; try again later`);
      open++;
      try {
        const source = await startTask(ticket.task, options, signal);
        const { queryId, statement, epoch, fingerprint } = ticket;
        return { task: { queryId, statement, epoch, fingerprint }, source: onDispose(source, () => open--) };
      } catch (error) {
        open--;
        throw error;
      }
    },
  };
}

function checkTicket(ticket: Ticket, principal: Principal, cluster: string, nowMs: number): void {
  if (ticket.cluster !== cluster) fail('ticket.invalid', 'this ticket was made by another cluster');
  if (ticket.subject !== principal.subject) fail('ticket.principal', 'this ticket belongs to another principal');
  if (ticket.expiresAtMs <= nowMs) fail('ticket.expired', 'this ticket has expired; run the query again');
}

/** A finished answer about policies has no datasets of its own: any change makes it stale. */
function checkPolicy(ticket: Ticket, now: PolicyInForce): void {
  const expected = ticket.task.kind === 'inline' ? inlineFingerprint(now.fingerprint, now.contentHash) : now.fingerprint;
  if (ticket.fingerprint !== expected) fail('policy.changed', 'the policy changed since this query was planned; run it again');
}

async function startTask(task: Task, options: WorkerOptions, signal: AbortSignal): Promise<BatchSource> {
  if (task.kind === 'inline') return inlineSource(task.ipc);
  const lease = await options.lease();
  try {
    return onDispose(await lease.engine.run(task.catalog, task.statements[0] ?? '', signal), () => lease.release());
  } catch (error) {
    lease.release();
    throw error;
  }
}

function inlineSource(ipc: Uint8Array): BatchSource {
  const { schemaHeader, batches } = splitIpcStream(ipc);
  const rest: EncodedBatch[] = [...batches];
  return { schemaHeader, next: async () => rest.shift() ?? null, [Symbol.asyncDispose]: async () => {} };
}

/** Runs `after` once, when the source is disposed. */
function onDispose(source: BatchSource, after: () => void): BatchSource {
  let disposed = false;
  return {
    schemaHeader: source.schemaHeader,
    next: () => source.next(),
    [Symbol.asyncDispose]: async () => {
      if (disposed) return;
      disposed = true;
      try {
        await source[Symbol.asyncDispose]();
      } finally {
        after();
      }
    },
  };
}
