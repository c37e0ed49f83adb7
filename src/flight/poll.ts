/** PollFlightInfo: GetFlightInfo that does not keep the caller waiting while a query is planned. */
import { SluiceError } from '../errors.ts';
import type { Plan } from '../planner/index.ts';
import { orAbort } from '../waiting.ts';
import {
  decodeDescriptor,
  decodePending,
  decodeRetry,
  encodePending,
  encodePollAnswer,
  encodeRetry,
  type PendingPoll,
} from '../wire/index.ts';
import { metadataInfo, planQuery, queryInfo } from './commands.ts';
import type { Poll } from './polls.ts';
import { isQuery, readRequest } from './request.ts';
import type { Rpc } from './rpc.ts';
import type { Services } from './types.ts';

/** The first answer comes soon, the next ones when there is something to tell. */
const FIRST_WAIT_MS = 1_000;
const NEXT_WAIT_MS = 5_000;
/** How long a retry descriptor is good. */
const RETRY_TTL_MS = 120_000;

export async function pollFlightInfo(services: Services, rpc: Rpc): Promise<void> {
  const sent = await rpc.request();
  const pending = openRetry(services, rpc, sent);
  const descriptor = pending?.descriptor ?? sent;
  const decoded = decodeDescriptor(descriptor);
  const request = readRequest(rpc, decoded);
  if (!isQuery(request)) {
    const info = metadataInfo(services, descriptor, decoded, request);
    return await rpc.send(encodePollAnswer({ info, retry: null, progress: 1, expiresAtMs: null }));
  }
  // Planning began in another request, and may fail in this one.
  if (request.kind === 'statement') rpc.audit.add({ statement: request.sql });
  const { subject } = rpc.principal;
  const known = pending === null ? undefined : services.polls.find(subject, pending.pollId);
  const poll = known ?? services.polls.start(subject, () => planQuery(services, rpc, request));
  const plan = await within(services, rpc, poll, known === undefined ? FIRST_WAIT_MS : NEXT_WAIT_MS);
  if (plan === null) return await sendPending(services, rpc, poll, descriptor);
  if (known === undefined) services.polls.drop(poll.id);
  else services.polls.delivered(poll.id);
  rpc.audit.add(plan.audit);
  await rpc.send(encodePollAnswer({ info: queryInfo(descriptor, plan), retry: null, progress: 1, expiresAtMs: null }));
}

/** Which poll a FlightInfo of ours belongs to; null when it is complete or not ours. */
export function pollOf(services: Services, rpc: Rpc, appMetadata: Uint8Array): PendingPoll | null {
  const sealed = decodeRetry(appMetadata);
  return sealed === null ? null : openPending(services, rpc, sealed);
}

/** The plan, or null when it takes longer. */
async function within(services: Services, rpc: Rpc, poll: Poll, waitMs: number): Promise<Plan | null> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), waitMs);
  });
  try {
    const plan = await orAbort(Promise.race([poll.plan, patience]), rpc.signal);
    // A cancel may have come while it was planned.
    services.polls.find(rpc.principal.subject, poll.id);
    return plan;
  } catch (error) {
    if (!rpc.signal.aborted) services.polls.drop(poll.id);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function sendPending(services: Services, rpc: Rpc, poll: Poll, descriptor: Uint8Array): Promise<void> {
  const expiresAtMs = services.now() + RETRY_TTL_MS;
  const state = { pollId: poll.id, subject: rpc.principal.subject, expiresAtMs, descriptor };
  const retry = encodeRetry(services.sealer.seal('poll', encodePending(state)));
  // CancelFlightInfo gets the info only, so that the retry is in there too.
  const info = { descriptor, schema: new Uint8Array(0), endpoints: [], ordered: true, appMetadata: retry };
  await rpc.send(encodePollAnswer({ info, retry, progress: 0, expiresAtMs }));
}

function openRetry(services: Services, rpc: Rpc, descriptor: Uint8Array): PendingPoll | null {
  const decoded = decodeDescriptor(descriptor);
  const sealed = decoded.kind === 'command' ? decodeRetry(decoded.bytes) : null;
  return sealed === null ? null : openPending(services, rpc, sealed);
}

function openPending(services: Services, rpc: Rpc, sealed: Uint8Array): PendingPoll {
  const pending = decodePending(services.sealer.open('poll', sealed));
  if (pending.subject !== rpc.principal.subject) throw new SluiceError('ticket.principal', 'this poll belongs to another principal');
  if (pending.expiresAtMs <= services.now()) throw new SluiceError('ticket.expired', 'this poll has expired; run the query again');
  return pending;
}
