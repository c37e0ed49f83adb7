/** Personal access tokens: made by SQL through one client, good as a login for every other, until they are dropped. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, demoUser, JdbcClient, PythonClients } from '../support/clients.ts';
import { shows } from '../support/protocol.ts';
import { QUICKSTART_SETTINGS, quickstartAnswers } from '../support/quickstart.ts';
import { expectSameText } from '../support/same-answer.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const python = new PythonClients();
const old = new PythonClients('sqlalchemy14');
const jdbc = new JdbcClient();
const expectedOf = quickstartAnswers(python);
const sql = 'SELECT count(*) AS n, min(ssn) AS first FROM demo.customers';
/** Tokens outlive a run: a name of its own for each. */
const name = `conformance_${randomUUID().slice(0, 8)}`;
let sluice: TestServer;
let token = '';
const ask = (statement: string): Promise<Answer> => python.query('adbc_query', sluice.port, demoUser('analyst_eu'), statement);
const withToken = (): Readonly<Record<string, unknown>> => ({
  uri: sluice.uri,
  db: { 'adbc.flight.sql.authorization_header': `Bearer ${token}` },
  sql,
});

beforeAll(async () => {
  sluice = await startTestServer(QUICKSTART_SETTINGS);
  const made = await ask(`CREATE TOKEN ${name} EXPIRES IN '1 hour'`);
  expect(made.columns.map(([column]) => column).slice(0, 2)).toEqual(['name', 'token']);
  token = String(made.rows[0]?.[1]);
});

afterAll(async () => {
  await Promise.all([python, old, jdbc].map((client) => client[Symbol.asyncDispose]()));
  await sluice?.[Symbol.asyncDispose]();
});

describe('as a login', () => {
  test('ADBC', shows('ADBC', 'personal access token'), async () => {
    expect((await python.call<Answer>('adbc_query', withToken())).rows).toEqual((await expectedOf('analyst_eu', sql)).rows);
  });

  test('JDBC', shows('JDBC', 'personal access token'), async () => {
    await jdbc.connect(sluice.port, {}, `&token=${encodeURIComponent(token)}`);
    expectSameText(await jdbc.statement(sql), await expectedOf('analyst_eu', sql), 'JDBC');
  });

  test('pyarrow.flight', shows('pyarrow.flight', 'personal access token'), async () => {
    expect((await python.call<Answer>('flight_naive', { uri: sluice.uri, token, sql })).rows).toEqual(
      (await expectedOf('analyst_eu', sql)).rows,
    );
  });

  test('flightsql-dbapi', shows('flightsql-dbapi', 'personal access token'), async () => {
    expect((await old.call<Answer>('dbapi_query', { port: sluice.port, token, sql })).rows).toEqual(
      (await expectedOf('analyst_eu', sql)).rows,
    );
  });
});

test('SHOW TOKENS names it, without the token', shows('ADBC', 'personal access token'), async () => {
  const shown = await ask('SHOW TOKENS');
  expect(shown.rows.some((row) => row.includes(name))).toBe(true);
  expect(JSON.stringify(shown)).not.toContain(token);
});

test('dropped, it is worth nothing', shows('ADBC', 'personal access token'), async () => {
  await ask(`DROP TOKEN ${name}`);
  await python.call('forget');
  await expect(python.call('adbc_query', withToken())).rejects.toThrow(/Unauthenticated|UNAUTHENTICATED/i);
});
