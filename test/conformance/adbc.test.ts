/** The ADBC Flight SQL driver (Python, as BI tools and notebooks load it). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ClientError, demoUser, PythonClients } from '../support/clients.ts';
import { QUICKSTART_QUERIES, QUICKSTART_SETTINGS, setupFor } from '../support/quickstart.ts';
import { expectSameAnswer } from '../support/same-answer.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const python = new PythonClients();
let sluice: TestServer;
const options = (user: string): Readonly<Record<string, unknown>> => ({ uri: sluice.uri, ...demoUser(user) });

beforeAll(async () => {
  sluice = await startTestServer(QUICKSTART_SETTINGS);
});

afterAll(async () => {
  await python[Symbol.asyncDispose]();
  await sluice?.[Symbol.asyncDispose]();
});

describe.each(['adbc_query', 'adbc_prepared', 'adbc_statement'] as const)('%s', (verb) => {
  test.each(Object.entries(QUICKSTART_QUERIES))('%s', async (what, sql) => {
    for (const user of ['steward', 'analyst_eu'] as const) {
      const expected = await python.expected(sql, setupFor(user));
      const actual = await python.query(verb, sluice.port, demoUser(user), sql);
      expectSameAnswer(actual, expected, `${what} as ${user}`);
      if (/ORDER BY/.test(sql)) expect(actual.rows).toEqual(expected.rows);
    }
  });
});

test('steward and analyst get different answers to the same question', async () => {
  const sql = 'SELECT * FROM demo.customers ORDER BY customer_id LIMIT 20';
  const [all, own] = [
    await python.query('adbc_query', sluice.port, demoUser('steward'), sql),
    await python.query('adbc_query', sluice.port, demoUser('analyst_eu'), sql),
  ];
  expect(all.columns.map(([name]) => name)).toContain('balance');
  expect(own.columns.map(([name]) => name)).not.toContain('balance');
  expect(own.rows).not.toEqual(all.rows);
});

test('a result of a million rows arrives whole', async () => {
  const sql = 'SELECT order_id, card_number FROM demo.orders';
  const answer = await python.query('adbc_query', sluice.port, demoUser('steward'), sql);
  expect(answer.rows).toHaveLength(1_000_000);
  expect(new Set(answer.rows.map(([id]) => id)).size).toBe(1_000_000);
});

test('the schema is known before any row is read, and is the same', async () => {
  const sql = 'SELECT customer_id, amount * 2 AS double, order_date, [status] AS list FROM demo.orders LIMIT 3';
  const schema = await python.call<readonly (readonly [string, string, boolean])[]>('adbc_execute_schema', {
    ...options('analyst_eu'),
    sql,
  });
  const { columns } = await python.query('adbc_query', sluice.port, demoUser('analyst_eu'), sql);
  expect(schema.map(([name, type]) => [name, type])).toEqual(columns);
});

test('closing a cursor in the middle leaves the connection usable', async () => {
  for (let round = 0; round < 10; round++)
    expect(await python.call('adbc_partial', { ...options('steward'), sql: 'SELECT * FROM demo.orders' })).toBeGreaterThan(0);
  expect((await python.query('adbc_query', sluice.port, demoUser('steward'), 'SELECT 1 AS one')).rows).toEqual([[1]]);
});

describe('errors reach the caller as the driver words them', () => {
  const cases: readonly [string, string, string, RegExp][] = [
    ['a dataset one may not read', 'guest', 'SELECT * FROM demo.customers', /NOT_FOUND|not exist|unknown/i],
    ['a hidden column', 'analyst_eu', 'SELECT balance FROM demo.customers', /INVALID_ARGUMENT|column/i],
    ['no SELECT', 'steward', 'DROP TABLE demo.customers', /INVALID_ARGUMENT|SELECT|not allowed/i],
    ['a syntax error', 'steward', 'SELEC 1', /INVALID_ARGUMENT|syntax/i],
  ];
  test.each(cases)('%s', async (_, user, sql, pattern) => {
    const failed = python.query('adbc_query', sluice.port, demoUser(user), sql);
    await expect(failed).rejects.toBeInstanceOf(ClientError);
    await expect(failed).rejects.toThrow(pattern);
    expect((await python.query('adbc_query', sluice.port, demoUser(user), 'SELECT 1 AS one')).rows).toEqual([[1]]);
  });

  test('a wrong password', async () => {
    const failed = python.query('adbc_query', sluice.port, { user: 'steward', password: 'wrong' }, 'SELECT 1');
    await expect(failed).rejects.toThrow(/UNAUTHENTICATED|Unauthenticated/i);
  });

  test('no credentials', async () => {
    await expect(python.query('adbc_query', sluice.port, {}, 'SELECT 1')).rejects.toThrow(/UNAUTHENTICATED|Unauthenticated/i);
  });
});
