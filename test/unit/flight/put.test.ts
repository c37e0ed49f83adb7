import { status } from '@grpc/grpc-js';
import {
  Field,
  Int32,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Table,
  tableFromArrays,
  tableFromIPC,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SluiceError } from '#src/errors.js';
import { encodeFlightData, splitIpcStream } from '#src/wire/index.js';
import { connectFlight, type RawClient } from '../../support/flight-client.ts';
import { decode, encode, encodeAny, type Fields } from '../../support/flight-messages.ts';
import { call, eventually, type Fake, fakeAudit, type Reply, rowSchema, startFake } from './fakes.ts';

const handle = Buffer.from('handle');
const task = { queryId: 'q1', statement: 's', epoch: 3, fingerprint: 'f' };
const DEFINITION = { table_definition_options: { if_not_exist: 1, if_exists: 1 } };

let fake: Fake;
let client: RawClient;
/** What planner and worker were asked, in order. */
let asked: unknown[] = [];

beforeAll(async () => {
  fake = await startFake();
  client = await connectFlight({ port: fake.port, user: 'ada' });
});
beforeEach(() => {
  asked = [];
  fake.audits.length = 0;
  fake.planner = {
    plan: async ({ sql }) => planOf(`plan ${sql}`),
    planPrepared: async (given) => planOf(`planPrepared ${Buffer.from(given)}`),
    bindParameters: (given, principal, rows) => {
      asked.push(['bind', Buffer.from(given).toString(), principal.subject, rowsOf(rows)]);
      return Buffer.from(`bound${rows.numRows}`);
    },
  };
  fake.worker = {
    execute: async (ticket) => {
      asked.push(`execute ${Buffer.from(ticket)}`);
      return { task, rows: 7 };
    },
  };
});
afterAll(async () => {
  client.close();
  await fake[Symbol.asyncDispose]();
});

function planOf(question: string) {
  asked.push(question);
  return { queryId: 'q1', schema: rowSchema, tickets: [Buffer.from('t0')], ordered: true, expiresAtMs: 0, audit: fakeAudit };
}

const rowsOf = (table: Table) => table.toArray().map((row) => row.toJSON());

/** FlightData messages of a DoPut: the command, then the stream's messages, the first of them with the command as drivers send it. */
function messagesOf(command: string, fields: Fields, table: Table | null): Uint8Array[] {
  const flight_descriptor = { type: 2, cmd: encodeAny(command, fields) };
  if (table === null) return [encode('FlightData', { flight_descriptor })];
  const { schemaHeader, batches } = splitIpcStream(tableToIPC(table, 'stream'));
  const first = encode('FlightData', { flight_descriptor, data_header: schemaHeader });
  return [first, ...batches.map(({ header, body }) => encodeFlightData(header, body))];
}

const put = (command: string, fields: Fields, table: Table | null = null): Promise<Reply> =>
  call(client, 'DoPut', messagesOf(command, fields, table));

const resultOf = <T>(message: string, { messages: [first] }: Reply): T =>
  decode<T>(message, decode<{ app_metadata: Uint8Array }>('PutResult', first ?? Buffer.alloc(0)).app_metadata);
const countOf = (reply: Reply): string => resultOf<{ record_count: string }>('DoPutUpdateResult', reply).record_count;
const refusal = ({ code, details }: Reply) => [status[code], details];

const texts = (...values: string[]) => vectorFromArray(values, new Utf8());
const one = new Table({ 0: vectorFromArray([42], new Int32()), 1: texts('x') });
const three = tableFromArrays({ 0: Int32Array.of(1, 2, 3) });
const noRows = new RecordBatch(
  new Schema([new Field('0', new Int32())]),
  new RecordBatch({ 0: three.getChildAt(0)?.slice(0, 0).data[0] ?? never() }).data,
);

function never(): never {
  throw new Error('no data');
}

