/** GetFlightInfo, GetSchema and DoGet: each Flight SQL command → planner, worker or catalog. */
import { Schema } from 'apache-arrow';
import { fail } from '../errors.ts';
import type { Plan, ResultOptions } from '../planner/index.ts';
import {
  commandName,
  type Descriptor,
  decodeCommand,
  decodeDescriptor,
  decodeTicketMessage,
  encapsulatedSchema,
  encodeFlightInfo,
  encodeSchemaResult,
  encodeTaskTicket,
  type FlightInfo,
  type MetadataCommand,
} from '../wire/index.ts';
import { sourceOf } from './arrow-rows.ts';
import { metadataResult, metadataSchema } from './metadata.ts';
import { isQuery, type QueryCommand, readRequest } from './request.ts';
import { resultOptions } from './result-options.ts';
import type { Rpc } from './rpc.ts';
import type { Services } from './types.ts';

/** Good for as long as one likes, for it holds the question only. */
export const METADATA_TTL_MS = 3600_000;

export async function getFlightInfo(services: Services, rpc: Rpc): Promise<void> {
  const descriptor = await rpc.request();
  const decoded = decodeDescriptor(descriptor);
  const request = readRequest(rpc, decoded);
  if (!isQuery(request)) return await rpc.send(encodeFlightInfo(metadataInfo(services, descriptor, decoded, request)));
  const plan = await planQuery(services, rpc, request);
  rpc.audit.add(plan.audit);
  await rpc.send(encodeFlightInfo(queryInfo(descriptor, plan)));
}

export async function getSchema(services: Services, rpc: Rpc): Promise<void> {
  const request = readRequest(rpc, decodeDescriptor(await rpc.request()));
  const schema = isQuery(request) ? await querySchema(services, rpc, request) : metadataSchema(request);
  await rpc.send(encodeSchemaResult(encapsulatedSchema(schema)));
}

export async function doGet(services: Services, rpc: Rpc): Promise<void> {
  const bytes = decodeTicketMessage(await rpc.request());
  const command = decodeCommand(bytes, 'ticket.invalid');
  rpc.audit.add({ command: commandName(bytes, 'ticket.invalid') });
  if (command.kind === 'task') {
    const { task, source, ended } = await services.redeem(rpc, command.sealed);
    rpc.audit.add(task);
    return await rpc.sendBatches(source, ended);
  }
  if (isQuery(command) || command.kind === 'unsupported') fail('ticket.invalid', 'the ticket was not made by this cluster');
  const catalog = await services.planner.visibleCatalog(rpc.principal);
  await rpc.sendBatches(sourceOf(metadataResult(command, catalog, services.sqlInfo)));
}

/** Rejects with what the planner says; the statement is on record also then. */
export async function planQuery(services: Services, rpc: Rpc, command: QueryCommand): Promise<Plan> {
  const options = optionsOf(services, rpc);
  const { principal } = rpc;
  if (command.kind === 'prepared')
    return await services.planner.planPrepared(services.bindings.latest(principal.subject, command.handle), principal, options);
  rpc.audit.add({ statement: command.sql });
  return await services.planner.plan({ principal, sql: command.sql, options });
}

/** What this caller wants of results. Throws session.expired, request.malformed. */
export function optionsOf(services: Services, rpc: Rpc): ResultOptions {
  return resultOptions({
    userAgent: rpc.headers('user-agent')[0] ?? '',
    header: (name) => rpc.headers(`x-sluice-${name.replace('_', '-')}`)[0],
    session: services.sessions.use(rpc),
  });
}

export function queryInfo(descriptor: Uint8Array, plan: Plan): FlightInfo {
  return {
    descriptor,
    schema: encapsulatedSchema(plan.schema),
    endpoints: plan.tickets.map((ticket, i) => ({
      ticket: encodeTaskTicket(ticket),
      locations: plan.locations?.[i] ?? [],
      expiresAtMs: plan.expiresAtMs,
    })),
    ordered: plan.ordered,
    appMetadata: Buffer.from(JSON.stringify({ queryId: plan.queryId, epoch: plan.audit.epoch })),
  };
}

/** The command itself is the ticket: DoGet answers it for whoever redeems it. */
export function metadataInfo(services: Services, descriptor: Uint8Array, decoded: Descriptor, command: MetadataCommand): FlightInfo {
  const ticket = decoded.kind === 'command' ? decoded.bytes : fail('server.internal', 'internal error', 'a path is no metadata command');
  const endpoints = [{ ticket, expiresAtMs: services.now() + METADATA_TTL_MS }];
  return { descriptor, schema: encapsulatedSchema(metadataSchema(command)), endpoints, ordered: true };
}

async function querySchema(services: Services, rpc: Rpc, command: QueryCommand): Promise<Schema> {
  const options = optionsOf(services, rpc);
  const { principal } = rpc;
  if (command.kind === 'statement') rpc.audit.add({ statement: command.sql });
  const schema =
    command.kind === 'statement'
      ? await services.planner.schemaOf({ principal, sql: command.sql, options })
      : await services.planner.schemaOfPrepared(services.bindings.latest(principal.subject, command.handle), principal, options);
  return schema ?? new Schema([]);
}
