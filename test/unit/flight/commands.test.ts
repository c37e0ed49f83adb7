import { RecordBatchReader, Schema } from 'apache-arrow';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encapsulatedSchema } from '#src/wire/index.js';
import { connectFlight, failureOf, type RawClient } from '../../support/flight-client.ts';
import { decode, encode, encodeAny } from '../../support/flight-messages.ts';
import { plainRows } from '../../support/rows.ts';
import { type Fake, rowSchema, startFake } from './fakes.ts';

let fake: Fake;
let client: RawClient;

beforeAll(async () => {
  fake = await startFake();
  client = await connectFlight({ port: fake.port, user: 'ada' });
});
beforeEach(() => {
  fake.planner = {};
  fake.tickets = [Buffer.from('t0')];
  fake.audits.length = 0;
});
afterAll(async () => {
  client.close();
  await fake[Symbol.asyncDispose]();
});

const descriptor = (command: string, fields: Record<string, unknown> = {}) =>
  encode('FlightDescriptor', { type: 2, cmd: encodeAny(command, fields) });
const getSchema = async (command: string, fields: Record<string, unknown> = {}) =>
  decode<{ schema: Uint8Array }>('SchemaResult', await client.unary('GetSchema', descriptor(command, fields))).schema;

describe('queries', () => {
  test('FlightInfo has the schema, one endpoint per ticket and no location', async () => {
    fake.tickets = [Buffer.from('t0'), Buffer.from('t0'), Buffer.from('t0')];
    const info = await client.info('CommandStatementQuery', { query: 'SELECT 1' });
    expect(info.schema).toEqual(Buffer.from(encapsulatedSchema(rowSchema)));
    expect(info.endpoint.map((endpoint) => endpoint.location)).toEqual([[], [], []]);
    expect(info.total_records).toBe('-1');
    expect(plainRows(await client.get(info.endpoint[1]?.ticket.ticket ?? Buffer.alloc(0)))).toHaveLength(8);
  });

  test('a prepared statement is planned again from its handle', async () => {
    const seen: unknown[] = [];
    const { planPrepared } = fakePlans();
    fake.planner = {
      planPrepared: async (handle, principal) => {
        seen.push([Buffer.from(handle).toString(), principal.subject]);
        return planPrepared();
      },
    };
    expect(await client.rowsPrepared('SELECT 1')).toHaveLength(8);
    expect(seen).toEqual([['handle', 'ada']]);
  });

  test('GetSchema of statement and handle', async () => {
    const asked: unknown[] = [];
    fake.planner = {
      schemaOfPrepared: async (handle, principal) => {
        asked.push([Buffer.from(handle).toString(), principal.subject]);
        return rowSchema;
      },
      schemaOf: async (request) => {
        asked.push([request.sql, request.principal.subject]);
        return rowSchema;
      },
    };
    const expected = Buffer.from(encapsulatedSchema(rowSchema));
    expect(await getSchema('CommandStatementQuery', { query: 'SELECT 1' })).toEqual(expected);
    expect(await getSchema('CommandPreparedStatementQuery', { prepared_statement_handle: Buffer.from('h') })).toEqual(expected);
    expect(asked).toEqual([
      ['SELECT 1', 'ada'],
      ['h', 'ada'],
    ]);
    expect(fake.audits[0]?.statement).toBe('SELECT 1');
  });

  test('transactions are refused', async () => {
    const withTransaction = client.info('CommandStatementQuery', { query: 'SELECT 1', transaction_id: Buffer.from('t') });
    expect(await failureOf(withTransaction)).toEqual({
      status: 'UNIMPLEMENTED',
      message: 'a transaction is not supported: each statement is its own; leave the transaction out',
    });
  });
});

describe('metadata', () => {
  test.each([
    ['CommandGetSqlInfo', { info: [8] }, 1],
    ['CommandGetCatalogs', {}, 1],
    ['CommandGetDbSchemas', {}, 2],
    ['CommandGetTables', { include_schema: true }, 3],
    ['CommandGetTables', { table_types: ['VIEW'] }, 1],
    ['CommandGetTableTypes', {}, 2],
    ['CommandGetPrimaryKeys', { table: 'orders' }, 0],
    ['CommandGetXdbcTypeInfo', { data_type: 93 }, 2],
  ])('%s %o streams under the schema that FlightInfo and GetSchema promise', async (command, fields, rows) => {
    const info = await client.info(command, fields);
    const table = await client.get(info.endpoint[0]?.ticket.ticket ?? Buffer.alloc(0));
    expect(table.numRows).toBe(rows);
    expect(info.endpoint).toHaveLength(1);
    expect(info.endpoint[0]?.location).toEqual([]);
    const promised = RecordBatchReader.from(info.schema).open().schema;
    expect(table.schema.fields.map(String)).toEqual(promised.fields.map(String));
    expect(await getSchema(command, fields)).toEqual(info.schema);
  });

  test('is computed at DoGet for whoever redeems the ticket', async () => {
    const info = await client.info('CommandGetTables');
    fake.planner = { visibleCatalog: async (principal) => ({ catalogName: principal.subject, tables: [] }) };
    expect((await client.get(info.endpoint[0]?.ticket.ticket ?? Buffer.alloc(0))).numRows).toBe(0);
    expect(plainRows(await client.run('CommandGetCatalogs'))).toEqual([{ catalog_name: 'ada' }]);
  });
});

