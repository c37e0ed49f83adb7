/** The ADBC Flight SQL driver (Python, as BI tools and notebooks load it): queries, endpoints, cancellation, sign-in, errors. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, ClientError, demoUser, PythonClients } from '../support/clients.ts';
import { shows } from '../support/protocol.ts';
import { QUICKSTART_QUERIES, QUICKSTART_SETTINGS, quickstartAnswers } from '../support/quickstart.ts';
import { expectSameAnswer } from '../support/same-answer.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const python = new PythonClients();
const expectedOf = quickstartAnswers(python);
let sluice: TestServer;
const options = (user: string, more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> => ({
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

describe.each([
  ['adbc_query', 'query'],
  ['adbc_prepared', 'prepared statement'],
  ['adbc_statement', 'several endpoints'],
  ['adbc_incremental', 'polling'],
] as const)('%s', (verb, feature) => {
  test.each(Object.entries(QUICKSTART_QUERIES))('%s', shows('ADBC', feature), async (what, sql) => {
    for (const user of ['steward', 'analyst_eu'] as const) {
      const expected = await expectedOf(user, sql);
      const actual = await python.query(verb, sluice.port, demoUser(user), sql);
      expectSameAnswer(actual, expected, `${what} as ${user}`);
      if (/ORDER BY/.test(sql)) expect(actual.rows).toEqual(expected.rows);
    }
  });
});

test('a scan over many files comes in shares, whose rows are the whole', shows('ADBC', 'several endpoints'), async () => {
  const sql = 'SELECT order_id, region FROM demo.orders';
  const shares = await python.call<Answer & { partitions: number }>('adbc_statement', options('steward', { sql }));
  expect(shares.partitions).toBeGreaterThan(1);
  expect(shares.partitions).toBeLessThanOrEqual(16);
  expect(new Set(shares.rows.map(([id]) => id)).size).toBe(1_000_000);
  expect(shares.rows).toHaveLength(1_000_000);
});

test('rows one by one, as DB-API hands them out', shows('ADBC', 'query'), async () => {
  const sql = 'SELECT order_id, amount FROM demo.orders WHERE order_id <= 100 ORDER BY order_id';
  const { rows } = await python.call<Answer>('adbc_fetch', options('analyst_eu', { sql }));
  expect(rows).toEqual((await expectedOf('analyst_eu', sql)).rows);
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

test('a result of a million rows arrives whole', shows('ADBC', 'large result'), async () => {
  const sql = 'SELECT order_id, card_number FROM demo.orders';
  const answer = await python.query('adbc_query', sluice.port, demoUser('steward'), sql);
  expect(answer.rows).toHaveLength(1_000_000);
  expect(new Set(answer.rows.map(([id]) => id)).size).toBe(1_000_000);
});

test('a million rows in their order', shows('ADBC', 'order of rows'), async () => {
  const sql = 'SELECT order_id FROM demo.orders ORDER BY order_id DESC';
  const { rows } = await python.query('adbc_query', sluice.port, demoUser('steward'), sql);
  expect(rows.map(([id]) => id)).toEqual(Array.from({ length: 1_000_000 }, (_, index) => 1_000_000 - index));
});

test('several results are read in turns on one connection', shows('ADBC', 'query'), async () => {
  const statements = [100_000, 5, 0, 250_000].map((n) => `SELECT * FROM demo.orders WHERE order_id <= ${n}`);
  expect(await python.call('adbc_many_open', options('steward', { statements }))).toEqual([100_000, 5, 0, 250_000]);
});

test('the schema is known before any row is read, and is the same', shows('ADBC', 'schema without running'), async () => {
  const sql = 'SELECT customer_id, amount * 2 AS double, order_date, [status] AS list FROM demo.orders LIMIT 3';
  const schema = await python.call<readonly (readonly [string, string, boolean])[]>('adbc_execute_schema', options('analyst_eu', { sql }));
  const { columns } = await python.query('adbc_query', sluice.port, demoUser('analyst_eu'), sql);
  expect(schema.map(([name, type]) => [name, type])).toEqual(columns);
});

describe('letting go of a result', shows('ADBC', 'cancel'), () => {
  test('closing a cursor in the middle leaves the connection usable', async () => {
    for (let round = 0; round < 10; round++)
      expect(await python.call('adbc_partial', options('steward', { sql: 'SELECT * FROM demo.orders' }))).toBeGreaterThan(0);
    expect((await python.query('adbc_query', sluice.port, demoUser('steward'), 'SELECT 1 AS one')).rows).toEqual([[1]]);
  });

  test('another thread cancels in the middle', async () => {
    const sql = 'SELECT * FROM demo.orders, range(50) AS r(i)';
    const { rows, ended, message } = await python.call<{ rows: number; ended: string; message: string }>(
      'adbc_cancel',
      options('steward', { sql }),
    );
    expect(ended, message).not.toBe('whole');
    expect(message).toMatch(/cancel/i);
    expect(rows).toBeLessThan(50_000_000);
    expect((await python.query('adbc_query', sluice.port, demoUser('steward'), 'SELECT 1 AS one')).rows).toEqual([[1]]);
  });
});

describe('the session of a connection', () => {
  interface Session {
    readonly catalog: string;
    readonly schema: string;
    readonly options: Readonly<Record<string, unknown>>;
    readonly answer: Answer;
  }
  const cookies = { 'adbc.flight.sql.rpc.with_cookie_middleware': 'true' };
  const sql = 'SELECT count(*) AS n FROM customers';

  test('catalog and schema are told and set', shows('ADBC', 'session options'), async () => {
    const session = await python.call<Session>(
      'adbc_session',
      options('analyst_eu', { db: cookies, catalog: 'sluice', schema: 'demo', sql }),
    );
    expect(session).toMatchObject({ catalog: 'sluice', schema: 'demo' });
    expect(session.answer.rows).toEqual((await expectedOf('analyst_eu', 'SELECT count(*) AS n FROM demo.customers')).rows);
  });

  test("Sluice's own options are set and told", shows('ADBC', 'string views and dictionaries'), async () => {
    const own = { 'adbc.flight.sql.session.option.strings': 'view', 'adbc.flight.sql.session.option.compression': 'zstd' };
    const text = 'SELECT status FROM demo.orders WHERE order_id <= 200 ORDER BY order_id';
    const session = await python.call<Session>(
      'adbc_session',
      options('analyst_eu', { db: cookies, schema: 'demo', options: own, sql: text }),
    );
    expect(session.options).toMatchObject({ schema: 'demo', strings: 'view', compression: 'zstd' });
    expect(session.answer.columns).toEqual([['status', 'string_view']]);
    expect(session.answer.rows).toEqual((await expectedOf('analyst_eu', text)).rows);
  });

  test('a schema that is not there', shows('ADBC', 'session options'), async () => {
    await expect(python.call('adbc_session', options('analyst_eu', { db: cookies, schema: 'nothing' }))).rejects.toThrow(
      /schema|option|invalid/i,
    );
  });

  test('compressed and viewed by header, as the driver reads everything', shows('ADBC', 'compressed bodies'), async () => {
    const text = 'SELECT * FROM demo.orders WHERE order_id <= 20000 ORDER BY order_id';
    const connection = Object.fromEntries(
      ['compression', 'strings', 'enums'].map((name, index) => [
        `adbc.flight.sql.rpc.call_header.x-sluice-${name}`,
        ['lz4', 'utf8', 'dictionary'][index],
      ]),
    );
    const answer = await python.call<Answer>('adbc_query', options('analyst_eu', { connection, sql: text }));
    expect(answer).toEqual(await expectedOf('analyst_eu', text));
  });
});

describe('transactions, which a read plane does not have', shows('ADBC', 'autocommit off'), () => {
  const sql = 'SELECT count(*) AS n FROM demo.orders';

  test("Python's default, autocommit off, works for reading", async () => {
    expect((await python.call<Answer>('adbc_transaction', options('steward', { sql }))).rows).toEqual([[1_000_000]]);
  });

  test('rollback takes nothing back', async () => {
    for (const end of ['rollback', 'commit'])
      expect((await python.call<Answer>('adbc_transaction', options('steward', { sql, end }))).rows).toEqual([[1_000_000]]);
  });
});

describe('signing in', () => {
  const sql = 'SELECT count(*) AS n FROM demo.customers';

  test('with a bearer token in the authorization header', shows('ADBC', 'bearer token'), async () => {
    const token = await python.call<string>('flight_token', options('analyst_eu'));
    const db = { 'adbc.flight.sql.authorization_header': `Bearer ${token}` };
    const { rows } = await python.call<Answer>('adbc_query', { uri: sluice.uri, db, sql });
    expect(rows).toEqual((await expectedOf('analyst_eu', sql)).rows);
  });

  test('with a wrong password', shows('ADBC', 'password'), async () => {
    const failed = python.query('adbc_query', sluice.port, { user: 'steward', password: 'wrong' }, 'SELECT 1');
    await expect(failed).rejects.toThrow(/UNAUTHENTICATED|Unauthenticated/i);
  });

  test('with a forged token', shows('ADBC', 'bearer token'), async () => {
    const db = { 'adbc.flight.sql.authorization_header': `Bearer ${Buffer.alloc(120, 7).toString('base64')}` };
    await expect(python.call('adbc_query', { uri: sluice.uri, db, sql })).rejects.toThrow(/UNAUTHENTICATED|Unauthenticated/i);
  });

  test('not at all', async () => {
    await expect(python.query('adbc_query', sluice.port, {}, 'SELECT 1')).rejects.toThrow(/UNAUTHENTICATED|Unauthenticated/i);
  });
});

describe('errors reach the caller as the driver words them', shows('ADBC', 'errors in words'), () => {
  const cases: readonly [string, string, string, RegExp][] = [
    ['a dataset one may not read', 'guest', 'SELECT * FROM demo.customers', /NOT_FOUND|not exist|unknown/i],
    ['a hidden column', 'analyst_eu', 'SELECT balance FROM demo.customers', /INVALID_ARGUMENT|column/i],
    ['no SELECT', 'steward', 'DROP TABLE demo.customers', /INVALID_ARGUMENT|SELECT|not allowed|scratch/i],
    ['a syntax error', 'steward', 'SELEC 1', /INVALID_ARGUMENT|syntax/i],
    ['a failure in the data', 'steward', 'SELECT CAST(name AS INTEGER) FROM demo.customers', /INVALID_ARGUMENT|convert|cast/i],
  ];
  test.each(cases)('%s', async (_, user, sql, pattern) => {
    const failed = python.query('adbc_query', sluice.port, demoUser(user), sql);
    await expect(failed).rejects.toBeInstanceOf(ClientError);
    await expect(failed).rejects.toThrow(pattern);
    expect((await python.query('adbc_query', sluice.port, demoUser(user), 'SELECT 1 AS one')).rows).toEqual([[1]]);
  });
});
