/** Rows that clients send: stored as they were sent, for the sender only, and hostile ones leave nothing. */
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Bool,
  type DataType,
  DateDay,
  DateMillisecond,
  Decimal,
  Dictionary,
  Duration,
  Field,
  Float64,
  Int8,
  Int32,
  Int64,
  List,
  makeVector,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Table,
  TimeSecond,
  Timestamp,
  TimeUnit,
  tableFromArrays,
  tableToIPC,
  Uint64,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { encodeAny, type Fields } from '../support/flight-messages.ts';
import { ingest, ingestCommand, ipcMessages, put, update } from '../support/put.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

let scratch: string;
let sluice: TestServer;
let eu: RawClient;
let us: RawClient;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'sluice-scratch-'));
  sluice = await startTestServer({ SLUICE_SCRATCH_DIR: scratch, SLUICE_SCRATCH_BYTES: '4MB' });
  eu = await connectFlight({ port: sluice.port, user: 'analyst_eu' });
  us = await connectFlight({ port: sluice.port, user: 'analyst_us' });
});

afterAll(async () => {
  for (const client of [eu, us]) client.close();
  await sluice[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true });
});

afterEach(async () => {
  for (const name of ['t', 'u']) await update(eu, `DROP TABLE IF EXISTS scratch.${name}`);
});

const leftovers = (): string[] => readdirSync(scratch).filter((name) => name.startsWith('.'));
const small = (from: number, rows = 3): Table => tableFromArrays({ n: Int32Array.from({ length: rows }, (_, i) => from + (i % 100)) });
const typed = (type: DataType, values: readonly unknown[]): Table => new Table({ v: vectorFromArray(values, type) });

