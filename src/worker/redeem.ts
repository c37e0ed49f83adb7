/** Opening a sealed ticket: whose it is, whether it still holds, and what it starts (invariants I3, I10). */
import { fail } from '../errors.ts';
import type { BatchSource, Principal, QueryTask, Task } from '../model.ts';
import { createStorage } from '../storage/index.ts';
import { decodeTicket, inlineFingerprint, type Sealer, type Ticket } from '../wire/index.ts';
import { chainSources, onDispose, promisedSource } from './sources.ts';
import type { EngineLease, PolicyInForce } from './types.ts';

const storage = createStorage();

/** For the principal's own, unexpired tickets of this cluster. Fails with ticket.*. */
export function openTicket(sealed: Uint8Array, principal: Principal, cluster: string, sealer: Sealer, nowMs: number): Ticket {
  const ticket = decodeTicket(sealer.open('ticket', sealed));
  if (ticket.cluster !== cluster) fail('ticket.invalid', 'this ticket was made by another cluster');
  if (ticket.subject !== principal.subject) fail('ticket.principal', 'this ticket belongs to another principal');
  if (ticket.expiresAtMs <= nowMs) fail('ticket.expired', 'this ticket has expired; run the query again');
  return ticket;
}

/** A finished answer about policies has no datasets of its own: any change makes it stale. Fails with policy.changed. */
export function checkPolicy(ticket: Ticket, now: PolicyInForce): void {
  const fingerprint = now.rights.fingerprint([...ticket.datasets, ...datasetsOf(ticket.task)]);
  const expected = ticket.task.kind === 'inline' ? inlineFingerprint(fingerprint, now.snapshot.contentHash) : fingerprint;
  if (ticket.fingerprint !== expected) fail('policy.changed', 'the policy changed since this query was planned; run it again');
}

/** What the task itself reads counts, whatever else the ticket says. */
function datasetsOf(task: Task): readonly string[] {
  if (task.kind === 'inline') return [];
  return (task.kind === 'query' ? task : task.query)?.datasets ?? [];
}

/** Runs a query's statements one after the other on one engine, if the files of a share are still the same. Owns nothing on rejection. */
export async function startQuery(task: QueryTask, lease: () => Promise<EngineLease>, signal: AbortSignal): Promise<BatchSource> {
  if (task.files !== undefined) await storage.verify(task.files);
  const { engine, release } = await lease();
  try {
    const source = await chainSources(task.statements.map((sql) => () => engine.run(task.catalog, sql, signal, task.form)));
    return onDispose(await orDispose(source, () => promisedSource(source, task.schema)), release);
  } catch (error) {
    release();
    throw error;
  }
}

async function orDispose<T>(source: BatchSource, make: () => T): Promise<T> {
  try {
    return make();
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}
