/** The Flight SQL surface beyond query and metadata, over the real planner, worker and engine. */
import { status } from '@grpc/grpc-js';
import { Int32, Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeFlightData, splitIpcStream } from '#src/wire/index.js';
import { call, type Reply } from '../support/flight-call.ts';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { decode, encode, encodeAny, type Fields, type FlightEndpoint, type FlightInfo, type PollInfo } from '../support/flight-messages.ts';
import { CLUSTER_KEY } from '../support/quickstart.ts';
import { plainRows } from '../support/rows.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const COOKIE = 'arrow_flight_session_id';

let sluice: TestServer;
let eu: RawClient;
let us: RawClient;

beforeAll(async () => {
  sluice = await startTestServer({ SLUICE_CLUSTER_KEY: CLUSTER_KEY });
  eu = await connectFlight({ port: sluice.port, user: 'analyst_eu' });
  us = await connectFlight({ port: sluice.port, user: 'analyst_us' });
});

afterAll(async () => {
  eu.close();
  us.close();
  await sluice[Symbol.asyncDispose]();
});

const statement = (query: string): Uint8Array =>
  encode('FlightDescriptor', { type: 2, cmd: encodeAny('CommandStatementQuery', { query }) });
const text = (string_value: string) => ({ string_value });

async function rowsOf(client: RawClient, info: FlightInfo): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for (const { ticket } of info.endpoint) rows.push(...plainRows(await client.get(ticket.ticket)));
  return rows;
}

const infoOf = async (client: RawClient, descriptor: Uint8Array): Promise<FlightInfo> =>
  decode<FlightInfo>('FlightInfo', await client.unary('GetFlightInfo', descriptor));

const bodyOf = ({ messages: [message] }: Reply): Uint8Array => decode<{ body: Uint8Array }>('Result', message ?? Buffer.alloc(0)).body;

function cookieOf({ headers }: Reply): string {
  return String(headers.get('set-cookie')[0] ?? '').split(';')[0] ?? '';
}

describe('session options', () => {
  const set = (client: RawClient, session_options: Fields, cookie = ''): Promise<Reply> =>
    call(
      client,
      'DoAction',
      [encode('Action', { type: 'SetSessionOptions', body: encode('SetSessionOptionsRequest', { session_options }) })],
      cookie === '' ? {} : { cookie },
    );

  test('a schema is in force for names without one, and for its principal only', async () => {
    const reply = await set(eu, { schema: text('demo') });
    expect(decode('SetSessionOptionsResult', bodyOf(reply))).toEqual({ errors: {} });
    const cookie = cookieOf(reply);
    expect(cookie).toMatch(new RegExp(`^${COOKIE}=[\\w-]+$`));
    const planned = await call(eu, 'GetFlightInfo', [statement('SELECT count(*) AS n FROM customers')], { cookie });
    expect(planned.code).toBe(status.OK);
    const stolen = await call(us, 'GetFlightInfo', [statement('SELECT count(*) AS n FROM customers')], { cookie });
    expect(stolen.code).toBe(status.UNAUTHENTICATED);
    expect(cookieOf(stolen)).toBe(`${COOKIE}=`);
  });

  test('a schema that one may not see is as wrong as one that does not exist', async () => {
    for (const schema of ['nowhere', 'information']) {
      const reply = await set(us, { schema: text(schema) });
      expect(decode('SetSessionOptionsResult', bodyOf(reply))).toEqual({ errors: { schema: { value: 2 } } });
    }
  });

  test('string views go to those who ask, in FlightInfo as in DoGet', async () => {
    const query = 'SELECT region AS r FROM demo.customers LIMIT 1';
    const plain = await infoOf(eu, statement(query));
    const reply = await call(eu, 'GetFlightInfo', [statement(query)], { 'x-sluice-strings': 'view' });
    const views = decode<FlightInfo>('FlightInfo', reply.messages[0] ?? Buffer.alloc(0));
    expect(views.schema).not.toEqual(plain.schema);
    const streamed = await eu.collect('DoGet', encode('Ticket', { ticket: views.endpoint[0]?.ticket.ticket ?? Buffer.alloc(0) }));
    const { data_header } = decode<{ data_header: Uint8Array }>('FlightData', streamed[0] ?? Buffer.alloc(0));
    expect(Buffer.from(views.schema).subarray(8)).toEqual(Buffer.from(data_header));
    const jdbc = await call(eu, 'GetFlightInfo', [statement(query)], { 'x-sluice-strings': 'utf16' });
    expect([jdbc.code, jdbc.details]).toEqual([status.INVALID_ARGUMENT, 'x-sluice-strings is one of utf8, view']);
  });
});

