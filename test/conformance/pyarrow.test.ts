/** pyarrow.flight, both as the documentation says (each endpoint at its location) and as notebooks do (the first ticket, same connection). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, demoUser, PythonClients } from '../support/clients.ts';
import { QUICKSTART_QUERIES, QUICKSTART_SETTINGS, setupFor } from '../support/quickstart.ts';
import { expectSameAnswer } from '../support/same-answer.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const python = new PythonClients();
let sluice: TestServer;
const options = (user: string, more: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({
  uri: sluice.uri,
  ...demoUser(user),
  ...more,
});

beforeAll(async () => {
  sluice = await startTestServer(QUICKSTART_SETTINGS);
});

afterAll(async () => {
  await python[Symbol.asyncDispose]();
  await sluice?.[Symbol.asyncDispose]();
});

describe.each(['flight_locations', 'flight_naive'] as const)('%s', (verb) => {
  test.each(Object.entries(QUICKSTART_QUERIES))('%s', async (what, sql) => {
    for (const user of ['steward', 'analyst_eu'] as const)
      expectSameAnswer(
        await python.query(verb, sluice.port, demoUser(user), sql),
        await python.expected(sql, setupFor(user)),
        `${what} as ${user}`,
      );
  });
});

test('FlightInfo promises the schema that DoGet sends', async () => {
  const sql = 'SELECT *, amount / 3 AS third, {a: order_id} AS struct FROM demo.orders LIMIT 10';
  const read = await python.call<Answer & { same_schema: boolean }>('flight_locations', options('analyst_us', { sql }));
  expect(read.same_schema).toBe(true);
  const schema = await python.call<readonly (readonly [string, string, boolean])[]>('flight_schema', options('analyst_us', { sql }));
  expect(schema.map(([name, type]) => [name, type])).toEqual(read.columns);
});

test('a ticket is worth nothing to anybody else', async () => {
  const sql = 'SELECT * FROM demo.customers';
  const stolen = python.call('flight_borrowed_ticket', options('steward', { sql, thief: 'analyst_eu', thief_password: 'analyst_eu-demo' }));
  await expect(stolen).rejects.toMatchObject({ type: 'FlightUnauthorizedError' });
  const anonymous = python.call('flight_borrowed_ticket', options('steward', { sql }));
  await expect(anonymous).rejects.toMatchObject({ type: 'FlightUnauthenticatedError' });
});

test('a reader that cancels is let go', async () => {
  for (let round = 0; round < 10; round++)
    expect(await python.call('flight_cancel', options('steward', { sql: 'SELECT * FROM demo.orders' }))).toBeGreaterThan(0);
  expect((await python.query('flight_naive', sluice.port, demoUser('steward'), 'SELECT 1 AS one')).rows).toEqual([[1]]);
});