describe('binding', () => {
  test('answers with the handle that carries the values', async () => {
    const reply = await put('CommandPreparedStatementQuery', { prepared_statement_handle: handle }, one);
    expect(resultOf('DoPutPreparedStatementResult', reply)).toEqual({ prepared_statement_handle: Buffer.from('bound1') });
    expect(asked).toEqual([['bind', 'handle', 'ada', [{ 0: 42, 1: 'x' }]]]);
    expect(fake.audits).toMatchObject([{ method: 'DoPut', command: 'CommandPreparedStatementQuery', outcome: 'ok' }]);
  });

  test('is remembered for clients that go on with the old handle, each its own, until it is closed', async () => {
    const own = Buffer.from('old');
    await put('CommandPreparedStatementQuery', { prepared_statement_handle: own }, three);
    await client.info('CommandPreparedStatementQuery', { prepared_statement_handle: own });
    await client.info('CommandPreparedStatementQuery', { prepared_statement_handle: Buffer.from('another') });
    await client.action('ClosePreparedStatement', encodeAny('ActionClosePreparedStatementRequest', { prepared_statement_handle: own }));
    await client.info('CommandPreparedStatementQuery', { prepared_statement_handle: own });
    expect(asked.slice(1)).toEqual(['planPrepared bound3', 'planPrepared another', 'planPrepared old']);
  });

  test('several batches are one table', async () => {
    const batches = [...three.batches, ...three.batches];
    const stream = tableFromIPC(RecordBatchStreamWriter.writeAll(batches).toUint8Array(true));
    await put('CommandPreparedStatementQuery', { prepared_statement_handle: handle }, stream);
    expect(asked).toMatchObject([['bind', 'handle', 'ada', [{ 0: 1 }, { 0: 2 }, { 0: 3 }, { 0: 1 }, { 0: 2 }, { 0: 3 }]]]);
  });

  test('without any data is refused', async () => {
    const reply = await put('CommandPreparedStatementQuery', { prepared_statement_handle: handle });
    expect(refusal(reply)).toEqual(['INVALID_ARGUMENT', 'no parameters were sent']);
  });

  test('with far too much data is refused before all of it is read', async () => {
    const big = new Table({ 0: texts('x'.repeat(9 * 1024 ** 2)) });
    const reply = await put('CommandPreparedStatementQuery', { prepared_statement_handle: handle }, big);
    expect(refusal(reply)).toEqual(['INVALID_ARGUMENT', 'the bound parameters are larger than 8388608 bytes; send fewer rows at a time']);
    expect(asked).toEqual([]);
  });

  test('what the planner says of the values reaches the client', async () => {
    fake.planner = {
      bindParameters: () => {
        throw new SluiceError('request.malformed', 'the statement has 2 parameters, but 1 values were bound');
      },
    };
    const reply = await put('CommandPreparedStatementQuery', { prepared_statement_handle: handle }, three);
    expect(refusal(reply)).toEqual(['INVALID_ARGUMENT', 'the statement has 2 parameters, but 1 values were bound']);
  });
});

