/** DoAction and ListActions: prepared statements with stateless handles, and the end of a session. */
import { fail } from '../errors.ts';
import {
  commandName,
  decodeAction,
  decodeCreatePrepared,
  decodeFlightData,
  encapsulatedSchema,
  encodeActionType,
  encodePreparedStatement,
  encodeResult,
  encodeSessionClosed,
} from '../wire/index.ts';
import { refuseCommand, refuseTransaction, type Services, SINGLE } from './commands.ts';
import type { Rpc } from './rpc.ts';
import { unimplemented } from './stream.ts';

interface ActionSpec {
  readonly doc: string;
  readonly run: (services: Services, rpc: Rpc, body: Uint8Array) => Promise<void>;
}

const ACTIONS: Readonly<Record<string, ActionSpec>> = {
  CreatePreparedStatement: { doc: 'Checks a statement and returns a handle and its result schema.', run: createPrepared },
  // Handles are not stored, so there is nothing to close, whatever the handle.
  ClosePreparedStatement: { doc: 'Accepts any handle; handles expire by themselves.', run: async () => {} },
  CloseSession: { doc: 'Ends the session of the client; its bearer token expires by itself.', run: closeSession },
};

export async function doAction(services: Services, rpc: Rpc): Promise<void> {
  const action = decodeAction(await rpc.request());
  const known = Object.hasOwn(ACTIONS, action.type) ? ACTIONS[action.type] : undefined;
  // The type is the client's own text: only an identifier goes into records and errors.
  const name = /^\w{1,64}$/.test(action.type) ? action.type : 'the action';
  rpc.audit.add({ command: name });
  await (known ?? unimplemented(name)).run(services, rpc, action.body);
}

export async function listActions(rpc: Rpc): Promise<void> {
  for (const [type, { doc }] of Object.entries(ACTIONS)) await rpc.send(encodeActionType(type, doc));
}

/** Nothing is written; the error names the command that was tried. */
export async function doPut(rpc: Rpc): Promise<void> {
  const name = commandName(putCommand(await rpc.request()));
  rpc.audit.add({ command: name });
  if (name === 'CommandPreparedStatementQuery') unimplemented('binding parameters', 'write the values into the statement');
  refuseCommand(name);
}

function putCommand(first: Uint8Array): Uint8Array {
  const { descriptor } = decodeFlightData(first);
  return descriptor?.kind === 'command' ? descriptor.bytes : fail('request.malformed', 'the first message names no command');
}

async function createPrepared(services: Services, rpc: Rpc, body: Uint8Array): Promise<void> {
  const { sql, transaction } = decodeCreatePrepared(body);
  if (transaction) refuseTransaction();
  rpc.audit.add({ statement: sql });
  const { handle, schema, parameters, audit } = await services.planner.prepare({ principal: rpc.principal, sql, options: SINGLE });
  rpc.audit.add(audit);
  const datasetSchema = schema === null ? new Uint8Array(0) : encapsulatedSchema(schema);
  const parameterSchema = encapsulatedSchema(parameters);
  await rpc.send(encodeResult(encodePreparedStatement({ handle, datasetSchema, parameterSchema })));
}

async function closeSession(_services: Services, rpc: Rpc): Promise<void> {
  await rpc.send(encodeResult(encodeSessionClosed()));
}
