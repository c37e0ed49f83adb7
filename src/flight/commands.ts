/** GetFlightInfo, GetSchema and DoGet: each Flight SQL command → planner, worker or catalog. */
import { Schema } from 'apache-arrow';
import { fail } from '../errors.ts';
import { PLAIN_FORM } from '../model.ts';
import type { Plan, Planner, ResultOptions } from '../planner/index.ts';
import {
  commandName,
  decodeCommand,
  decodeDescriptor,
  decodeTicketMessage,
  encapsulatedSchema,
  encodeFlightInfo,
  encodeSchemaResult,
  encodeTaskTicket,
  type MetadataCommand,
  type SqlCommand,
} from '../wire/index.ts';
import type { Worker } from '../worker/index.ts';
import { sourceOf } from './arrow-rows.ts';
import { metadataResult, metadataSchema } from './metadata.ts';
import type { Rpc } from './rpc.ts';
import type { InfoValue } from './sql-info.ts';
import { unimplemented } from './stream.ts';

export interface Services {
  readonly planner: Planner;
  readonly worker: Worker;
  readonly sqlInfo: ReadonlyMap<number, InfoValue>;
}

export const SINGLE: ResultOptions = { schema: null, form: PLAIN_FORM, endpointsMax: 1, readsInOrder: true };

/** What a query command asks for; metadata commands need no plan. */
type QueryCommand = Extract<SqlCommand, { kind: 'statement' | 'prepared' }>;

const WRITES: ReadonlySet<string> = new Set(['CommandStatementUpdate', 'CommandPreparedStatementUpdate', 'CommandStatementIngest']);

export async function getFlightInfo(services: Services, rpc: Rpc): Promise<void> {
  const descriptor = await rpc.request();
  const bytes = commandBytes(descriptor);
  const command = readCommand(rpc, bytes);
  if (isQuery(command)) {
    const plan = await planQuery(services.planner, rpc, command);
    const endpoints = plan.tickets.map((ticket) => ({ ticket: encodeTaskTicket(ticket), expiresAtMs: plan.expiresAtMs }));
    await rpc.send(encodeFlightInfo({ descriptor, schema: encapsulatedSchema(plan.schema), endpoints, ordered: plan.ordered }));
    return;
  }
  // The command itself is the ticket: DoGet answers it for whoever redeems it.
  const schema = encapsulatedSchema(metadataSchema(command));
  await rpc.send(encodeFlightInfo({ descriptor, schema, endpoints: [{ ticket: bytes }], ordered: true }));
}

export async function getSchema(services: Services, rpc: Rpc): Promise<void> {
  const command = readCommand(rpc, commandBytes(await rpc.request()));
  const schema = isQuery(command) ? await querySchema(services.planner, rpc, command) : metadataSchema(command);
  await rpc.send(encodeSchemaResult(encapsulatedSchema(schema)));
}

export async function doGet(services: Services, rpc: Rpc): Promise<void> {
  const bytes = decodeTicketMessage(await rpc.request());
  const command = decodeCommand(bytes, 'ticket.invalid');
  rpc.audit.add({ command: commandName(bytes, 'ticket.invalid') });
  if (command.kind === 'task') {
    const { task, source } = await services.worker.redeem(command.sealed, rpc.principal, rpc.signal);
    rpc.audit.add(task);
    await rpc.sendBatches(source);
    return;
  }
  if (isQuery(command) || command.kind === 'unsupported') fail('ticket.invalid', 'the ticket was not made by this cluster');
  const catalog = await services.planner.visibleCatalog(rpc.principal);
  await rpc.sendBatches(sourceOf(metadataResult(command, catalog, services.sqlInfo)));
}

/** Says by name what is not served. */
export function refuseCommand(name: string): never {
  return WRITES.has(name) ? unimplemented(name, 'this server reads only') : unimplemented(name);
}

export function refuseTransaction(): never {
  return unimplemented('a transaction', 'this server reads only');
}

function commandBytes(descriptor: Uint8Array): Uint8Array {
  const decoded = decodeDescriptor(descriptor);
  return decoded.kind === 'command' ? decoded.bytes : fail('request.malformed', 'the flight descriptor holds no command');
}

function readCommand(rpc: Rpc, bytes: Uint8Array): QueryCommand | MetadataCommand {
  const name = commandName(bytes);
  rpc.audit.add({ command: name });
  const command = decodeCommand(bytes);
  if (command.kind === 'unsupported' || command.kind === 'task') return refuseCommand(name);
  if (command.kind === 'statement' && command.transaction) return refuseTransaction();
  return command;
}

async function planQuery(planner: Planner, rpc: Rpc, command: QueryCommand): Promise<Plan> {
  const { principal } = rpc;
  if (command.kind === 'statement') rpc.audit.add({ statement: command.sql });
  const plan =
    command.kind === 'statement'
      ? await planner.plan({ principal, sql: command.sql, options: SINGLE })
      : await planner.planPrepared(command.handle, principal, SINGLE);
  rpc.audit.add(plan.audit);
  return plan;
}

async function querySchema(planner: Planner, rpc: Rpc, command: QueryCommand): Promise<Schema> {
  const { principal } = rpc;
  if (command.kind === 'prepared') return (await planner.schemaOfPrepared(command.handle, principal, SINGLE)) ?? new Schema([]);
  rpc.audit.add({ statement: command.sql });
  return (await planner.schemaOf({ principal, sql: command.sql, options: SINGLE })) ?? new Schema([]);
}

function isQuery(command: SqlCommand): command is QueryCommand {
  return command.kind === 'statement' || command.kind === 'prepared';
}
