import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSealer, encapsulatedSchema, encodeRetry, encodeTaskTicket } from '#src/wire/index.js';
import { connectFlight, failureOf, type RawClient } from '../../support/flight-client.ts';
import { decode, decodeAny, encode, encodeAny, type FlightEndpoint } from '../../support/flight-messages.ts';
import { type Fake, fakeAudit, rowSchema, startFake } from './fakes.ts';

let fake: Fake;
let client: RawClient;

beforeAll(async () => {
  fake = await startFake();
  client = await connectFlight({ port: fake.port, user: 'ada' });
});
beforeEach(() => {
  fake.audits.length = 0;
});
afterAll(async () => {
  client.close();
  await fake[Symbol.asyncDispose]();
});

test('CreatePreparedStatement returns handle, result schema and parameters', async () => {
  const prepared = await client.prepare('SELECT 1');
  expect(Buffer.from(prepared.prepared_statement_handle).toString()).toBe('handle');
  expect(prepared.dataset_schema).toEqual(Buffer.from(encapsulatedSchema(rowSchema)));
  expect(prepared.parameter_schema.length).toBeGreaterThan(8);
  expect(prepared.is_update).toBe(false);
  expect(fake.audits).toMatchObject([
    { method: 'DoAction', command: 'CreatePreparedStatement', statement: 'SELECT 1', epoch: 3, outcome: 'ok' },
  ]);
});

test('ClosePreparedStatement takes any handle, and CloseSession says closed', async () => {
  expect(
    await client.action(
      'ClosePreparedStatement',
      encodeAny('ActionClosePreparedStatementRequest', { prepared_statement_handle: Buffer.from('?') }),
    ),
  ).toEqual([]);
  expect(await failureOf(client.action('ClosePreparedStatement', Buffer.from('garbage')))).toMatchObject({ status: 'INVALID_ARGUMENT' });
  expect((await client.action('CloseSession', Buffer.alloc(0))).map((body) => [...body])).toEqual([[8, 1]]);
});

test('a transaction is refused', async () => {
  const body = encodeAny('ActionCreatePreparedStatementRequest', { query: 'SELECT 1', transaction_id: Buffer.from('t') });
  expect((await failureOf(client.action('CreatePreparedStatement', body))).status).toBe('UNIMPLEMENTED');
});

test.each([
  ['BeginTransaction', 'a transaction is not supported: each statement is its own; connect with autocommit'],
  ['EndTransaction', 'a transaction is not supported: each statement is its own; connect with autocommit'],
  ['BeginSavepoint', 'a savepoint is not supported: each statement is its own; connect with autocommit'],
  ['EndSavepoint', 'a savepoint is not supported: each statement is its own; connect with autocommit'],
  ['CreatePreparedSubstraitPlan', 'Substrait is not supported: send SQL'],
  ['NoSuchAction', 'NoSuchAction is not supported'],
  ['constructor', 'constructor is not supported'],
  ['no\nidentifier', 'the action is not supported'],
])('the action %j is refused by name', async (type, message) => {
  expect(await failureOf(client.action(type, Buffer.alloc(0)))).toEqual({ status: 'UNIMPLEMENTED', message });
});

test('ListActions lists what DoAction takes', async () => {
  const listed = await client.collect('ListActions', Buffer.alloc(0));
  expect(listed.map((bytes) => bytes.subarray(2, 2 + (bytes[1] ?? 0)).toString())).toEqual([
    'CreatePreparedStatement',
    'ClosePreparedStatement',
    'CancelFlightInfo',
    'CancelQuery',
    'RenewFlightEndpoint',
    'SetSessionOptions',
    'GetSessionOptions',
    'CloseSession',
  ]);
});

test('a statement without rows has no dataset schema and is an update', async () => {
  fake.planner = {
    prepare: async () => ({ handle: Buffer.from('h'), schema: null, parameters: rowSchema, audit: fakeAudit }),
  };
  const prepared = await client.prepare('DROP TABLE scratch.t');
  fake.planner = {};
  expect(prepared.dataset_schema).toHaveLength(0);
  expect(prepared.is_update).toBe(true);
  expect(prepared.parameter_schema).toEqual(Buffer.from(encapsulatedSchema(rowSchema)));
});

