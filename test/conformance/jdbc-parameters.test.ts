/** The JDBC driver binds into a vector of the type that the server told: each setter has to fit what the statement compares with. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demoUser, JdbcClient, PythonClients } from '../support/clients.ts';
import { shows } from '../support/protocol.ts';
import { QUICKSTART_SETTINGS, quickstartAnswers } from '../support/quickstart.ts';
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

/** Statement with `?`, binds, the same statement with literals. */
type Case = readonly [sql: string, binds: readonly string[], literal: string];

const COLUMNS: Readonly<Record<string, Case>> = {
  'BIGINT by setInt': [
    'SELECT name FROM demo.customers WHERE customer_id = ?',
    ['setInt=7'],
    'SELECT name FROM demo.customers WHERE customer_id = 7',
  ],
  'BIGINT by setLong': [
    'SELECT name FROM demo.customers WHERE customer_id = ?',
    ['setLong=7'],
    'SELECT name FROM demo.customers WHERE customer_id = 7',
  ],
  'BIGINT by setShort': [
    'SELECT name FROM demo.customers WHERE customer_id = ?',
    ['setShort=7'],
    'SELECT name FROM demo.customers WHERE customer_id = 7',
  ],
  'BIGINT by setByte': [
    'SELECT name FROM demo.customers WHERE customer_id = ?',
    ['setByte=7'],
    'SELECT name FROM demo.customers WHERE customer_id = 7',
  ],
  'BIGINT by setObject': [
    'SELECT name FROM demo.customers WHERE customer_id = ?',
    ['setObjectLong=7'],
    'SELECT name FROM demo.customers WHERE customer_id = 7',
  ],
  'BIGINT by setObject with a type': [
    'SELECT name FROM demo.customers WHERE customer_id = ?',
    ['setObjectOfType=7'],
    'SELECT name FROM demo.customers WHERE customer_id = 7',
  ],
  'VARCHAR by setString': [
    'SELECT count(*) AS n FROM demo.orders WHERE status = ?',
    ['setString=paid'],
    "SELECT count(*) AS n FROM demo.orders WHERE status = 'paid'",
  ],
  'VARCHAR by setObject': [
    'SELECT count(*) AS n FROM demo.orders WHERE status = ?',
    ['setObjectString=paid'],
    "SELECT count(*) AS n FROM demo.orders WHERE status = 'paid'",
  ],
  'DATE by setDate': [
    'SELECT count(*) AS n FROM demo.orders WHERE order_date >= ?',
    ['setDate=2024-03-01'],
    "SELECT count(*) AS n FROM demo.orders WHERE order_date >= DATE '2024-03-01'",
  ],
  'DATE by setObject': [
    'SELECT count(*) AS n FROM demo.orders WHERE order_date >= ?',
    ['setObjectDate=2024-03-01'],
    "SELECT count(*) AS n FROM demo.orders WHERE order_date >= DATE '2024-03-01'",
  ],
  'TIMESTAMP by setTimestamp': [
    'SELECT count(*) AS n FROM demo.flights WHERE date < ?',
    ['setTimestamp=2001-02-01 12:30:00.25'],
    "SELECT count(*) AS n FROM demo.flights WHERE date < TIMESTAMP '2001-02-01 12:30:00.25'",
  ],
  'TIMESTAMP by setObject': [
    'SELECT count(*) AS n FROM demo.flights WHERE date < ?',
    ['setObjectTimestamp=2001-02-01 12:30:00'],
    "SELECT count(*) AS n FROM demo.flights WHERE date < TIMESTAMP '2001-02-01 12:30:00'",
  ],
  'DECIMAL by setBigDecimal': [
    'SELECT count(*) AS n FROM demo.orders WHERE amount < ?',
    ['setBigDecimal=123.45'],
    'SELECT count(*) AS n FROM demo.orders WHERE amount < 123.45',
  ],
  'DECIMAL by setObject': [
    'SELECT count(*) AS n FROM demo.orders WHERE amount < ?',
    ['setObjectBigDecimal=123.45'],
    'SELECT count(*) AS n FROM demo.orders WHERE amount < 123.45',
  ],
  'NULL by setNull': [
    'SELECT count(*) AS n FROM demo.orders WHERE status = ?',
    ['setNull=VARCHAR'],
    'SELECT count(*) AS n FROM demo.orders WHERE status = NULL',
  ],
  'a NULL number': [
    'SELECT count(*) AS n FROM demo.orders WHERE order_id = ?',
    ['setNull=BIGINT'],
    'SELECT count(*) AS n FROM demo.orders WHERE order_id = NULL',
  ],
  'several at once': [
    'SELECT count(*) AS n FROM demo.orders WHERE status IN (?, ?) AND order_id BETWEEN ? AND ? AND order_date < ?',
    ['setString=paid', 'setString=open', 'setLong=10', 'setInt=50000', 'setDate=2030-01-01'],
    "SELECT count(*) AS n FROM demo.orders WHERE status IN ('paid', 'open') AND order_id BETWEEN 10 AND 50000 AND order_date < DATE '2030-01-01'",
  ],
  LIMIT: [
    'SELECT order_id FROM demo.orders ORDER BY order_id LIMIT ?',
    ['setLong=3'],
    'SELECT order_id FROM demo.orders ORDER BY order_id LIMIT 3',
  ],
};

