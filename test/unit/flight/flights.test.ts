import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { encapsulatedSchema } from '#src/wire/index.js';
import { connectFlight, type RawClient } from '../../support/flight-client.ts';
import { decode, encode, type FlightInfo } from '../../support/flight-messages.ts';
import { call, demoCatalog, type Fake, startFake } from './fakes.ts';

let fake: Fake;
let client: RawClient;

beforeAll(async () => {
  fake = await startFake();
  client = await connectFlight({ port: fake.port, user: 'ada' });
});
beforeEach(() => {
  fake.planner = {};
});
afterAll(async () => {
  client.close();
  await fake[Symbol.asyncDispose]();
});

async function list(expression = ''): Promise<FlightInfo[]> {
  const messages = await client.collect('ListFlights', encode('Criteria', { expression: Buffer.from(expression) }));
  return messages.map((message) => decode<FlightInfo>('FlightInfo', message));
}

const namesOf = (flights: readonly FlightInfo[]) => flights.map(({ flight_descriptor: { path } }) => path.slice(1).join('.'));

test('the datasets that one may see, each with its path and schema', async () => {
  const flights = await list();
  expect(flights.map(({ flight_descriptor }) => flight_descriptor)).toMatchObject([
    { type: 1, path: ['sluice', 'demo', 'orders'] },
    { type: 1, path: ['sluice', 'demo', 'order_items'] },
    { type: 1, path: ['sluice', 'crm', 'people'] },
  ]);
  expect(flights[0]?.schema).toEqual(Buffer.from(encapsulatedSchema(demoCatalog.tables[0]?.arrow ?? never())));
  fake.planner = { visibleCatalog: async () => ({ ...demoCatalog, tables: [] }) };
  expect(await list()).toEqual([]);
});

test.each([
  ['demo.%', ['demo.orders', 'demo.order_items']],
  ['%.people', ['crm.people']],
  ['demo.orders', ['demo.orders']],
  ['demo', []],
  ['DEMO.%', []],
  ['%'.repeat(1024), ['demo.orders', 'demo.order_items', 'crm.people']],
])('%s', async (expression, expected) => {
  expect(namesOf(await list(expression))).toEqual(expected);
});

test('odd criteria', async () => {
  expect((await call(client, 'ListFlights', [encode('Criteria', { expression: Buffer.alloc(1025, '%') })])).code).toBe(
    status.INVALID_ARGUMENT,
  );
  expect((await call(client, 'ListFlights', [Buffer.of(0xff)])).code).toBe(status.INVALID_ARGUMENT);
  expect((await call(client, 'ListFlights', [encode('Criteria', { expression: Buffer.of(0xff, 0xfe) })])).messages).toEqual([]);
});

function never(): never {
  throw new Error('no table');
}