test('messages are as small as asked for', async () => {
  const query = 'SELECT * FROM demo.orders LIMIT 20000';
  const sizesOf = async (headers: Record<string, string>) => {
    const { messages } = await call(eu, 'GetFlightInfo', [statement(query)], headers);
    const { endpoint } = decode<FlightInfo>('FlightInfo', messages[0] ?? Buffer.alloc(0));
    return (await eu.collect('DoGet', encode('Ticket', { ticket: endpoint[0]?.ticket.ticket ?? Buffer.alloc(0) }))).map(
      ({ length }) => length,
    );
  };
  const usual = await sizesOf({});
  const small = await sizesOf({ 'x-sluice-batch-bytes': '65536' });
  // The header and protobuf around a batch come on top.
  expect(Math.max(...small)).toBeLessThan(70_000);
  expect(Math.max(...usual)).toBeGreaterThan(100_000);
  expect((await call(eu, 'GetFlightInfo', [statement(query)], { 'x-sluice-batch-bytes': '5' })).code).toBe(status.INVALID_ARGUMENT);
});

describe('other ways to ask', () => {
  test('ListFlights names what GetFlightInfo of its path reads, under the policy', async () => {
    const listed = (await eu.collect('ListFlights', encode('Criteria', { expression: Buffer.from('demo.customers') }))).map((message) =>
      decode<FlightInfo>('FlightInfo', message),
    );
    expect(listed.map(({ flight_descriptor: { path } }) => path)).toEqual([['sluice', 'demo', 'customers']]);
    const descriptor = encode('FlightDescriptor', { type: 1, path: listed[0]?.flight_descriptor.path ?? [] });
    const info = await infoOf(eu, descriptor);
    expect(new Set((await rowsOf(eu, info)).map(({ region }) => region))).toEqual(new Set(['EU']));
    const { schema } = decode<{ schema: Uint8Array }>('SchemaResult', await eu.unary('GetSchema', descriptor));
    expect(schema).toEqual(info.schema);
  });

  test('a path that does not exist or is hidden gives the same refusal as the statement would', async () => {
    for (const path of [
      ['demo', 'nothing'],
      ['nowhere', 'customers'],
      ['other', 'demo', 'customers'],
      ['demo', 'x" --'],
    ]) {
      expect(await failureOf(infoOf(eu, encode('FlightDescriptor', { type: 1, path })))).toMatchObject({
        status: expect.stringMatching(/^(NOT_FOUND|INVALID_ARGUMENT)$/),
      });
    }
  });

  test('raw SQL as the command', async () => {
    const info = await infoOf(
      eu,
      encode('FlightDescriptor', { type: 2, cmd: Buffer.from('SELECT DISTINCT region AS r FROM demo.customers') }),
    );
    expect(await rowsOf(eu, info)).toEqual([{ r: 'EU' }]);
    expect(
      await failureOf(infoOf(eu, encode('FlightDescriptor', { type: 2, cmd: Buffer.from('SELECT * FROM duckdb_secrets()') }))),
    ).toMatchObject({
      status: expect.stringMatching(/^(NOT_FOUND|INVALID_ARGUMENT)$/),
    });
  });

  /** A busy machine may plan for longer than one poll waits. */
  async function polled(descriptor: Uint8Array): Promise<PollInfo> {
    const answer = decode<PollInfo>('PollInfo', await eu.unary('PollFlightInfo', descriptor));
    return answer.flight_descriptor === null ? answer : await polled(encode('FlightDescriptor', answer.flight_descriptor));
  }

  test('polling answers as GetFlightInfo does', async () => {
    const answer = await polled(statement('SELECT 41 + 1 AS n'));
    expect(answer).toMatchObject({ flight_descriptor: null, progress: 1, expiration_time: null });
    expect(await rowsOf(eu, answer.info)).toEqual([{ n: 42 }]);
    const refused = failureOf(polled(statement('SELECT * FROM demo.nothing')));
    expect((await refused).status).toBe((await failureOf(infoOf(eu, statement('SELECT * FROM demo.nothing')))).status);
  });
});

