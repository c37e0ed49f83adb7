import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { connectFlight, failureOf, type RawClient } from '../../support/flight-client.ts';
import { type Fake, startFake } from './fakes.ts';

let fake: Fake;
let client: RawClient;

beforeAll(async () => {
  fake = await startFake();
  client = await connectFlight({ port: fake.port, user: 'ada' });
});
beforeEach(() => {
  fake.source = { batches: 2 };
  fake.audits.length = 0;
  Object.assign(fake.held, { produced: 0, released: 0, disposed: 0, peak: 0, aborted: 0 });
});
afterAll(async () => {
  client.close();
  await fake[Symbol.asyncDispose]();
});

test('frames go straight onto HTTP/2: a grpc-js upgrade that hides its stream fails here', () => {
  expect(fake.server.fastPath).toBe(true);
});

test('a query streams its rows in order', async () => {
  fake.source = { batches: 5, rows: 1000, shared: true };
  const table = await client.table('SELECT 1');
  expect(table.numRows).toBe(5000);
  expect(table.get(4321)?.toJSON()).toEqual({ n: 4321, s: 4321 });
  expect(fake.held).toMatchObject({ produced: 5, released: 5, disposed: 1 });
});