describe('uploaded rows', () => {
  test('become a table of the sender', async () => {
    expect(await ingest(eu, 't', small(1))).toBe(3);
    expect(await eu.rows('FROM scratch.t')).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect((await failureOf(us.rows('FROM scratch.t'))).status).toBe('NOT_FOUND');
  });

  test('go where the client says, when the table is there and when it is not', async () => {
    expect((await failureOf(ingest(eu, 't', small(1), { ifMissing: 'fail', ifExists: 'append' }))).status).toBe('NOT_FOUND');
    await ingest(eu, 't', small(1));
    expect((await failureOf(ingest(eu, 't', small(1)))).status).toBe('ALREADY_EXISTS');
    expect(await ingest(eu, 'T', small(4), { ifExists: 'append', schema: 'scratch' })).toBe(3);
    expect(await eu.rows('FROM scratch.t')).toEqual([1, 2, 3, 4, 5, 6].map((n) => ({ n })));
    expect(await ingest(eu, 't', small(7, 1), { ifExists: 'replace' })).toBe(1);
    expect(await eu.rows('FROM scratch.t')).toEqual([{ n: 7 }]);
  });

  test('added to a table take its types, and need its columns in its order', async () => {
    await update(eu, 'CREATE TABLE scratch.t AS SELECT 0::BIGINT AS n');
    await ingest(eu, 't', small(1), { ifExists: 'append' });
    expect(await eu.rows('SELECT sum(n)::INTEGER AS s FROM scratch.t')).toEqual([{ s: 6 }]);
    for (const wrong of [tableFromArrays({ m: [1] }), tableFromArrays({ n: [1], m: [1] })])
      expect(await failureOf(ingest(eu, 't', wrong, { ifExists: 'append' }))).toMatchObject({
        status: 'INVALID_ARGUMENT',
        message: expect.stringContaining('the columns n;'),
      });
    const text = tableFromArrays({ n: ['topsecret'] });
    expect(await failureOf(ingest(eu, 't', text, { ifExists: 'append' }))).toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: expect.not.stringContaining('topsecret'),
    });
    expect(leftovers()).toEqual([]);
  });

  test('may be none at all', async () => {
    const empty = new RecordBatchStreamWriter();
    empty.reset(undefined, new Schema([new Field('a', new Int64(), true), new Field('b c', new Utf8(), true)]));
    empty.finish();
    expect(await put(eu, ingestCommand('t'), ipcMessages(empty.toUint8Array(true)))).toBe(0);
    expect(await eu.rows('SELECT count(*) AS n, count("b c") AS m FROM scratch.t')).toEqual([{ n: 0, m: 0 }]);
  });

  test('may be many', async () => {
    const batches = Array.from({ length: 40 }, (_, i) => small(i * 50_000, 50_000));
    const [first = small(0), ...rest] = batches;
    expect(await ingest(eu, 't', first.concat(...rest))).toBe(2_000_000);
    expect(await eu.rows('SELECT count(DISTINCT n) AS n, max(n) AS m FROM scratch.t')).toEqual([{ n: 4000, m: 39 * 50_000 + 99 }]);
  });

  test.each([
    ['BOOLEAN', new Bool(), [true, null], [true, null]],
    ['TINYINT', new Int8(), [-1, null], [-1, null]],
    ['UBIGINT', new Uint64(), [2n ** 64n - 1n, null], ['18446744073709551615', null]],
    ['DOUBLE', new Float64(), [1.5, null], ['1.5', null]],
    ['VARCHAR', new Utf8(), ['ü', null], ['ü', null]],
    ['VARCHAR', new Dictionary(new Utf8(), new Int32()), ['a', null, 'a'], ['a', null, 'a']],
    ['DATE', new DateDay(), [new Date(86_400_000), null], ['1970-01-02', null]],
    ['DATE', new DateMillisecond(), [new Date(86_400_000), null], ['1970-01-02', null]],
    ['TIMESTAMP', new Timestamp(TimeUnit.SECOND), [86_400_000, null], ['1970-01-02 00:00:00', null]],
    ['TIMESTAMP', new Timestamp(TimeUnit.MILLISECOND), [86_400_000, null], ['1970-01-02 00:00:00', null]],
    ['TIMESTAMP WITH TIME ZONE', new Timestamp(TimeUnit.MICROSECOND, 'UTC'), [86_400_000, null], ['1970-01-02 00:00:00+00', null]],
    ['TIME', new TimeSecond(), [61, null], ['00:01:01', null]],
    ['INTEGER[]', new List(new Field('item', new Int32(), true)), [[1, 2], null, []], ['[1, 2]', null, '[]']],
    ['STRUCT(a INTEGER)', new Struct([new Field('a', new Int32(), true)]), [{ a: 1 }], ["{'a': 1}"]],
  ] as const)('keep %s', async (duckdb, type, values, texts) => {
    await ingest(eu, 't', typed(type, values));
    expect(await eu.rows('SELECT v::VARCHAR AS v, typeof(v) AS t FROM scratch.t')).toEqual(
      texts.map((text) => ({ v: typeof text === 'boolean' || typeof text === 'number' ? String(text) : text, t: duckdb })),
    );
  });

  test('keep decimals', async () => {
    const decimal = new Decimal(2, 10, 128);
    const data = { type: decimal, length: 1, nullCount: 0, data: Uint32Array.of(125, 0, 0, 0) };
    await ingest(eu, 't', new Table({ v: makeVector(data) }));
    expect(await eu.rows('SELECT v::VARCHAR AS v, typeof(v) AS t FROM scratch.t')).toEqual([{ v: '1.25', t: 'DECIMAL(10,2)' }]);
  });

  test.each([
    ['a duration', new Duration(TimeUnit.SECOND), [1n]],
    ['a decimal of 256 bits', new Decimal(2, 50, 256), []],
    ['seconds inside a list', new List(new Field('item', new Timestamp(TimeUnit.SECOND), true)), []],
  ] as const)('can not be %s; the answer names the column', async (_, type, values) => {
    const writer = new RecordBatchStreamWriter();
    if (values.length > 0) writer.write(typed(type, values));
    else writer.reset(undefined, new Schema([new Field('v', type, true)]));
    writer.finish();
    expect(await failureOf(put(eu, ingestCommand('t'), ipcMessages(writer.toUint8Array(true))))).toEqual({
      status: 'UNIMPLEMENTED',
      message: expect.stringContaining('"v"'),
    });
    expect(leftovers()).toEqual([]);
  });
});

describe('refused before any row', () => {
  test.each([
    ['a governed schema', 'customers', { schema: 'demo', ifExists: 'append' }],
    ['a governed name', 'customers', { schema: 'demo', ifExists: 'replace' }],
    ['a schema that is missing', 't', { schema: 'nosuch' }],
    ['an odd name', '../t', {}],
    ['a name with NUL', 'a\0b', {}],
    ['a name of many letters', 'x'.repeat(1000), {}],
    ['a pattern', '*', {}],
  ] as const)('%s', async (_, name, options) => {
    const { status } = await failureOf(ingest(eu, name, small(1), options));
    expect(['PERMISSION_DENIED', 'INVALID_ARGUMENT']).toContain(status);
    expect(leftovers()).toEqual([]);
    expect(await eu.rows('SELECT count(*) > 3 AS b FROM demo.customers')).toEqual([{ b: true }]);
  });

  test('nobody without the grant', async () => {
    const guest = await connectFlight({ port: sluice.port, user: 'guest' });
    expect((await failureOf(ingest(guest, 't', small(1)))).status).toBe('PERMISSION_DENIED');
    guest.close();
  });
});