/** The type that a cast asks for is the parameter's type. */
const CASTS: Readonly<Record<string, Case>> = {
  BOOLEAN: ['SELECT CAST(? AS BOOLEAN) AS v', ['setBoolean=true'], 'SELECT TRUE AS v'],
  TINYINT: ['SELECT CAST(? AS TINYINT) AS v', ['setByte=-128'], 'SELECT CAST(-128 AS TINYINT) AS v'],
  SMALLINT: ['SELECT CAST(? AS SMALLINT) AS v', ['setShort=-32768'], 'SELECT CAST(-32768 AS SMALLINT) AS v'],
  INTEGER: ['SELECT CAST(? AS INTEGER) AS v', ['setInt=-2147483648'], 'SELECT CAST(-2147483648 AS INTEGER) AS v'],
  BIGINT: ['SELECT CAST(? AS BIGINT) AS v', ['setLong=-9223372036854775808'], 'SELECT CAST(-9223372036854775808 AS BIGINT) AS v'],
  FLOAT: ['SELECT CAST(? AS FLOAT) AS v', ['setFloat=1.5'], 'SELECT CAST(1.5 AS FLOAT) AS v'],
  DOUBLE: ['SELECT CAST(? AS DOUBLE) AS v', ['setDouble=0.1'], 'SELECT CAST(0.1 AS DOUBLE) AS v'],
  'DOUBLE by setObject': ['SELECT CAST(? AS DOUBLE) AS v', ['setObjectDouble=0.1'], 'SELECT CAST(0.1 AS DOUBLE) AS v'],
  DECIMAL: ['SELECT CAST(? AS DECIMAL(12, 3)) AS v', ['setBigDecimal=-12345.678'], 'SELECT CAST(-12345.678 AS DECIMAL(12, 3)) AS v'],
  VARCHAR: ['SELECT CAST(? AS VARCHAR) AS v', ["setString=it's é 中 😀 -- ;"], "SELECT 'it''s é 中 😀 -- ;' AS v"],
  BLOB: ['SELECT CAST(? AS BLOB) AS v', ['setBytes=00dead'], "SELECT CAST('\\x00\\xDE\\xAD' AS BLOB) AS v"],
  DATE: ['SELECT CAST(? AS DATE) AS v', ['setDate=2024-02-29'], "SELECT DATE '2024-02-29' AS v"],
  'DATE in another zone': ['SELECT CAST(? AS DATE) AS v', ['setDate=2024-02-29 Asia/Tokyo'], "SELECT DATE '2024-02-29' AS v"],
  TIME: ['SELECT CAST(? AS TIME) AS v', ['setTime=23:59:58'], "SELECT TIME '23:59:58' AS v"],
  TIMESTAMP: [
    'SELECT CAST(? AS TIMESTAMP) AS v',
    ['setTimestamp=1969-12-31 23:59:59.123'],
    "SELECT TIMESTAMP '1969-12-31 23:59:59.123' AS v",
  ],
};

describe.each(['steward', 'analyst_eu'] as const)('as %s', (user) => {
  beforeAll(() => jdbc.connect(sluice.port, demoUser(user)));

  test.each(Object.entries(COLUMNS))('%s', shows('JDBC', 'parameters'), async (what, [sql, binds, literal]) => {
    expectSameText(await jdbc.bound(sql, ...binds), await expectedOf(user, literal), what);
  });
});

describe('of the type that a cast names', () => {
  beforeAll(() => jdbc.connect(sluice.port, demoUser('guest')));

  test.each(Object.entries(CASTS))('%s', shows('JDBC', 'parameters'), async (what, [sql, binds, literal]) => {
    expectSameText(await jdbc.bound(sql, ...binds), await python.expected(literal), what);
  });

  test('getParameterMetaData counts them', shows('JDBC', 'parameters'), async () => {
    expect(await jdbc.parameterCount('SELECT ? + 1 AS a, ? AS b, CAST(? AS DATE) AS c')).toBe(3);
    expect(await jdbc.parameterCount("SELECT '?' AS a")).toBe(0);
  });
});

describe('one PreparedStatement', () => {
  beforeAll(() => jdbc.connect(sluice.port, demoUser('analyst_eu')));

  test('bound and run again and again', shows('JDBC', 'parameters'), async () => {
    const sql = 'SELECT customer_id, region, ssn FROM demo.customers WHERE customer_id = ?';
    const ids = [1, 2, 3, 999_999_999];
    const answers = await jdbc.boundAgain(sql, ...ids.map((id) => `setLong=${id}`));
    for (const [index, id] of ids.entries())
      expectSameText(
        answers[index] ?? { columns: [], rows: [] },
        await expectedOf('analyst_eu', sql.replace('?', String(id))),
        `customer ${id}`,
      );
  });

  test('SQL in a value stays a value', shows('JDBC', 'parameters'), async () => {
    for (const value of ["' OR '1'='1", "'; DROP TABLE demo.customers; --", '$1', '?'])
      expect((await jdbc.bound('SELECT count(*) AS n FROM demo.customers WHERE name = ?', `setString=${value}`)).rows).toEqual([['0']]);
  });
});