describe('a planned query', () => {
  const LONG = 'SELECT a.order_id AS x FROM demo.orders a, demo.orders b WHERE a.order_id + b.order_id < 0';

  test('is cancelled while it runs, by its principal only, and its ticket does not count any more', async () => {
    const info = await eu.info('CommandStatementQuery', { query: LONG });
    const ticket = info.endpoint[0]?.ticket.ticket ?? Buffer.alloc(0);
    const reading = failureOf(eu.get(ticket));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const body = encode('CancelFlightInfoRequest', { info: { endpoint: [{ ticket: { ticket } }] } });
    expect((await failureOf(us.action('CancelFlightInfo', body))).status).toBe('PERMISSION_DENIED');
    const [result] = await eu.action('CancelFlightInfo', body);
    expect(decode('CancelFlightInfoResult', result ?? Buffer.alloc(0))).toEqual({ status: 1 });
    expect((await reading).status).toBe('CANCELLED');
    expect((await failureOf(eu.get(ticket))).status).not.toBe('OK');
  });

  test('is renewed: a later end, the same rows, by its principal only', async () => {
    const info = await eu.info('CommandStatementQuery', { query: 'SELECT 7 AS n' });
    const endpoint = info.endpoint[0] ?? never();
    const body = encode('RenewFlightEndpointRequest', { endpoint: { ticket: endpoint.ticket } });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const [result] = await eu.action('RenewFlightEndpoint', body);
    const renewed = decode<FlightEndpoint>('FlightEndpoint', result ?? Buffer.alloc(0));
    const endOf = ({ expiration_time: time }: FlightEndpoint): number => Number(time?.seconds) + (time?.nanos ?? 0) / 1e9;
    expect(endOf(renewed)).toBeGreaterThan(endOf(endpoint));
    expect(plainRows(await eu.get(renewed.ticket.ticket))).toEqual([{ n: 7 }]);
    expect((await failureOf(us.action('RenewFlightEndpoint', body))).status).toBe('PERMISSION_DENIED');
  });
});

describe('parameters', () => {
  const values = new Table({ 0: vectorFromArray(['EU'], new Utf8()), 1: vectorFromArray([300], new Int32()) });
  const QUERY = 'SELECT count(*) AS n FROM demo.customers WHERE region = ? AND customer_id <= ?';

  async function bind(client: RawClient, prepared_statement_handle: Uint8Array): Promise<Reply> {
    const { schemaHeader, batches } = splitIpcStream(tableToIPC(values, 'stream'));
    const flight_descriptor = { type: 2, cmd: encodeAny('CommandPreparedStatementQuery', { prepared_statement_handle }) };
    const first = encode('FlightData', { flight_descriptor, data_header: schemaHeader });
    return await call(client, 'DoPut', [first, ...batches.map(({ header, body }) => encodeFlightData(header, body))]);
  }

  const boundHandle = (reply: Reply): Uint8Array => {
    const { app_metadata } = decode<{ app_metadata: Uint8Array }>('PutResult', reply.messages[0] ?? Buffer.alloc(0));
    return decode<{ prepared_statement_handle: Uint8Array }>('DoPutPreparedStatementResult', app_metadata).prepared_statement_handle;
  };

  test('are bound to a new handle that works on another server of the cluster, and on the old one where it was bound', async () => {
    const expected = await eu.rows("SELECT count(*) AS n FROM demo.customers WHERE region = 'EU' AND customer_id <= 300");
    const { prepared_statement_handle, is_update } = await eu.prepare(QUERY);
    expect(is_update).toBe(false);
    const reply = await bind(eu, prepared_statement_handle);
    expect([reply.code, reply.details]).toEqual([status.OK, expect.anything()]);
    const bound = boundHandle(reply);
    expect(plainRows(await eu.run('CommandPreparedStatementQuery', { prepared_statement_handle: bound }))).toEqual(expected);
    expect(plainRows(await eu.run('CommandPreparedStatementQuery', { prepared_statement_handle }))).toEqual(expected);

    await using second = await startTestServer({ SLUICE_CLUSTER_KEY: CLUSTER_KEY });
    await using elsewhere = await connectFlight({ port: second.port, authorization: eu.authorization ?? '' });
    expect(plainRows(await elsewhere.run('CommandPreparedStatementQuery', { prepared_statement_handle: bound }))).toEqual(expected);
    const { endpoint } = await eu.info('CommandPreparedStatementQuery', { prepared_statement_handle: bound });
    expect(plainRows(await elsewhere.get(endpoint[0]?.ticket.ticket ?? Buffer.alloc(0)))).toEqual(expected);
  });

  test('are bound by the handle’s principal only', async () => {
    const { prepared_statement_handle } = await eu.prepare(QUERY);
    expect((await bind(us, prepared_statement_handle)).code).toBe(status.PERMISSION_DENIED);
  });
});