describe('hostile rows', () => {
  const good = ipcMessages(tableToIPC(tableFromArrays({ a: [1, 2, 3], b: ['x', 'y', 'z'] }), 'stream'));
  const [schema = {}, batch = {}] = good;
  const bytesOf = (message: Fields, part: 'data_header' | 'data_body'): Buffer => Buffer.from(message[part] as Uint8Array);

  test.each([
    ['no message', []],
    ['no schema', [batch]],
    ['two schemas', [schema, schema, batch]],
    ['a header that is garbage', [schema, { data_header: Buffer.from('garbage garbage!'), data_body: Buffer.alloc(64) }]],
    ['a header without body', [schema, { ...batch, data_body: Buffer.alloc(0) }]],
    ['half a body', [schema, { ...batch, data_body: bytesOf(batch, 'data_body').subarray(0, 8) }]],
    ['offsets that lead outside', [schema, { ...batch, data_body: Buffer.alloc(bytesOf(batch, 'data_body').length, 0xff) }]],
    ['a header of zeros', [schema, { data_header: Buffer.alloc(64), data_body: Buffer.alloc(64) }]],
  ])('%s are refused and leave nothing', async (_, messages) => {
    expect((await failureOf(put(eu, ingestCommand('t'), messages))).status).toBe('INVALID_ARGUMENT');
    expect(leftovers()).toEqual([]);
    expect((await failureOf(eu.rows('FROM scratch.t'))).status).toBe('NOT_FOUND');
  });

  test('two columns of one name, a column without a name, a name with a line break', async () => {
    for (const names of [['a', 'A'], [''], ['a\nb']]) {
      const writer = new RecordBatchStreamWriter();
      writer.reset(undefined, new Schema(names.map((name) => new Field(name, new Int32(), true))));
      writer.finish();
      expect((await failureOf(put(eu, ingestCommand('t'), ipcMessages(writer.toUint8Array(true))))).status).toBe('INVALID_ARGUMENT');
    }
  });

  test('a column whose name is SQL is a column of that name', async () => {
    const name = '"; DROP TABLE x; --';
    await ingest(eu, 't', new Table({ [name]: vectorFromArray([1], new Int32()) }));
    expect(await eu.rows('FROM scratch.t')).toEqual([{ [name]: 1 }]);
  });

  test('any bytes changed anywhere never end the server', async () => {
    let state = 12345;
    const random = (below: number): number => {
      state = (state * 1103515245 + 12345) % 2147483648;
      return state % below;
    };
    const outcomes = new Set<string>();
    for (let i = 0; i < 60; i++) {
      const messages = good.map((message) => ({
        data_header: bytesOf(message, 'data_header'),
        data_body: bytesOf(message, 'data_body'),
      }));
      const { data_header, data_body } = messages[random(messages.length)] ?? { data_header: Buffer.alloc(1), data_body: Buffer.alloc(1) };
      const part = random(3) > 0 || data_body.length === 0 ? data_header : data_body;
      part[random(part.length)] = random(256);
      outcomes.add((await failureOf(put(eu, ingestCommand('t', { ifExists: 'replace' }), messages))).status);
    }
    expect([...outcomes].filter((status) => !['OK', 'INVALID_ARGUMENT', 'UNIMPLEMENTED'].includes(status))).toEqual([]);
    expect(leftovers()).toEqual([]);
    expect(await ingest(eu, 'u', small(1))).toBe(3);
  });

  test('more than there is room for', async () => {
    const random = new Table({ v: makeVector(BigInt64Array.from({ length: 700_000 }, (_, i) => BigInt(i) * 2654435761n ** 2n)) });
    expect(await failureOf(ingest(eu, 't', random))).toEqual({ status: 'RESOURCE_EXHAUSTED', message: expect.stringContaining('bytes') });
    expect(leftovers()).toEqual([]);
  });

  test('that stop half way leave nothing', async () => {
    const identity = (bytes: Buffer): Buffer => bytes;
    const call = eu.grpc.makeBidiStreamRequest('/arrow.flight.protocol.FlightService/DoPut', identity, identity, eu.metadata());
    const ended = new Promise((resolve) => call.on('error', resolve));
    const { encode } = await import('../support/flight-messages.ts');
    call.write(Buffer.from(encode('FlightData', { flight_descriptor: { type: 2, cmd: ingestCommand('t') }, ...schema })));
    call.write(Buffer.from(encode('FlightData', batch)));
    await expect.poll(leftovers).toHaveLength(1);
    call.cancel();
    await ended;
    await expect.poll(leftovers).toEqual([]);
    expect((await failureOf(eu.rows('FROM scratch.t'))).status).toBe('NOT_FOUND');
  });

  test('in a transaction or temporary table are not taken', async () => {
    const options = { if_not_exist: 1, if_exists: 1 };
    const command = (more: Fields) => encodeAny('CommandStatementIngest', { table: 't', table_definition_options: options, ...more });
    for (const more of [{ temporary: true }, { transaction_id: Buffer.from('x') }])
      expect((await failureOf(put(eu, command(more), good))).status).toBe('UNIMPLEMENTED');
  });
});
