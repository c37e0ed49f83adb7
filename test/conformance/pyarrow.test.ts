/** pyarrow.flight, both as the documentation says (each endpoint at its location) and as notebooks do (the first ticket, same connection). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, demoUser, PythonClients } from '../support/clients.ts';
import { shows } from '../support/protocol.ts';
import { QUICKSTART_QUERIES, QUICKSTART_SETTINGS, quickstartAnswers } from '../support/quickstart.ts';
import { expectSameAnswer } from '../support/same-answer.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

type Fields = readonly (readonly [name: string, type: string, nullable: boolean])[];

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

describe.each(['flight_locations', 'flight_naive'] as const)('%s', (verb) => {
  test.each(Object.entries(QUICKSTART_QUERIES))('%s', shows('pyarrow.flight', 'query'), async (what, sql) => {
    for (const user of ['steward', 'analyst_eu'] as const)
      expectSameAnswer(await python.query(verb, sluice.port, demoUser(user), sql), await expectedOf(user, sql), `${what} as ${user}`);
  });
});

test('FlightInfo promises the schema that DoGet sends', shows('pyarrow.flight', 'schema without running'), async () => {
  const sql = 'SELECT *, amount / 3 AS third, {a: order_id} AS struct FROM demo.orders LIMIT 10';
  const read = await python.call<Answer & { same_schema: boolean }>('flight_locations', options('analyst_us', { sql }));
  expect(read.same_schema).toBe(true);
  const schema = await python.call<Fields>('flight_schema', options('analyst_us', { sql }));
  expect(schema.map(([name, type]) => [name, type])).toEqual(read.columns);
});

describe('descriptors of other kinds', () => {
  test('plain SQL as the command, as older connectors send it', shows('pyarrow.flight', 'query'), async () => {
    const sql = 'SELECT region, count(*) AS n FROM demo.customers GROUP BY region ORDER BY region';
    for (const user of ['steward', 'analyst_eu'] as const)
      expect(await python.call<Answer>('flight_naive', options(user, { raw: sql }))).toEqual(await expectedOf(user, sql));
  });

  test('the path of a dataset', shows('pyarrow.flight', 'query'), async () => {
    const expected = await expectedOf('analyst_eu', 'SELECT * FROM demo.customers');
    expectSameAnswer(
      await python.call<Answer>('flight_naive', options('analyst_eu', { path: ['demo', 'customers'] })),
      expected,
      'by path',
    );
    await expect(python.call('flight_naive', options('guest', { path: ['demo', 'customers'] }))).rejects.toThrow(
      /not exist|unknown|not found/i,
    );
  });
});

describe('endpoints', () => {
  const sql = 'SELECT * FROM demo.orders';
  interface Info {
    readonly endpoints: number;
    readonly ordered: boolean;
    readonly expires: readonly boolean[];
  }

  test('one for a client that may read only the first, unless it asks for more', shows('pyarrow.flight', 'several endpoints'), async () => {
    expect(await python.call<Info>('flight_info', options('steward', { sql }))).toMatchObject({ endpoints: 1, expires: [true] });
    const headers = { 'x-sluice-endpoints': 'parallel' };
    const { endpoints } = await python.call<Info>('flight_info', options('steward', { sql, headers }));
    expect(endpoints).toBeGreaterThanOrEqual(1);
    const all = await python.call<Answer>('flight_locations', options('analyst_eu', { sql: `${sql} WHERE order_id % 100 = 0`, headers }));
    expectSameAnswer(all, await expectedOf('analyst_eu', `${sql} WHERE order_id % 100 = 0`), 'parallel');
  });

  test('an order is said', shows('pyarrow.flight', 'order of rows'), async () => {
    const ordered = 'SELECT order_id FROM demo.orders WHERE order_id <= 1000 ORDER BY order_id DESC';
    const answer = await python.call<Answer>(
      'flight_locations',
      options('steward', { sql: ordered, headers: { 'x-sluice-endpoints': 'parallel' } }),
    );
    expect(answer.rows).toEqual((await expectedOf('steward', ordered)).rows);
  });

  test('renewal keeps the rows and moves the end', shows('pyarrow.flight', 'renewal of endpoints'), async () => {
    const small = 'SELECT * FROM demo.customers WHERE customer_id < 50';
    const { later, answer } = await python.call<{ later: boolean; answer: Answer }>('flight_renew', options('analyst_eu', { sql: small }));
    expect(later).toBe(true);
    expectSameAnswer(answer, await expectedOf('analyst_eu', small), 'renewed');
  });
});

describe('letting go of a result', shows('pyarrow.flight', 'cancel'), () => {
  test('by the reader', async () => {
    for (let round = 0; round < 10; round++)
      expect(await python.call('flight_cancel', options('steward', { sql: 'SELECT * FROM demo.orders' }))).toBeGreaterThan(0);
    expect((await python.query('flight_naive', sluice.port, demoUser('steward'), 'SELECT 1 AS one')).rows).toEqual([[1]]);
  });

  test('by CancelFlightInfo: what runs ends, and the ticket is worth nothing any more', async () => {
    const sql = 'SELECT * FROM demo.orders, range(20) AS r(i)';
    const { status, ended, again } = await python.call<{ status: number; ended: string; again: string }>(
      'flight_cancel_info',
      options('steward', { sql }),
    );
    expect([1, 2]).toContain(status);
    expect(ended).not.toBe('whole');
    expect(again).not.toBe('whole');
  });
});

describe('signing in', () => {
  const sql = 'SELECT count(*) AS n FROM demo.customers';

  test('a bearer token in the headers', shows('pyarrow.flight', 'bearer token'), async () => {
    const token = await python.call<string>('flight_token', options('analyst_us'));
    const { rows } = await python.call<Answer>('flight_naive', { uri: sluice.uri, token, sql });
    expect(rows).toEqual((await expectedOf('analyst_us', sql)).rows);
  });

  test('a wrong password', shows('pyarrow.flight', 'password'), async () => {
    const wrong = { uri: sluice.uri, user: 'steward', password: 'wrong', sql };
    await expect(python.call('flight_naive', wrong)).rejects.toMatchObject({ type: 'FlightUnauthenticatedError' });
  });

  test('a ticket is worth nothing to anybody else', shows('pyarrow.flight', 'password'), async () => {
    const all = 'SELECT * FROM demo.customers';
    const stolen = python.call(
      'flight_borrowed_ticket',
      options('steward', { sql: all, thief: 'analyst_eu', thief_password: 'analyst_eu-demo' }),
    );
    await expect(stolen).rejects.toMatchObject({ type: 'FlightUnauthorizedError' });
    const anonymous = python.call('flight_borrowed_ticket', options('steward', { sql: all }));
    await expect(anonymous).rejects.toMatchObject({ type: 'FlightUnauthenticatedError' });
  });
});

test('list_flights names the datasets one may read, with their schemas', shows('pyarrow.flight', 'list of flights'), async () => {
  type Listed = readonly { readonly path: readonly string[]; readonly schema: Fields }[];
  const names = async (user: string): Promise<readonly string[]> => {
    const listed = await python.call<Listed>('flight_list', options(user));
    return listed.map(({ path }) => path.slice(-2).join('.')).sort();
  };
  expect(await names('steward')).toEqual(['demo.customer_orders', 'demo.customers', 'demo.flights', 'demo.orders', 'demo.products']);
  expect(await names('guest')).toEqual(['demo.flights']);
  const listed = await python.call<Listed>('flight_list', options('analyst_eu'));
  const customers = listed.find(({ path }) => path.at(-1) === 'customers');
  expect(customers?.schema.map(([name]) => name)).not.toContain('balance');
});

test('list_actions names what can be done', shows('pyarrow.flight', 'actions'), async () => {
  const actions = await python.call<readonly string[]>('flight_actions', options('guest'));
  expect(actions).toEqual(expect.arrayContaining(['CreatePreparedStatement', 'ClosePreparedStatement', 'CancelFlightInfo']));
  expect(actions).toEqual(expect.arrayContaining(['RenewFlightEndpoint', 'SetSessionOptions', 'GetSessionOptions', 'CloseSession']));
});

test('do_exchange sends back what it gets', shows('pyarrow.flight', 'exchange'), async () => {
  expect(await python.call('flight_exchange', options('guest'))).toEqual([
    [[0, 1, 2], '0'],
    [[10, 11, 12], '10'],
  ]);
});

describe('session options in a cookie', () => {
  interface Session {
    readonly errors: string;
    readonly cookie: readonly string[];
    readonly after: readonly string[];
    readonly holds: Readonly<Record<string, boolean>>;
    readonly answer: Answer;
  }

  test('hold for the requests that bring it, until the session is closed', shows('pyarrow.flight', 'session options'), async () => {
    const sql = 'SELECT count(*) AS n FROM customers';
    const session = await python.call<Session>(
      'flight_session',
      options('analyst_eu', { sql, options: { schema: 'demo', compression: 'zstd' } }),
    );
    expect(session.errors).toBe('');
    expect(session.cookie).toEqual(['arrow_flight_session_id']);
    expect(session.holds).toEqual({ schema: true, compression: true });
    expect(session.answer.rows).toEqual((await expectedOf('analyst_eu', 'SELECT count(*) AS n FROM demo.customers')).rows);
    expect(session.after).toEqual([]);
  });

  test('faults name the option', shows('pyarrow.flight', 'session options'), async () => {
    const session = await python.call<Session>('flight_session', options('guest', { options: { colour: 'red', compression: 'rar' } }));
    const text = Buffer.from(session.errors, 'hex').toString('latin1');
    expect(text).toContain('colour');
    expect(text).toContain('compression');
  });
});

describe('the form of the rows, by header', () => {
  const sql = 'SELECT order_id, status, region, order_date FROM demo.orders WHERE order_id <= 30000 ORDER BY order_id';
  interface Form {
    readonly promised: readonly string[];
    readonly sent: readonly string[];
    readonly answer: Answer;
  }
  const read = (user: string, headers: Readonly<Record<string, string>>): Promise<Form> =>
    python.call<Form>('flight_fields', options(user, { sql, headers }));

  test.each(['lz4', 'zstd'])('bodies compressed with %s', shows('pyarrow.flight', 'compressed bodies'), async (compression) => {
    const { answer } = await read('analyst_eu', { 'x-sluice-compression': compression });
    expect(answer).toEqual(await expectedOf('analyst_eu', sql));
  });

  test('string views', shows('pyarrow.flight', 'string views and dictionaries'), async () => {
    const { promised, sent, answer } = await read('analyst_eu', { 'x-sluice-strings': 'view' });
    expect(sent).toEqual(promised);
    expect(sent).toContain('string_view');
    expect(answer).toEqual(await expectedOf('analyst_eu', sql));
  });

  test('views and compression at once', shows('pyarrow.flight', 'string views and dictionaries'), async () => {
    const headers = { 'x-sluice-strings': 'view', 'x-sluice-enums': 'dictionary', 'x-sluice-compression': 'lz4' };
    expect((await read('steward', headers)).answer).toEqual(await expectedOf('steward', sql));
  });

  test('plain without a word', shows('pyarrow.flight', 'query'), async () => {
    expect((await read('steward', {})).sent).toEqual(['int64', 'string', 'string', 'date32[day]']);
  });

  test('a value that is none of the choices is refused in words', shows('pyarrow.flight', 'errors in words'), async () => {
    await expect(read('steward', { 'x-sluice-compression': 'rar' })).rejects.toThrow(/x-sluice-compression is one of none, lz4, zstd/);
  });
});
