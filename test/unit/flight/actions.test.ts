import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { encapsulatedSchema } from '#src/wire/index.js';
import { connectFlight, failureOf, type RawClient } from '../../support/flight-client.ts';
import { encode, encodeAny } from '../../support/flight-messages.ts';
import { type Fake, rowSchema, startFake } from './fakes.ts';

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

test('CreatePreparedStatement returns handle, result schema and no parameters', async () => {
  const prepared = await client.prepare('SELECT 1');
  expect(Buffer.from(prepared.prepared_statement_handle).toString()).toBe('handle');
  expect(prepared.dataset_schema).toEqual(Buffer.from(encapsulatedSchema(rowSchema)));
  expect(prepared.parameter_schema.length).toBeGreaterThan(8);
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
  expect(await client.action('ClosePreparedStatement', Buffer.from('garbage'))).toEqual([]);
  expect((await client.action('CloseSession', Buffer.alloc(0))).map((body) => [...body])).toEqual([[8, 1]]);
});

test('a transaction is refused', async () => {
  const body = encodeAny('ActionCreatePreparedStatementRequest', { query: 'SELECT 1', transaction_id: Buffer.from('t') });
  expect((await failureOf(client.action('CreatePreparedStatement', body))).status).toBe('UNIMPLEMENTED');
});

test.each([
  ['BeginTransaction', 'BeginTransaction is not supported'],
  ['SetSessionOptions', 'SetSessionOptions is not supported'],
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
    'CloseSession',
  ]);
});

test('DoPut names the command that it refuses', async () => {
  const put = (command: string) =>
    failureOf(client.collect('DoPut', encode('FlightData', { flight_descriptor: { type: 2, cmd: encodeAny(command, {}) } })));
  expect(await put('CommandStatementUpdate')).toEqual({
    status: 'UNIMPLEMENTED',
    message: 'CommandStatementUpdate is not supported: this server reads only',
  });
  expect(await put('CommandPreparedStatementQuery')).toEqual({
    status: 'UNIMPLEMENTED',
    message: 'binding parameters is not supported: write the values into the statement',
  });
  expect(fake.audits.map((audit) => audit.command)).toEqual(['CommandStatementUpdate', 'CommandPreparedStatementQuery']);
});