describe('statements that change something', () => {
  const put = (command: string, fields: Fields, table: Table | null = null): Promise<Reply> => {
    const flight_descriptor = { type: 2, cmd: encodeAny(command, fields) };
    if (table === null) return call(eu, 'DoPut', [encode('FlightData', { flight_descriptor })]);
    const { schemaHeader, batches } = splitIpcStream(tableToIPC(table, 'stream'));
    const first = encode('FlightData', { flight_descriptor, data_header: schemaHeader });
    return call(eu, 'DoPut', [first, ...batches.map(({ header, body }) => encodeFlightData(header, body))]);
  };
  const countOf = ({ code, details, messages: [message] }: Reply): string => {
    if (code !== status.OK) throw new Error(details);
    const { app_metadata } = decode<{ app_metadata: Uint8Array }>('PutResult', message ?? Buffer.alloc(0));
    return decode<{ record_count: string }>('DoPutUpdateResult', app_metadata).record_count;
  };
  const update = async (query: string): Promise<string> => countOf(await put('CommandStatementUpdate', { query }));

  test('run by DoPut, plainly or prepared, and by DoGet, once per plan', async () => {
    await update('DROP TABLE IF EXISTS scratch.protocol');
    expect(await update('CREATE TABLE scratch.protocol AS SELECT 1 AS n UNION ALL SELECT 2')).toBe('2');
    expect(await failureOf(update('CREATE TABLE scratch.protocol AS SELECT 1 AS n'))).not.toMatchObject({ status: 'OK' });

    const prepared = await eu.prepare('INSERT INTO scratch.protocol VALUES (3)');
    expect(prepared).toMatchObject({ is_update: true, dataset_schema: Buffer.alloc(0) });
    const { prepared_statement_handle } = prepared;
    expect(countOf(await put('CommandPreparedStatementUpdate', { prepared_statement_handle }))).toBe('1');

    const info = await eu.info('CommandStatementQuery', { query: 'INSERT INTO scratch.protocol VALUES (4), (5)' });
    expect(await eu.rows('SELECT count(*) AS n FROM scratch.protocol')).toEqual([{ n: 3 }]);
    expect(await rowsOf(eu, info)).toEqual([{ count: 2 }]);
    expect(await eu.rows('SELECT CAST(sum(n) AS INTEGER) AS n FROM scratch.protocol')).toEqual([{ n: 15 }]);
    await update('DROP TABLE scratch.protocol');
    expect((await failureOf(eu.rows('SELECT 1 AS x FROM scratch.protocol'))).status).not.toBe('OK');
  });

  test('rows go into a table of one’s own, and nobody else sees them', async () => {
    const table = new Table({ n: vectorFromArray([1, 2, 3], new Int32()), s: vectorFromArray(['a', null, 'c'], new Utf8()) });
    const fields = { table: 'protocol_ingest', table_definition_options: { if_not_exist: 1, if_exists: 3 } };
    expect(countOf(await put('CommandStatementIngest', fields, table))).toBe('3');
    expect(await eu.rows('SELECT n, s FROM scratch.protocol_ingest ORDER BY n')).toEqual([
      { n: 1, s: 'a' },
      { n: 2, s: null },
      { n: 3, s: 'c' },
    ]);
    expect((await failureOf(us.rows('SELECT 1 AS x FROM scratch.protocol_ingest'))).status).not.toBe('OK');
    const governed = await put('CommandStatementIngest', { ...fields, table: 'customers', schema: 'demo' }, table);
    expect(governed.code).toBe(status.PERMISSION_DENIED);
    await update('DROP TABLE scratch.protocol_ingest');
  });

  test('a query is no update', async () => {
    expect((await put('CommandStatementUpdate', { query: 'SELECT 1' })).code).toBe(status.INVALID_ARGUMENT);
  });
});

test('ListActions and DoAction agree', async () => {
  const listed = await eu.collect('ListActions', Buffer.alloc(0));
  const types = listed.map((message) => message.subarray(2, 2 + (message[1] ?? 0)).toString());
  for (const type of types) expect((await failureOf(eu.action(type, Buffer.alloc(0)))).status, type).not.toBe('UNIMPLEMENTED');
});

function never(): never {
  throw new Error('no endpoint');
}
