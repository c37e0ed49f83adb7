/** Sluice's Flight SQL service: the Flight methods over a planner and a worker. */
import type { Planner } from '../planner/index.ts';
import type { CancelStatus, Sealer } from '../wire/index.ts';
import type { Worker } from '../worker/index.ts';
import { doAction, listActions } from './actions.ts';
import { createBindings } from './bindings.ts';
import { doGet, getFlightInfo, getSchema } from './commands.ts';
import { doExchange } from './exchange.ts';
import { listFlights } from './flights.ts';
import { answerHandshake } from './handshake.ts';
import { type OptionRules, SLUICE_OPTIONS } from './option-rules.ts';
import { pollFlightInfo } from './poll.ts';
import { createPolls } from './polls.ts';
import { doPut } from './put.ts';
import type { Rpc, RpcHandler } from './rpc.ts';
import type { FlightMethod } from './server.ts';
import { createSessions } from './session-options.ts';
import { sqlInfoValues } from './sql-info.ts';
import { unimplemented } from './stream.ts';
import type { Cancel, Redeem, Services } from './types.ts';

export interface SqlMethodsOptions {
  readonly planner: Planner;
  readonly worker: Worker;
  /** Default: by `worker`. */
  readonly redeem?: Redeem;
  /** Default: at `worker`. */
  readonly cancel?: Cancel;
  /** Seals session options and the descriptors of pending polls. */
  readonly sealer: Sealer;
  /** Of Sluice, as GetSqlInfo tells it. */
  readonly version: string;
  /** How long a prepared handle is good, for GetSqlInfo. */
  readonly preparedTtlMs?: number;
  /** Longest statement, for GetSqlInfo. */
  readonly statementBytesMax?: number;
  /** Session options last so long after their last use. Default: 30 minutes. */
  readonly sessionIdleMs?: number;
  /** Default: Sluice's own options. */
  readonly optionRules?: OptionRules;
  /** Cookies go back over TLS only. Default: false. */
  readonly secureCookies?: boolean;
  readonly now?: () => number;
}

const SESSION_IDLE_MS = 30 * 60_000;

/** The methods for `createFlightServer`. */
export function sqlMethods(options: SqlMethodsOptions): Readonly<Record<FlightMethod, RpcHandler>> {
  const services = createServices(options);
  return {
    Handshake: answerHandshake,
    ListFlights: (rpc) => listFlights(services, rpc),
    GetFlightInfo: (rpc) => getFlightInfo(services, rpc),
    PollFlightInfo: (rpc) => pollFlightInfo(services, rpc),
    GetSchema: (rpc) => getSchema(services, rpc),
    DoGet: (rpc) => doGet(services, rpc),
    DoPut: (rpc) => doPut(services, rpc),
    DoExchange: doExchange,
    DoAction: (rpc) => doAction(services, rpc),
    ListActions: listActions,
  };
}

/** What a worker serves: tickets, and what drivers do on the way to them. Planning is the planners'. */
export function workerMethods(options: SqlMethodsOptions): Readonly<Record<FlightMethod, RpcHandler>> {
  const refuse: RpcHandler = async () => unimplemented('planning', 'this server is a worker; send statements to a planner');
  return { ...sqlMethods(options), ListFlights: refuse, GetFlightInfo: refuse, PollFlightInfo: refuse, GetSchema: refuse, DoPut: refuse };
}

function createServices(options: SqlMethodsOptions): Services {
  const { planner, worker, sealer, version, preparedTtlMs = 0, statementBytesMax = 0 } = options;
  const { sessionIdleMs: idleMs = SESSION_IDLE_MS, secureCookies: secure = false, optionRules: rules = SLUICE_OPTIONS } = options;
  const now = options.now ?? Date.now;
  return {
    planner,
    worker,
    redeem: options.redeem ?? ((rpc, sealed) => worker.redeem(sealed, rpc.principal, rpc.signal)),
    cancel: options.cancel ?? ((rpc, sealed) => cancelHere(worker, rpc, sealed)),
    sealer,
    sqlInfo: sqlInfoValues({ version, preparedTtlMs, statementBytesMax }),
    sessions: createSessions({ planner, sealer, rules, idleMs, secure, now }),
    bindings: createBindings(now),
    polls: createPolls(now),
    now,
  };
}

async function cancelHere(worker: Worker, { principal }: Rpc, sealed: readonly Uint8Array[]): Promise<CancelStatus> {
  let cancelled = false;
  for (const ticket of sealed) if (await worker.cancel(ticket, principal)) cancelled = true;
  return cancelled ? 'cancelled' : 'notCancellable';
}