describe('cancel', () => {
  const TASK = encodeTaskTicket(Buffer.from('t0'));
  const infoOf = (tickets: readonly Uint8Array[], app_metadata = Buffer.alloc(0)) => ({
    endpoint: tickets.map((ticket) => ({ ticket: { ticket } })),
    app_metadata,
  });
  const cancelInfo = async (info: object) => {
    const [body] = await client.action('CancelFlightInfo', encode('CancelFlightInfoRequest', { info }));
    return decode<{ status: number }>('CancelFlightInfoResult', body ?? Buffer.alloc(0)).status;
  };
  const cancelled: string[] = [];
  let running = new Set<string>();

  beforeEach(() => {
    cancelled.length = 0;
    running = new Set(['t0']);
    fake.worker = {
      cancel: async (ticket, principal) => {
        cancelled.push(`${principal.subject} ${Buffer.from(ticket)}`);
        return running.delete(Buffer.from(ticket).toString());
      },
    };
  });
  afterEach(() => {
    fake.worker = {};
  });

  test('ends the query of every ticket, and says whether something ended', async () => {
    expect(await cancelInfo(infoOf([TASK, encodeTaskTicket(Buffer.from('t1'))]))).toBe(1);
    expect(cancelled).toEqual(['ada t0', 'ada t1']);
    expect(await cancelInfo(infoOf([TASK]))).toBe(3);
  });

  test('of a question about the catalog has nothing to end', async () => {
    expect(await cancelInfo(infoOf([encodeAny('CommandGetCatalogs', {})]))).toBe(3);
    expect(await cancelInfo(infoOf([]))).toBe(3);
    expect(cancelled).toEqual([]);
  });

  test('CancelQuery is the same in Any', async () => {
    const info = encode('FlightInfo', infoOf([TASK]));
    const [body] = await client.action('CancelQuery', encodeAny('ActionCancelQueryRequest', { info }));
    expect(decodeAny<{ result: number }>('ActionCancelQueryResult', body ?? Buffer.alloc(0)).result).toBe(1);
  });

  test.each([
    ['a ticket of somebody else', encode('CancelFlightInfoRequest', { info: infoOf([Buffer.from('x')]) })],
    ['a query as a ticket', encode('CancelFlightInfoRequest', { info: infoOf([encodeAny('CommandStatementQuery', { query: 'x' })]) })],
    ['no info', Buffer.alloc(0)],
    ['garbage', Buffer.from('garbage')],
    ['far too many endpoints', encode('CancelFlightInfoRequest', { info: infoOf(Array.from({ length: 1001 }, () => TASK)) })],
  ])('%s is refused', async (_, body) => {
    expect(await failureOf(client.action('CancelFlightInfo', body))).toMatchObject({ status: 'INVALID_ARGUMENT' });
  });

  test('a poll of another cluster is refused', async () => {
    const foreign = encodeRetry(createSealer([{ id: 'k1', key: new Uint8Array(32) }]).seal('poll', Buffer.from('x')));
    expect(await failureOf(cancelInfo(infoOf([], Buffer.from(foreign))))).toMatchObject({ status: 'INVALID_ARGUMENT' });
  });
});

describe('renew', () => {
  const renew = async (ticket: Uint8Array, app_metadata = Buffer.from('m')) => {
    const request = encode('RenewFlightEndpointRequest', {
      endpoint: { ticket: { ticket }, app_metadata, location: [{ uri: 'grpc://w:1' }] },
    });
    const [body] = await client.action('RenewFlightEndpoint', request);
    return decode<FlightEndpoint>('FlightEndpoint', body ?? Buffer.alloc(0));
  };

  test('gives a later ticket and its end, and keeps locations and metadata', async () => {
    fake.planner = { renew: async (ticket) => ({ ticket: Buffer.concat([ticket, Buffer.from('+')]), expiresAtMs: 5_000_500 }) };
    const renewed = await renew(encodeTaskTicket(Buffer.from('t0')));
    fake.planner = {};
    expect(renewed.ticket.ticket).toEqual(Buffer.from(encodeTaskTicket(Buffer.from('t0+'))));
    expect(renewed.expiration_time).toEqual({ seconds: '5000', nanos: 500_000_000 });
    expect(renewed.app_metadata).toEqual(Buffer.from('m'));
    expect(renewed.location).toEqual([{ uri: 'grpc://w:1' }]);
  });

  test('of a question about the catalog only has a later end', async () => {
    const ticket = encodeAny('CommandGetCatalogs', {});
    const renewed = await renew(ticket);
    expect(renewed.ticket.ticket).toEqual(Buffer.from(ticket));
    expect(Number(renewed.expiration_time?.seconds) * 1000).toBeGreaterThan(Date.now());
  });

  test.each([
    ['no endpoint', Buffer.alloc(0)],
    ['no ticket', encode('RenewFlightEndpointRequest', { endpoint: {} })],
    ['a foreign ticket', encode('RenewFlightEndpointRequest', { endpoint: { ticket: { ticket: Buffer.from('x') } } })],
  ])('%s is refused', async (_, body) => {
    expect(await failureOf(client.action('RenewFlightEndpoint', body))).toMatchObject({ status: 'INVALID_ARGUMENT' });
  });
});