describe('updates', () => {
  test('a statement is planned, run and counted', async () => {
    const reply = await put('CommandStatementUpdate', { query: 'DROP TABLE scratch.t' });
    expect(countOf(reply)).toBe('7');
    expect(asked).toEqual(['plan DROP TABLE scratch.t', 'execute t0']);
    expect(fake.audits).toMatchObject([{ command: 'CommandStatementUpdate', statement: 'SELECT 1', rows: 7, outcome: 'ok' }]);
  });

  test.each([
    ['nothing more', null],
    ['an empty schema', tableFromIPC(tableToIPC(tableFromArrays({}), 'stream'))],
    ['a batch without rows', tableFromIPC(RecordBatchStreamWriter.writeAll([noRows]).toUint8Array(true))],
  ])('a prepared statement, with %s', async (_, table) => {
    const reply = await put('CommandPreparedStatementUpdate', { prepared_statement_handle: handle }, table);
    expect(refusal(reply)).toEqual(['OK', expect.anything()]);
    expect(countOf(reply)).toBe('7');
    expect(asked.at(-1)).toBe('execute t0');
    expect(asked.at(-2)).toMatch(/^planPrepared (handle|bound)/);
    expect(asked.filter((entry) => Array.isArray(entry))).toEqual([]);
  });

  test('a prepared statement with rows is bound to them first', async () => {
    const reply = await put('CommandPreparedStatementUpdate', { prepared_statement_handle: Buffer.from('fresh') }, three);
    expect(countOf(reply)).toBe('7');
    expect(asked).toEqual([['bind', 'fresh', 'ada', [{ 0: 1 }, { 0: 2 }, { 0: 3 }]], 'planPrepared bound3', 'execute t0']);
  });

  test('a prepared statement after a bind has its parameters', async () => {
    const own = Buffer.from('bound before');
    await put('CommandPreparedStatementQuery', { prepared_statement_handle: own }, three);
    await put('CommandPreparedStatementUpdate', { prepared_statement_handle: own });
    expect(asked.slice(1)).toEqual(['planPrepared bound3', 'execute t0']);
  });

  test('a statement is answered before the client ends its side: some wait for that', async () => {
    const path = '/arrow.flight.protocol.FlightService/DoPut';
    const identity = (bytes: Buffer): Buffer => bytes;
    const open = client.grpc.makeBidiStreamRequest(path, identity, identity, client.metadata());
    open.on('error', () => {});
    open.write(Buffer.from(messagesOf('CommandStatementUpdate', { query: 'x' }, null)[0] ?? []));
    const answer = await new Promise<Buffer>((resolve) => open.once('data', resolve));
    expect(countOf({ ...(await put('CommandStatementUpdate', { query: 'x' })), messages: [answer] })).toBe('7');
    open.end();
  });

  test('a transaction, and the refusals of planner and worker', async () => {
    expect(refusal(await put('CommandStatementUpdate', { query: 'x', transaction_id: handle }))).toEqual([
      'UNIMPLEMENTED',
      'a transaction is not supported: each statement is its own; leave the transaction out',
    ]);
    fake.worker = { execute: async () => Promise.reject(new SluiceError('request.malformed', 'this is a query')) };
    expect(refusal(await put('CommandStatementUpdate', { query: 'SELECT 1' }))).toEqual(['INVALID_ARGUMENT', 'this is a query']);
    fake.planner = { plan: async () => Promise.reject(new SluiceError('policy.denied', 'you may not')) };
    expect(refusal(await put('CommandStatementUpdate', { query: 'x' }))).toEqual(['PERMISSION_DENIED', 'you may not']);
  });
});

