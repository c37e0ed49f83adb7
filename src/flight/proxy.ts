/**
 * DoGet and cancels at a planner: queries run on the workers, for clients that follow no location; what needs no rows is
 * answered here.
 */
import type { BatchSource, QueryTask } from '../model.ts';
import { type CancelStatus, openTicket, type Sealer, type Ticket } from '../wire/index.ts';
import type { Worker } from '../worker/index.ts';
import type { Remote } from './remote.ts';
import type { Rpc } from './rpc.ts';
import type { Cancel, Redeem } from './types.ts';

export interface ProxyOptions {
  readonly remote: Remote;
  /** Answers about policies, and commands. */
  readonly worker: Worker;
  readonly sealer: Sealer;
  readonly cluster: string;
  /** Flight URIs of living workers for a task, best first. */
  readonly place: (task: QueryTask) => readonly string[];
  /** Who gets new tasks now. */
  readonly live: () => readonly string[];
  /** Who may still run something, the living among them. */
  readonly everywhere: () => readonly string[];
  /** How far the clock of who made a ticket may be behind, milliseconds. */
  readonly clockSkewMs?: number;
  readonly now?: () => number;
}

export interface TicketProxy {
  /** Rejects with ticket.*, server.unavailable and what the worker rejects with. */
  readonly redeem: Redeem;
  /** At every worker at once. Rejects with ticket.*. */
  readonly cancel: Cancel;
  /** Streams that pass through now. */
  streams(): number;
}

export function createProxy(options: ProxyOptions): TicketProxy {
  const { remote, worker, sealer, cluster, place, clockSkewMs = 0, now = Date.now } = options;
  let streams = 0;
  const open = (rpc: Rpc, sealed: Uint8Array): Ticket =>
    openTicket(sealer, sealed, { cluster, subject: rpc.principal.subject, nowMs: now() - clockSkewMs });
  return {
    redeem: async (rpc, sealed) => {
      const ticket = open(rpc, sealed);
      if (ticket.task.kind !== 'query') return worker.redeem(sealed, rpc.principal, rpc.signal);
      const { queryId, statement, epoch, fingerprint } = ticket;
      // So that a cancel here ends it here too, whatever its worker does.
      const running = worker.track(ticket, rpc.signal);
      streams++;
      const end = once(() => {
        streams--;
        running.end();
      });
      try {
        const source = await remote.read(sealed, place(ticket.task), rpc.bearer, running.signal);
        return { task: { queryId, statement, epoch, fingerprint }, source: thenEnd(source, end), ended: running.signal };
      } catch (error) {
        end();
        throw error;
      }
    },
    cancel: async (rpc, sealed) => {
      const tickets = sealed.map((bytes) => ({ bytes, ...open(rpc, bytes) }));
      const here = await Promise.all(tickets.map(({ bytes }) => worker.cancel(bytes, rpc.principal)));
      // One ticket stands for all of its query.
      const queries = new Map(tickets.filter(({ task }) => task.kind === 'query').map(({ queryId, bytes }) => [queryId, bytes]));
      const there = queries.size === 0 ? 'notCancellable' : await cancelAtAll(options, [...queries.values()], rpc.bearer);
      const endedHere = tickets.some(({ task }, i) => task.kind !== 'query' && here[i] === true);
      return there === 'notCancellable' && endedHere ? 'cancelled' : there;
    },
    streams: () => streams,
  };
}

/** One that is not in the list any more and does not answer is gone, and what it ran with it. */
async function cancelAtAll(
  { remote, live, everywhere }: ProxyOptions,
  sealed: readonly Uint8Array[],
  bearer: string,
): Promise<CancelStatus> {
  const living = new Set(live());
  const asked = [...new Set([...living, ...everywhere()])];
  const answers = await Promise.all(
    asked.map(
      async (location) => (await remote.cancel(sealed, location, bearer)) ?? (living.has(location) ? 'cancelling' : 'notCancellable'),
    ),
  );
  return (['cancelling', 'cancelled'] as const).find((status) => answers.includes(status)) ?? 'notCancellable';
}

function thenEnd(source: BatchSource, end: () => void): BatchSource {
  return {
    schemaHeader: source.schemaHeader,
    next: () => source.next(),
    [Symbol.asyncDispose]: async () => {
      end();
      await source[Symbol.asyncDispose]();
    },
  };
}

function once(run: () => void): () => void {
  let done = false;
  return () => {
    if (!done) run();
    done = true;
  };
}
