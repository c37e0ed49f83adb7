/** Arrow's Flight SQL scenarios: Sluice's whole service over the statements that they name. */
import { Field, Int64, Schema, Table, tableFromIPC } from 'apache-arrow';
import { fail } from '#src/errors.js';
import type { Rpc, RpcHandler } from '#src/flight/index.js';
import type { Planner } from '#src/planner/index.js';
import type { Worker } from '#src/worker/index.js';
import { decode, encode, type Fields } from '../support/flight-messages.ts';
import { cannedPlan, cannedPrepared, redeemed, textOf } from './canned.ts';
import { service } from './flight.ts';
import type { Scenario } from './scenario.ts';

const PREFIX = 'ARROW:FLIGHT:SQL:';
const COLUMN = {
  TABLE_NAME: 'test',
  IS_AUTO_INCREMENT: '1',
  IS_CASE_SENSITIVE: '0',
  TYPE_NAME: 'type_test',
  SCHEMA_NAME: 'schema_test',
  IS_SEARCHABLE: '1',
  CATALOG_NAME: 'catalog_test',
  PRECISION: '100',
  REMARKS: 'test column',
};
const METADATA = new Map(Object.entries(COLUMN).map(([name, value]) => [PREFIX + name, value] as const));
const QUERY: Schema = new Schema([new Field('id', new Int64(), true, METADATA)]);

/** By ticket. */
const CHANGED_ROWS: Readonly<Record<string, number>> = { 'UPDATE STATEMENT': 10_000, 'UPDATE PREPARED STATEMENT': 20_000 };
const QUERIES: ReadonlySet<string> = new Set(['SELECT STATEMENT', 'SELECT PREPARED STATEMENT']);

const schemaOf = (sql: string): Schema | null => {
  if (QUERIES.has(sql)) return QUERY;
  return Object.hasOwn(CHANGED_ROWS, sql) ? null : fail('sql.syntax', 'this scenario has no such statement');
};
const planOf = (sql: string): ReturnType<typeof cannedPlan> => cannedPlan(schemaOf(sql) ?? new Schema([]), [sql]);

const PLANNER: Partial<Planner> = {
  plan: async ({ sql }) => planOf(sql),
  schemaOf: async ({ sql }) => schemaOf(sql),
  prepare: async ({ sql }) => cannedPrepared(sql, schemaOf(sql)),
  planPrepared: async (handle) => planOf(textOf(handle)),
  schemaOfPrepared: async (handle) => schemaOf(textOf(handle)),
  bindParameters: (handle, _principal, rows) => {
    const bound = rows.schema.fields.map(({ name, type }) => `${name} ${type}`);
    if (bound.join() !== 'id Int64' || rows.numRows !== 1) fail('sql.parameter', 'the scenario binds one row of one number');
    return handle;
  },
};

const WORKER: Partial<Worker> = {
  redeem: async (ticket) => redeemed(new Table(schemaOf(textOf(ticket)) ?? new Schema([]))),
  execute: async (ticket) => {
    const rows = CHANGED_ROWS[textOf(ticket)] ?? fail('request.malformed', 'this is a query');
    return { task: { queryId: 'scenario', statement: '', epoch: 1, fingerprint: '' }, rows };
  },
  cancel: async () => true,
};

export async function flightSql(): Promise<Scenario> {
  return { methods: service(PLANNER, WORKER) };
}

const INGESTER: Partial<Worker> = {
  ingest: async ({ table, ifExists, ifMissing }, _principal, messages) => {
    const asked = JSON.stringify({ table, ifExists, ifMissing });
    const expected = { table: { schema: 'test_schema', name: 'test_table' }, ifExists: 'replace', ifMissing: 'create' };
    if (asked !== JSON.stringify(expected)) fail('request.malformed', `the scenario asks for another table than ${asked}`);
    const parts: Uint8Array[] = [];
    for await (const message of messages) parts.push(message);
    const rows = tableFromIPC(Buffer.concat(parts));
    if (rows.schema.fields.map(({ name, type }) => `${name} ${type}`).join() !== 'test_field Int64')
      fail('request.malformed', 'the scenario sends another schema');
    return rows.numRows;
  },
};
const CATALOG: Partial<Planner> = { visibleCatalog: async () => ({ catalogName: 'test_catalog', tables: [] }) };

/** As it is: Sluice refuses the transaction, the temporary table and the options that the scenario sends along. */
export async function strictIngestion(): Promise<Scenario> {
  return { methods: service(CATALOG, INGESTER) };
}

/** The rest of the scenario: the request without what a server without transactions refuses. */
export async function ingestion(): Promise<Scenario> {
  const { methods } = await strictIngestion();
  return { methods: { ...methods, DoPut: withoutExtras(methods.DoPut) } };
}

function withoutExtras(doPut: RpcHandler | undefined): RpcHandler {
  return async (rpc) => {
    const first = stripped(await rpc.request());
    await doPut?.({ ...rpc, request: async () => first, messages: () => withFirst(rpc, first) });
  };
}

async function* withFirst(rpc: Rpc, first: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  let index = 0;
  for await (const message of rpc.messages()) yield index++ === 0 ? first : message;
}

function stripped(message: Uint8Array): Uint8Array {
  const data = decode<Fields & { flight_descriptor: { cmd: Uint8Array } }>('FlightData', message);
  const { type_url, value } = decode<{ type_url: string; value: Uint8Array }>('Any', data.flight_descriptor.cmd);
  const { transaction_id: _t, temporary: _p, options: _o, ...kept } = decode<Fields>('CommandStatementIngest', value);
  const cmd = encode('Any', { type_url, value: encode('CommandStatementIngest', kept) });
  return encode('FlightData', { ...data, flight_descriptor: { type: 2, cmd } });
}
