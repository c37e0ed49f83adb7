/** DoPut: parameters for prepared statements, statements that change something, and rows for a table of one's own. */
import { type Table, tableFromIPC } from 'apache-arrow';
import { fail, SluiceError } from '../errors.ts';
import { foldName } from '../names.ts';
import type { Plan } from '../planner/index.ts';
import {
  commandName,
  decodeFlightData,
  decodePutCommand,
  END_OF_STREAM,
  encapsulate,
  encodeBindResult,
  encodePutResult,
  encodeUpdateResult,
  type IngestCommand,
} from '../wire/index.ts';
import { optionsOf } from './commands.ts';
import { refuseCommand, refuseTransaction } from './request.ts';
import type { Rpc } from './rpc.ts';
import { unimplemented } from './stream.ts';
import type { Services } from './types.ts';

/** The planner bounds rows and bytes again; this keeps more from being read. */
const PARAMETER_BYTES_MAX = 8 * 1024 ** 2;

export async function doPut(services: Services, rpc: Rpc): Promise<void> {
  const { descriptor } = decodeFlightData(await rpc.request());
  if (descriptor?.kind !== 'command') fail('request.malformed', 'the first message names no command');
  const name = commandName(descriptor.bytes);
  rpc.audit.add({ command: name });
  const command = decodePutCommand(descriptor.bytes);
  switch (command.kind) {
    case 'bind':
      return await bind(services, rpc, command.handle);
    case 'updatePrepared':
      return await updatePrepared(services, rpc, command.handle);
    case 'update':
      if (command.transaction) refuseTransaction();
      rpc.audit.add({ statement: command.sql });
      // Answered at once: some clients end their side only after they read the answer.
      return await execute(
        services,
        rpc,
        await services.planner.plan({ principal: rpc.principal, sql: command.sql, options: optionsOf(services, rpc) }),
      );
    case 'ingest':
      return await ingest(services, rpc, command);
    case 'unsupported':
      return refuseCommand(name);
  }
}

/** The answer always names the new handle; who goes on with the old one gets the same parameters. */
async function bind(services: Services, rpc: Rpc, handle: Uint8Array): Promise<void> {
  const rows = (await readParameters(rpc)) ?? fail('request.malformed', 'no parameters were sent');
  const bound = services.planner.bindParameters(handle, rpc.principal, rows);
  services.bindings.remember(rpc.principal.subject, handle, bound);
  await rpc.send(encodePutResult(encodeBindResult(bound)));
}

/** The rows may come with the command, may have been bound before, or there are no parameters at all. */
async function updatePrepared(services: Services, rpc: Rpc, handle: Uint8Array): Promise<void> {
  const { principal } = rpc;
  const rows = await readParameters(rpc);
  const given = rows !== null && rows.numRows > 0 && rows.numCols > 0;
  const bound = given ? services.planner.bindParameters(handle, principal, rows) : services.bindings.latest(principal.subject, handle);
  await execute(services, rpc, await services.planner.planPrepared(bound, principal, optionsOf(services, rpc)));
}

async function execute(services: Services, rpc: Rpc, plan: Plan): Promise<void> {
  rpc.audit.add(plan.audit);
  let count = 0;
  for (const ticket of plan.tickets) count += (await services.worker.execute(ticket, rpc.principal, rpc.signal)).rows;
  rpc.audit.add({ rows: count });
  await rpc.send(encodePutResult(encodeUpdateResult(count)));
}

async function ingest(services: Services, rpc: Rpc, command: IngestCommand): Promise<void> {
  const { table, schema, catalog, ifExists, ifMissing } = command;
  rpc.audit.add({ statement: `ingest into ${JSON.stringify(schema ?? '')}.${JSON.stringify(table)}: ${ifExists}, ${ifMissing}` });
  if (command.transaction) refuseTransaction();
  if (command.temporary) unimplemented('a temporary table', 'ingest into the scratch schema, and drop the table when it is done');
  if (command.options.length > 0) unimplemented('an ingest with options of its own', 'leave them out');
  if (table === '') fail('request.malformed', 'the ingest names no table');
  if (catalog !== undefined && catalog !== '') await checkCatalog(services, rpc, catalog);
  // Without a schema the worker takes the scratch schema, the only one there is to write to.
  const request = { table: { schema: schema ?? '', name: table }, ifExists, ifMissing };
  const count = await services.worker.ingest(request, rpc.principal, ipcMessages(rpc), rpc.signal);
  rpc.audit.add({ rows: count });
  await rpc.send(encodePutResult(encodeUpdateResult(count)));
}

async function checkCatalog(services: Services, rpc: Rpc, catalog: string): Promise<void> {
  const { catalogName } = await services.planner.visibleCatalog(rpc.principal);
  if (foldName(catalog) !== foldName(catalogName)) fail('dataset.unknown', 'there is no such catalog');
}

/** The client's stream, message by message as it is asked for: it waits while nobody asks. */
async function* ipcMessages(rpc: Rpc): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const message of rpc.messages()) {
    const { header, body } = decodeFlightData(message);
    if (header.length > 0) yield encapsulate(header, body);
  }
  yield END_OF_STREAM;
}

/** null when the client sent no data at all. */
async function readParameters(rpc: Rpc): Promise<Table | null> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of ipcMessages(rpc)) {
    bytes += part.length;
    if (bytes > PARAMETER_BYTES_MAX)
      fail('sql.limit', `the bound parameters are larger than ${PARAMETER_BYTES_MAX} bytes; send fewer rows at a time`);
    parts.push(part);
  }
  return parts.length === 1 ? null : readTable(Buffer.concat(parts));
}

function readTable(ipc: Uint8Array): Table {
  try {
    return tableFromIPC(ipc);
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    return fail('request.malformed', 'the parameters are not an Arrow stream that this server reads', error);
  }
}
