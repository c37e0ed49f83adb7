/** The Flight SQL JDBC driver: Statement, PreparedStatement, connections, errors. Parameters and metadata have files of their own. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demoUser, JdbcClient, PythonClients } from '../support/clients.ts';
import { shows } from '../support/protocol.ts';
import { QUICKSTART_QUERIES, QUICKSTART_SETTINGS, quickstartAnswers } from '../support/quickstart.ts';
import { expectSameText } from '../support/same-answer.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const python = new PythonClients();
const jdbc = new JdbcClient();
const expectedOf = quickstartAnswers(python);
let sluice: TestServer;

beforeAll(async () => {
  sluice = await startTestServer(QUICKSTART_SETTINGS);
});

afterAll(async () => {
  await Promise.all([python[Symbol.asyncDispose](), jdbc[Symbol.asyncDispose]()]);
  await sluice?.[Symbol.asyncDispose]();
});

describe.each(['steward', 'analyst_eu'] as const)('as %s', (user) => {
  beforeAll(async () => {
    expect(await jdbc.connect(sluice.port, demoUser(user))).toContain('18.3.0');
  });

  test.each(Object.entries(QUICKSTART_QUERIES))('Statement: %s', shows('JDBC', 'query'), async (what, sql) => {
    expectSameText(await jdbc.statement(sql), await expectedOf(user, sql), what);
  });

  test.each(Object.entries(QUICKSTART_QUERIES))(
    'PreparedStatement, run twice: %s',
    shows('JDBC', 'prepared statement'),
    async (what, sql) => {
      expectSameText(await jdbc.prepared(sql, 2), await expectedOf(user, sql), what);
    },
  );
});

describe('as a tool does', () => {
  beforeAll(() => jdbc.connect(sluice.port, demoUser('steward')));

  test('column types are those of SQL', shows('JDBC', 'column metadata'), async () => {
    const { columns } = await jdbc.statement('SELECT * FROM demo.orders LIMIT 1');
    expect(columns.map(([label, , type]) => [label, type])).toEqual([
      ['order_id', -5],
      ['customer_id', -5],
      ['order_date', 91],
      ['amount', 3],
      ['region', 12],
      ['card_number', 12],
      ['status', 12],
    ]);
  });

  test('a preview reads 200 rows and closes', shows('JDBC', 'cancel'), async () => {
    for (let round = 0; round < 10; round++) expect(await jdbc.partial('SELECT * FROM demo.orders', 200)).toBe(200);
  });

  test('SELECT 1 as a probe of the connection', async () => {
    expect((await jdbc.statement('SELECT 1')).rows).toEqual([['1']]);
  });

  test('a million rows', shows('JDBC', 'large result'), async () => {
    const sql = 'SELECT * FROM demo.orders';
    expect((await jdbc.ascending(sql)).rows).toBe(1_000_000);
    expect((await jdbc.ascending('SELECT order_id FROM demo.orders WHERE order_id < 0')).rows).toBe(0);
  });

  test('Statement.execute says whether there are rows', shows('JDBC', 'query'), async () => {
    expect(await jdbc.execute('SELECT 1')).toBe(true);
  });

  test('closed means closed', shows('JDBC', 'query'), async () => {
    expect(await jdbc.session()).toMatchObject({ valid: true, closed: false });
    expect(await jdbc.close()).toBe(true);
    await jdbc.connect(sluice.port, demoUser('steward'));
  });
});

describe.each([1, 4])('with %i threads that open endpoints', (threads) => {
  beforeAll(() => jdbc.connect(sluice.port, demoUser('steward'), `&threadPoolSize=${threads}`));

  test('all rows come', shows('JDBC', 'several endpoints'), async () => {
    expect((await jdbc.ascending('SELECT * FROM demo.orders')).rows).toBe(1_000_000);
    expect((await jdbc.statement('SELECT region, count(*) AS n FROM demo.orders GROUP BY region')).rows).toHaveLength(3);
  });

  test('ORDER BY holds from the first row to the last', shows('JDBC', 'order of rows'), async () => {
    for (const sql of [
      'SELECT order_id, status FROM demo.orders ORDER BY order_id',
      'SELECT customer_id FROM demo.orders ORDER BY customer_id',
    ])
      expect(await jdbc.ascending(sql)).toEqual({ rows: 1_000_000, rises: true });
  });
});

describe('signing in', () => {
  const sql = 'SELECT count(*) AS n FROM demo.customers';
  const bearer = async (user: string): Promise<string> => await python.call<string>('flight_token', { uri: sluice.uri, ...demoUser(user) });

  test('user and password in the URL', shows('JDBC', 'password'), async () => {
    await jdbc.connect(sluice.port, {}, '&user=analyst_eu&password=analyst_eu-demo');
    expectSameText(await jdbc.statement(sql), await expectedOf('analyst_eu', sql), 'as analyst_eu');
  });

  test('a bearer token in the URL', shows('JDBC', 'bearer token'), async () => {
    await jdbc.connect(sluice.port, {}, `&token=${encodeURIComponent(await bearer('analyst_us'))}`);
    expectSameText(await jdbc.statement(sql), await expectedOf('analyst_us', sql), 'as analyst_us');
  });

  test('a wrong password, a forged token', shows('JDBC', 'password'), async () => {
    const refused = /Unauth|credential|password|token/i;
    await expect(jdbc.connect(sluice.port, { user: 'steward', password: 'wrong' })).rejects.toThrow(refused);
    await expect(jdbc.connect(sluice.port, {}, `&token=${Buffer.alloc(90, 3).toString('base64url')}`)).rejects.toThrow(refused);
  });
});

describe('the catalog in the URL', () => {
  test('is taken, and tables are found without a schema', shows('JDBC', 'session options'), async () => {
    await jdbc.connect(sluice.port, demoUser('analyst_eu'), '&catalog=sluice');
    const sql = 'SELECT count(*) AS n FROM customers';
    expectSameText(await jdbc.statement(sql), await expectedOf('analyst_eu', 'SELECT count(*) AS n FROM demo.customers'), sql);
  });

  test('a schema beside it decides on names without one', shows('JDBC', 'session options'), async () => {
    await jdbc.connect(sluice.port, demoUser('analyst_eu'), '&catalog=sluice&schema=demo');
    expect((await jdbc.statement('SELECT 1 FROM flights LIMIT 1')).rows).toHaveLength(1);
  });

  const CLOSES_TWICE = 'close() of a connection with catalog= throws when all is closed: the driver ends its session twice';
  test('closing', shows('JDBC', 'session options', CLOSES_TWICE), async () => {
    await jdbc.connect(sluice.port, demoUser('analyst_eu'), '&catalog=sluice');
    expect(await jdbc.close()).toBe(true);
  });

  test('another one is refused', shows('JDBC', 'session options'), async () => {
    const failed = jdbc.connect(sluice.port, demoUser('analyst_eu'), '&catalog=nothing').then(() => jdbc.statement('SELECT 1'));
    await expect(failed).rejects.toThrow(/catalog|session|option/i);
  });
});

describe('errors reach the caller as the driver words them', shows('JDBC', 'errors in words'), () => {
  beforeAll(() => jdbc.connect(sluice.port, demoUser('analyst_eu')));

  test.each([
    ['a dataset that is not there', 'SELECT * FROM demo.nothing', /nothing/],
    ['a hidden column', 'SELECT balance FROM demo.customers', /balance/],
    ['a syntax error', 'SELEC 1', /syntax/i],
    ['a failure in the data', 'SELECT CAST(name AS INTEGER) FROM demo.customers', /convert|cast|INVALID/i],
  ] as const)('%s', async (_, sql, pattern) => {
    await expect(jdbc.statement(sql)).rejects.toThrow(pattern);
    expect((await jdbc.statement('SELECT 1')).rows).toEqual([['1']]);
  });

  test('writing into a dataset', async () => {
    await expect(jdbc.update('DELETE FROM demo.orders')).rejects.toThrow(/DELETE|read|SELECT|not allowed|refused/i);
    await expect(jdbc.update('INSERT INTO demo.orders SELECT * FROM demo.orders')).rejects.toThrow(
      /scratch|INSERT|not allowed|refused|denied/i,
    );
  });
});
