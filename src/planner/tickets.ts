/** Sealing drafts into tickets, and giving tickets a later expiry. */
import { Schema } from 'apache-arrow';
import type { Principal, Task } from '../model.ts';
import type { Policy } from '../policy/index.ts';
import { checkInForce, commandSchema, encodeTicket, openTicket, type Sealer, type Ticket, taskDatasets } from '../wire/index.ts';
import type { Draft } from './draft.ts';
import type { Plan, ResultOptions } from './types.ts';

/** However often it is renewed, a ticket ends so long after it was first issued. */
const LIFE_MAX_MS = 24 * 3600 * 1000;

export interface TicketOptions {
  readonly policy: () => Promise<Policy>;
  readonly sealer: Sealer;
  readonly cluster: string;
  readonly ticketTtlMs: number;
  /** How far the clock of who made a ticket may be behind, milliseconds. */
  readonly clockSkewMs?: number;
  /** For each task of one plan the Flight URIs of its workers, best first; none = this server. */
  readonly place?: (tasks: readonly Task[]) => readonly (readonly string[])[];
}

export interface Tickets {
  issue(draft: Draft, principal: Principal, result: ResultOptions): Plan;
  /** Rejects with ticket.*, policy.changed. */
  renew(ticket: Uint8Array, principal: Principal): Promise<{ readonly ticket: Uint8Array; readonly expiresAtMs: number }>;
}

export function createTickets(options: TicketOptions, now: () => number): Tickets {
  const seal = (ticket: Ticket): Uint8Array => options.sealer.seal('ticket', encodeTicket(ticket));
  return {
    issue: ({ schema, task, shares, audit }, principal, { endpointsMax }) => {
      const issuedAtMs = now();
      const expiresAtMs = issuedAtMs + options.ticketTtlMs;
      const common = {
        cluster: options.cluster,
        queryId: audit.queryId,
        subject: principal.subject,
        fingerprint: audit.fingerprint,
        epoch: audit.epoch,
        datasets: taskDatasets(task),
        issuedAtMs,
        expiresAtMs,
        statement: audit.statement,
      };
      const parts = shares ?? [task];
      const tickets = parts.map((part, taskId) => seal({ ...common, taskId, task: part }));
      // Who reads one endpoint only does not follow locations either.
      const locations = (endpointsMax > 1 ? options.place?.(parts) : undefined) ?? parts.map(() => []);
      return { queryId: audit.queryId, schema: schema ?? schemaOfTask(task), tickets, locations, ordered: true, expiresAtMs, audit };
    },
    renew: async (sealed, principal) => {
      const nowMs = now() - (options.clockSkewMs ?? 0);
      const ticket = openTicket(options.sealer, sealed, { cluster: options.cluster, subject: principal.subject, nowMs });
      const policy = await options.policy();
      checkInForce(ticket, { snapshot: policy.snapshot, rights: await policy.forPrincipal(principal) });
      const expiresAtMs = Math.min(now() + options.ticketTtlMs, ticket.issuedAtMs + LIFE_MAX_MS);
      return { ticket: seal({ ...ticket, expiresAtMs }), expiresAtMs };
    },
  };
}

/** What DoGet sends for a statement that clients run as an update. */
function schemaOfTask(task: Task): Schema {
  return task.kind === 'command' ? commandSchema(task.command) : new Schema([]);
}
