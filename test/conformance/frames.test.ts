/** What people do with an ADBC connection: pandas, polars, and DuckDB running SQL of its own over the stream. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, demoUser, PythonClients } from '../support/clients.ts';
import { shows } from '../support/protocol.ts';
import { QUICKSTART_QUERIES, QUICKSTART_SETTINGS, quickstartAnswers } from '../support/quickstart.ts';
import { expectSameAnswer } from '../support/same-answer.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const python = new PythonClients();
const expectedOf = quickstartAnswers(python);
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

/** Both libraries widen types as they please: values are compared as text, numbers by value, dates by their day. */
function loosely(answer: Answer): readonly (readonly unknown[])[] {
  return answer.rows.map((row) => row.map(looseCell));
}

function looseCell(cell: unknown): unknown {
  if (cell === null || typeof cell === 'boolean') return cell;
  const text = String(cell).replace(/T00:00:00$/, '');
  return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(Number(text).toPrecision(12)) : text;
}

describe.each([
  ['pandas_read_sql', 'pandas'],
  ['polars_read_database', 'polars'],
] as const)('%s', (verb, client) => {
  test.each(Object.entries(QUICKSTART_QUERIES))('%s', shows(client, 'query'), async (what, sql) => {
    for (const user of ['steward', 'analyst_eu'] as const) {
      const expected = await expectedOf(user, sql);
      const actual = await python.query(verb, sluice.port, demoUser(user), sql);
      expect(
        actual.columns.map(([name]) => name),
        `${what} as ${user}`,
      ).toEqual(expected.columns.map(([name]) => name));
      expect(loosely(actual), `${what} as ${user}`).toEqual(loosely(expected));
    }
  });
});

test('pandas keeps Arrow types when asked to', shows('pandas', 'query'), async () => {
  const sql = QUICKSTART_QUERIES['view rows'] ?? '';
  const actual = await python.query('pandas_pyarrow', sluice.port, demoUser('analyst_eu'), sql);
  expect(loosely(actual)).toEqual(loosely(await expectedOf('analyst_eu', sql)));
});

test('pandas passes parameters on', shows('pandas', 'parameters', 'read_sql hands no parameters to ADBC'), async () => {
  const sql = 'SELECT customer_id, name FROM demo.customers WHERE customer_id BETWEEN ? AND ? ORDER BY 1';
  const actual = await python.call<Answer>('pandas_read_sql', options('analyst_eu', { sql, values: [10, 60] }));
  expect(loosely(actual)).toEqual(loosely(await expectedOf('analyst_eu', sql.replace('? AND ?', '10 AND 60'))));
});

describe.each([
  ['pandas_read_sql', 'pandas'],
  ['polars_read_database', 'polars'],
  ['duckdb_over_reader', 'DuckDB'],
] as const)('%s', (verb, client) => {
  test('with a wrong password', shows(client, 'password'), async () => {
    const wrong = { uri: sluice.uri, user: 'steward', password: 'wrong', sql: 'SELECT 1 AS one', over: 'FROM remote' };
    await expect(python.call(verb, wrong)).rejects.toThrow(/Unauthenticated/i);
  });
});

test('polars reads batch by batch', shows('polars', 'large result'), async () => {
  expect(await python.call('polars_batches', options('steward', { sql: 'SELECT order_id, status FROM demo.orders' }))).toBe(1_000_000);
});

describe('DuckDB', () => {
  const over = 'SELECT region, status, count(*) AS n, sum(amount) AS total FROM remote GROUP BY ALL ORDER BY ALL';
  const sql = 'SELECT region, status, amount FROM demo.orders';

  test.each(['steward', 'analyst_eu'] as const)('runs its own SQL over the stream, as %s', shows('DuckDB', 'query'), async (user) => {
    const actual = await python.call<Answer>('duckdb_over_reader', options(user, { sql, over }));
    expectSameAnswer(actual, await expectedOf(user, over.replace('remote', `(${sql})`)), over);
  });

  test('takes a table as a relation', shows('DuckDB', 'query'), async () => {
    const aggregate = 'count(*) AS n, min(birth_date) AS first, count(DISTINCT ssn) AS people';
    const actual = await python.call<Answer>('duckdb_relation', options('analyst_eu', { sql: 'SELECT * FROM demo.customers', aggregate }));
    expectSameAnswer(actual, await expectedOf('analyst_eu', `SELECT ${aggregate} FROM demo.customers`), aggregate);
  });

  test('takes a million rows', shows('DuckDB', 'large result'), async () => {
    const count = 'SELECT count(*) AS n, count(DISTINCT order_id) AS orders FROM remote';
    expect(
      (await python.call<Answer>('duckdb_over_reader', options('steward', { sql: 'SELECT * FROM demo.orders', over: count }))).rows,
    ).toEqual([[1_000_000, 1_000_000]]);
  });
});
