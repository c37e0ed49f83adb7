/** DoGet at a planner: queries run on the workers, for clients that follow no location; what needs no rows is answered here. */
import type { QueryTask } from '../model.ts';
import { openTicket, type Sealer } from '../wire/index.ts';
import type { Worker } from '../worker/index.ts';
import type { Remote } from './remote.ts';
import type { Redeem } from './types.ts';

export interface ProxyOptions {
  readonly remote: Remote;
  /** Answers about policies, and commands. */
  readonly worker: Worker;
  readonly sealer: Sealer;
  readonly cluster: string;
  /** Flight URIs of living workers for a task, best first. */
  readonly place: (task: QueryTask) => readonly string[];
  readonly now?: () => number;
}

/** Rejects with ticket.*, server.unavailable and what the worker rejects with. */
export function redeemElsewhere({ remote, worker, sealer, cluster, place, now = Date.now }: ProxyOptions): Redeem {
  return async (rpc, sealed) => {
    const ticket = openTicket(sealer, sealed, { cluster, subject: rpc.principal.subject, nowMs: now() });
    if (ticket.task.kind !== 'query') return worker.redeem(sealed, rpc.principal, rpc.signal);
    const source = await remote.read(sealed, place(ticket.task), rpc.bearer, rpc.signal);
    const { queryId, statement, epoch, fingerprint } = ticket;
    return { task: { queryId, statement, epoch, fingerprint }, source, ended: rpc.signal };
  };
}