describe('refusals', () => {
  test.each([
    ['CommandStatementUpdate', 'INVALID_ARGUMENT', 'CommandStatementUpdate is sent by DoPut'],
    ['CommandPreparedStatementUpdate', 'INVALID_ARGUMENT', 'CommandPreparedStatementUpdate is sent by DoPut'],
    ['CommandStatementIngest', 'INVALID_ARGUMENT', 'CommandStatementIngest is sent by DoPut'],
    ['CommandStatementSubstraitPlan', 'UNIMPLEMENTED', 'Substrait is not supported: send SQL'],
    ['CommandOfTomorrow', 'UNIMPLEMENTED', 'CommandOfTomorrow is not supported'],
  ])('%s by name', async (command, status, message) => {
    const cmd = encode('Any', { type_url: `type.googleapis.com/arrow.flight.protocol.sql.${command}` });
    for (const method of ['GetFlightInfo', 'GetSchema']) {
      expect(await failureOf(client.unary(method, encode('FlightDescriptor', { type: 2, cmd })))).toEqual({
        status,
        message,
      });
    }
    expect(fake.audits).toMatchObject([
      { command, outcome: 'refused' },
      { command, outcome: 'refused' },
    ]);
  });

  test('a ticket that is a query, a stranger or garbage', async () => {
    for (const ticket of [
      encodeAny('CommandStatementQuery', { query: 'SELECT 1' }),
      encodeAny('CommandStatementUpdate', {}),
      Buffer.from('x'),
      Buffer.alloc(0),
    ]) {
      expect((await failureOf(client.get(ticket))).status).toBe('INVALID_ARGUMENT');
    }
    expect(fake.audits.map((audit) => audit.code)).toEqual(Array.from({ length: 4 }, () => 'ticket.invalid'));
  });

  test('a descriptor of another kind', async () => {
    expect(await failureOf(client.unary('GetFlightInfo', encode('FlightDescriptor', { type: 3 })))).toEqual({
      status: 'INVALID_ARGUMENT',
      message: 'the flight descriptor holds neither a command nor a path',
    });
  });
});

describe('other ways to ask', () => {
  const sqlOf = async (descriptor: Uint8Array) => {
    let seen = '';
    fake.planner = {
      plan: async (request) => {
        seen = request.sql;
        return fakePlans().planPrepared();
      },
    };
    await client.unary('GetFlightInfo', descriptor);
    return seen;
  };

  test('a path is the whole dataset, its names quoted', async () => {
    const path = (...parts: string[]) => encode('FlightDescriptor', { type: 1, path: parts });
    expect(await sqlOf(path('orders'))).toBe('SELECT * FROM "orders"');
    expect(await sqlOf(path('sluice', 'demo', 'orders'))).toBe('SELECT * FROM "sluice"."demo"."orders"');
    expect(await sqlOf(path('demo', 'x" UNION SELECT * FROM "y'))).toBe('SELECT * FROM "demo"."x"" UNION SELECT * FROM ""y"');
    for (const parts of [[], ['a', 'b', 'c', 'd'], ['a', ''], ['a\0b']])
      expect(await failureOf(client.unary('GetFlightInfo', path(...parts)))).toMatchObject({ status: 'INVALID_ARGUMENT' });
  });

  test('a statement as the command itself', async () => {
    const raw = (text: string) => encode('FlightDescriptor', { type: 2, cmd: Buffer.from(text) });
    for (const text of ['SELECT 1', '  (select 1)', '\nWITH t AS (SELECT 1) FROM t', 'from demo.orders'])
      expect(await sqlOf(raw(text))).toBe(text);
    for (const text of ['DELETE FROM t', 'selection', '', '\xff SELECT 1'])
      expect(await failureOf(client.unary('GetFlightInfo', raw(text)))).toMatchObject({ status: 'INVALID_ARGUMENT' });
    expect(fake.audits[0]).toMatchObject({ command: 'sql', statement: 'SELECT 1' });
  });

  test('a statement that is no text is refused', async () => {
    const cmd = Buffer.concat([Buffer.from('SELECT '), Buffer.of(0xff)]);
    expect(await failureOf(client.unary('GetFlightInfo', encode('FlightDescriptor', { type: 2, cmd })))).toMatchObject({
      status: 'INVALID_ARGUMENT',
    });
  });
});

test('FlightInfo tells the query and until when its tickets count', async () => {
  const info = await client.info('CommandStatementQuery', { query: 'SELECT 1' });
  expect(JSON.parse(Buffer.from(info.app_metadata).toString())).toEqual({ queryId: 'q1', epoch: 3 });
  expect(info.ordered).toBe(true);
  expect(info.endpoint[0]?.expiration_time).toEqual({ seconds: '4000000000', nanos: 0 });
  const catalogs = await client.info('CommandGetCatalogs');
  expect(Number(catalogs.endpoint[0]?.expiration_time?.seconds) * 1000).toBeGreaterThan(Date.now());
});

test('a statement without rows has the empty schema', async () => {
  fake.planner = { schemaOf: async () => null, schemaOfPrepared: async () => null };
  const empty = Buffer.from(encapsulatedSchema(new Schema([])));
  expect(await getSchema('CommandStatementQuery', { query: 'DROP TABLE scratch.t' })).toEqual(empty);
  expect(await getSchema('CommandPreparedStatementQuery', { prepared_statement_handle: Buffer.from('h') })).toEqual(empty);
});

function fakePlans() {
  const audit = { queryId: 'q1', statement: 'SELECT 1', epoch: 3, fingerprint: 'f1', decisions: [] };
  return { planPrepared: () => ({ queryId: 'q1', schema: rowSchema, tickets: fake.tickets, ordered: true, expiresAtMs: 0, audit }) };
}