describe('ingest', () => {
  test('the worker gets an Arrow stream and says how many rows it stored', async () => {
    fake.worker = {
      ingest: async (request, principal, messages) => {
        const parts: Uint8Array[] = [];
        for await (const part of messages) parts.push(part);
        asked.push(request, principal.subject, rowsOf(tableFromIPC(Buffer.concat(parts))));
        return 3;
      },
    };
    const reply = await put('CommandStatementIngest', { table: 't', schema: 'scratch', catalog: 'SLUICE', ...DEFINITION }, three);
    expect(countOf(reply)).toBe('3');
    expect(asked).toEqual([
      { table: { schema: 'scratch', name: 't' }, ifExists: 'fail', ifMissing: 'create' },
      'ada',
      [{ 0: 1 }, { 0: 2 }, { 0: 3 }],
    ]);
    expect(fake.audits).toMatchObject([{ command: 'CommandStatementIngest', rows: 3, outcome: 'ok' }]);
  });

  test('a message is read when the worker asks for it', async () => {
    let read = 0;
    let go = (): void => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    fake.worker = {
      ingest: async (_request, _principal, messages) => {
        for await (const _ of messages) {
          read++;
          if (read === 2) await gate;
        }
        return read;
      },
    };
    const [first = Buffer.alloc(0), batch = Buffer.alloc(0)] = messagesOf(
      'CommandStatementIngest',
      { table: 't', ...DEFINITION },
      new Table({ 0: texts('x'.repeat(500_000)) }),
    );
    const replied = call(client, 'DoPut', [first, ...Array.from({ length: 30 }, () => batch)]);
    await eventually(() => read === 2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(read).toBe(2);
    go();
    // The schema, thirty batches and the end of the stream.
    expect(countOf(await replied)).toBe('32');
  });

  test.each<[string, Fields, string, string]>([
    [
      'a temporary table',
      { temporary: true },
      'UNIMPLEMENTED',
      'a temporary table is not supported: ingest into the scratch schema, and drop the table when it is done',
    ],
    [
      'a transaction',
      { transaction_id: handle },
      'UNIMPLEMENTED',
      'a transaction is not supported: each statement is its own; leave the transaction out',
    ],
    ['options', { options: { a: 'b' } }, 'UNIMPLEMENTED', 'an ingest with options of its own is not supported: leave them out'],
    ['another catalog', { catalog: 'other' }, 'NOT_FOUND', 'there is no such catalog'],
    ['no table', { table: '' }, 'INVALID_ARGUMENT', 'the ingest names no table'],
    [
      'no word on what exists',
      { table_definition_options: {} },
      'INVALID_ARGUMENT',
      'the ingest does not say what to do in the case if_exists',
    ],
  ])('%s is refused', async (_, fields, code, message) => {
    expect(refusal(await put('CommandStatementIngest', { table: 't', ...DEFINITION, ...fields }, three))).toEqual([code, message]);
  });

  test('data that is no Arrow stream ends the worker’s reading', async () => {
    fake.worker = {
      ingest: async (_request, _principal, messages) => {
        for await (const _ of messages) asked.push('message');
        return 0;
      },
    };
    const [first = Buffer.alloc(0)] = messagesOf('CommandStatementIngest', { table: 't', ...DEFINITION }, three);
    for (const bad of [
      encodeFlightData(Buffer.from('garbage'), Buffer.alloc(8)),
      encodeFlightData(Buffer.alloc(100, 0xff), Buffer.alloc(0)),
    ]) {
      const reply = await call(client, 'DoPut', [first, bad]);
      expect(refusal(reply)).toEqual(['INVALID_ARGUMENT', 'the data is not a valid Arrow IPC message']);
    }
  });
});

describe('anything else', () => {
  test.each([
    ['no message', [], 'the request holds no message'],
    ['no descriptor', [encode('FlightData', {})], 'the first message names no command'],
    ['a path', [encode('FlightData', { flight_descriptor: { type: 1, path: ['a'] } })], 'the first message names no command'],
    [
      'a query',
      [encode('FlightData', { flight_descriptor: { type: 2, cmd: encodeAny('CommandGetCatalogs', {}) } })],
      'CommandGetCatalogs is not supported',
    ],
  ])('%s is refused', async (_, sent, message) => {
    expect((await call(client, 'DoPut', sent)).details).toBe(message);
  });

  test('messages that make no stream together', async () => {
    const narrow = splitIpcStream(tableToIPC(new Table({ 0: texts('a') }), 'stream'));
    const wide = splitIpcStream(tableToIPC(one, 'stream'));
    const first = messagesOf('CommandPreparedStatementQuery', { prepared_statement_handle: handle }, null);
    const batches = narrow.batches.map(({ header, body }) => encodeFlightData(header, body));
    for (const sent of [batches, [encodeFlightData(wide.schemaHeader, Buffer.alloc(0)), ...batches]]) {
      const reply = await call(client, 'DoPut', [...first, ...sent]);
      expect(refusal(reply)).toEqual(['INVALID_ARGUMENT', 'the parameters are not an Arrow stream that this server reads']);
    }
    expect(asked).toEqual([]);
  });

  test('parameters that are no stream', async () => {
    const { schemaHeader } = splitIpcStream(tableToIPC(new Table({ 0: texts('a') }), 'stream'));
    const first = messagesOf('CommandPreparedStatementQuery', { prepared_statement_handle: handle }, null);
    const second = encodeFlightData(schemaHeader, Buffer.alloc(0));
    // A schema alone is a table without rows, and the planner says what it thinks of that; a schema twice is none.
    expect((await call(client, 'DoPut', [...first, second])).code).toBe(status.OK);
    const garbled = await call(client, 'DoPut', [...first, encodeFlightData(Buffer.alloc(64, 1), Buffer.alloc(8))]);
    expect(refusal(garbled)).toEqual(['INVALID_ARGUMENT', 'the data is not a valid Arrow IPC message']);
  });
});
