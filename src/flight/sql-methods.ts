/** Sluice's Flight SQL service: the Flight methods over a planner and a worker. */
import type { Planner } from '../planner/index.ts';
import type { Sealer } from '../wire/index.ts';
import type { Worker } from '../worker/index.ts';
import { doAction, doPut, listActions } from './actions.ts';
import { doGet, getFlightInfo, getSchema, type Services } from './commands.ts';
import { answerHandshake } from './handshake.ts';
import type { RpcHandler } from './rpc.ts';
import type { FlightMethod } from './server.ts';
import { sqlInfoValues } from './sql-info.ts';

export interface SqlMethodsOptions {
  readonly planner: Planner;
  readonly worker: Worker;
  /** Seals session options and poll descriptors. */
  readonly sealer: Sealer;
  /** Of Sluice, as GetSqlInfo tells it. */
  readonly version: string;
}

/** The methods for `createFlightServer`. */
export function sqlMethods(options: SqlMethodsOptions): Readonly<Partial<Record<FlightMethod, RpcHandler>>> {
  const { planner, worker } = options;
  const services: Services = { planner, worker, sqlInfo: sqlInfoValues(options.version) };
  return {
    Handshake: answerHandshake,
    GetFlightInfo: (rpc) => getFlightInfo(services, rpc),
    GetSchema: (rpc) => getSchema(services, rpc),
    DoGet: (rpc) => doGet(services, rpc),
    DoAction: (rpc) => doAction(services, rpc),
    ListActions: listActions,
    DoPut: doPut,
  };
}
