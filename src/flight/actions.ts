/** DoAction and ListActions: prepared statements with stateless handles, sessions, cancel and renew. */
import { fail } from '../errors.ts';
import {
  type CancelStatus,
  decodeAction,
  decodeCancelFlightInfo,
  decodeCancelQuery,
  decodeClosePrepared,
  decodeCommand,
  decodeCreatePrepared,
  decodeRenewEndpoint,
  encapsulatedSchema,
  encodeActionType,
  encodeCancelFlightInfo,
  encodeCancelQuery,
  encodeEndpoint,
  encodePreparedStatement,
  encodeResult,
  encodeTaskTicket,
  type ReturnedInfo,
} from '../wire/index.ts';
import { METADATA_TTL_MS, optionsOf } from './commands.ts';
import { pollOf } from './poll.ts';
import { isQuery, refuseTransaction } from './request.ts';
import type { Rpc } from './rpc.ts';
import { unimplemented } from './stream.ts';
import type { Services } from './types.ts';

interface ActionSpec {
  readonly doc: string;
  readonly run: (services: Services, rpc: Rpc, body: Uint8Array) => Promise<void>;
}

const ACTIONS: Readonly<Record<string, ActionSpec>> = {
  CreatePreparedStatement: { doc: 'Checks a statement and returns a handle, its result schema and its parameters.', run: createPrepared },
  ClosePreparedStatement: { doc: 'Accepts any handle; handles expire by themselves.', run: closePrepared },
  CancelFlightInfo: { doc: 'Ends what runs for a flight info, and refuses its tickets from now on.', run: cancelFlightInfo },
  CancelQuery: { doc: 'As CancelFlightInfo, for older clients.', run: cancelQuery },
  RenewFlightEndpoint: { doc: 'Gives the ticket of an endpoint a later end.', run: renewEndpoint },
  SetSessionOptions: {
    doc: 'Sets options of the session that the cookie names: catalog, schema, endpoints, strings, enums, compression, batch_bytes.',
    run: (services, rpc, body) => services.sessions.set(rpc, body),
  },
  GetSessionOptions: { doc: 'The options of the session.', run: (services, rpc, body) => services.sessions.get(rpc, body) },
  CloseSession: {
    doc: 'Ends the session of the client; its bearer token expires by itself.',
    run: (services, rpc) => services.sessions.close(rpc),
  },
};

/** Actions of Flight SQL that this server does not have, and what to do instead. */
const REFUSED: Readonly<Record<string, readonly [what: string, why: string]>> = {
  BeginTransaction: ['a transaction', 'each statement is its own; connect with autocommit'],
  EndTransaction: ['a transaction', 'each statement is its own; connect with autocommit'],
  BeginSavepoint: ['a savepoint', 'each statement is its own; connect with autocommit'],
  EndSavepoint: ['a savepoint', 'each statement is its own; connect with autocommit'],
  CreatePreparedSubstraitPlan: ['Substrait', 'send SQL'],
};

export async function doAction(services: Services, rpc: Rpc): Promise<void> {
  const action = decodeAction(await rpc.request());
  // The type is the client's own text: only an identifier goes into records and errors.
  const name = /^\w{1,64}$/.test(action.type) ? action.type : 'the action';
  rpc.audit.add({ command: name });
  const known = Object.hasOwn(ACTIONS, action.type) ? ACTIONS[action.type] : undefined;
  const refused = Object.hasOwn(REFUSED, action.type) ? REFUSED[action.type] : undefined;
  if (refused !== undefined) unimplemented(...refused);
  await (known ?? unimplemented(name)).run(services, rpc, action.body);
}

export async function listActions(rpc: Rpc): Promise<void> {
  for (const [type, { doc }] of Object.entries(ACTIONS)) await rpc.send(encodeActionType(type, doc));
}

async function createPrepared(services: Services, rpc: Rpc, body: Uint8Array): Promise<void> {
  const { sql, transaction } = decodeCreatePrepared(body);
  if (transaction) refuseTransaction();
  rpc.audit.add({ statement: sql });
  const request = { principal: rpc.principal, sql, options: optionsOf(services, rpc) };
  const { handle, schema, parameters, audit } = await services.planner.prepare(request);
  rpc.audit.add(audit);
  const datasetSchema = schema === null ? new Uint8Array(0) : encapsulatedSchema(schema);
  const prepared = { handle, datasetSchema, parameterSchema: encapsulatedSchema(parameters), isUpdate: schema === null };
  await rpc.send(encodeResult(encodePreparedStatement(prepared)));
}

/** Handles are not stored, so that there is nothing to close but what was bound to an old one. */
async function closePrepared(services: Services, rpc: Rpc, body: Uint8Array): Promise<void> {
  services.bindings.forget(rpc.principal.subject, decodeClosePrepared(body));
}

async function cancelFlightInfo(services: Services, rpc: Rpc, body: Uint8Array): Promise<void> {
  await rpc.send(encodeResult(encodeCancelFlightInfo(await cancel(services, rpc, decodeCancelFlightInfo(body)))));
}

async function cancelQuery(services: Services, rpc: Rpc, body: Uint8Array): Promise<void> {
  await rpc.send(encodeResult(encodeCancelQuery(await cancel(services, rpc, decodeCancelQuery(body)))));
}

/** Questions about the catalog have nothing to cancel. */
async function cancel(services: Services, rpc: Rpc, info: ReturnedInfo): Promise<CancelStatus> {
  const pending = pollOf(services, rpc, info.appMetadata);
  const unplanned = pending !== null && services.polls.cancel(rpc.principal.subject, pending.pollId);
  const status = await services.cancel(
    rpc,
    info.tickets.flatMap((ticket) => sealedTask(ticket) ?? []),
  );
  return unplanned && status === 'notCancellable' ? 'cancelled' : status;
}

async function renewEndpoint(services: Services, rpc: Rpc, body: Uint8Array): Promise<void> {
  const { ticket, ...rest } = decodeRenewEndpoint(body);
  const sealed = sealedTask(ticket);
  const renewed = sealed === null ? null : await services.planner.renew(sealed, rpc.principal);
  const endpoint =
    renewed === null
      ? { ticket, expiresAtMs: services.now() + METADATA_TTL_MS }
      : { ticket: encodeTaskTicket(renewed.ticket), expiresAtMs: renewed.expiresAtMs };
  await rpc.send(encodeResult(encodeEndpoint({ ...rest, ...endpoint })));
}

/** null for a question about the catalog, which holds nothing sealed. */
function sealedTask(ticket: Uint8Array): Uint8Array | null {
  const command = decodeCommand(ticket, 'ticket.invalid');
  if (command.kind === 'task') return command.sealed;
  return isQuery(command) || command.kind === 'unsupported' ? fail('ticket.invalid', 'the ticket was not made by this cluster') : null;
}
