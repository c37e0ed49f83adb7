/** pandas.read_sql and polars.read_database over an ADBC connection. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, demoUser, PythonClients } from '../support/clients.ts';
import { QUICKSTART_QUERIES, QUICKSTART_SETTINGS, setupFor } from '../support/quickstart.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const python = new PythonClients();
let sluice: TestServer;

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

describe.each(['pandas_read_sql', 'polars_read_database'] as const)('%s', (verb) => {
  test.each(Object.entries(QUICKSTART_QUERIES))('%s', async (what, sql) => {
    for (const user of ['steward', 'analyst_eu'] as const) {
      const expected = await python.expected(sql, setupFor(user));
      const actual = await python.query(verb, sluice.port, demoUser(user), sql);
      expect(
        actual.columns.map(([name]) => name),
        `${what} as ${user}`,
      ).toEqual(expected.columns.map(([name]) => name));
      expect(loosely(actual), `${what} as ${user}`).toEqual(loosely(expected));
    }
  });
});
