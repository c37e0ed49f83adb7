/** ADBC binds Arrow arrays of its own types, whatever the server said of the parameters: each is cast to what the statement needs. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, demoUser, PythonClients } from '../support/clients.ts';
import { shows } from '../support/protocol.ts';
import { QUICKSTART_SETTINGS, quickstartAnswers } from '../support/quickstart.ts';
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

/** Statement with `?`, Python tuple, the same statement with literals. */
const COMPARISONS: Readonly<Record<string, readonly [sql: string, values: string, literal: string]>> = {
  'an integer': ['SELECT * FROM demo.customers WHERE customer_id = ?', '(7,)', 'SELECT * FROM demo.customers WHERE customer_id = 7'],
  'an integer beyond 32 bits': [
    'SELECT count(*) AS n FROM demo.orders WHERE order_id < ?',
    '(2**40,)',
    'SELECT count(*) AS n FROM demo.orders WHERE order_id < 1099511627776',
  ],
  'a float against a decimal column': [
    'SELECT count(*) AS n FROM demo.orders WHERE amount > ?',
    '(1000.5,)',
    'SELECT count(*) AS n FROM demo.orders WHERE amount > 1000.5',
  ],
  'a decimal': [
    'SELECT count(*) AS n FROM demo.orders WHERE amount <= ?',
    "(Decimal('123.45'),)",
    'SELECT count(*) AS n FROM demo.orders WHERE amount <= 123.45',
  ],
  text: [
    'SELECT count(*) AS n FROM demo.orders WHERE status = ?',
    "('paid',)",
    "SELECT count(*) AS n FROM demo.orders WHERE status = 'paid'",
  ],
  'text with quotes and beyond ASCII': [
    'SELECT ? AS text',
    "('it''s \\u00e9 \\u4e2d \\U0001f600 -- ;',)".replace("''", "\\'"),
    "SELECT 'it''s é 中 😀 -- ;' AS text",
  ],
  'a pattern': [
    'SELECT count(*) AS n FROM demo.customers WHERE name LIKE ?',
    "('A%',)",
    "SELECT count(*) AS n FROM demo.customers WHERE name LIKE 'A%'",
  ],
  'a date': [
    'SELECT count(*) AS n FROM demo.orders WHERE order_date >= ?',
    '(datetime.date(2024, 3, 1),)',
    "SELECT count(*) AS n FROM demo.orders WHERE order_date >= DATE '2024-03-01'",
  ],
  'a timestamp': [
    'SELECT count(*) AS n FROM demo.flights WHERE date < ?',
    '(datetime.datetime(2001, 2, 1, 12, 30, 0, 250000),)',
    "SELECT count(*) AS n FROM demo.flights WHERE date < TIMESTAMP '2001-02-01 12:30:00.25'",
  ],
  'a date as text': [
    'SELECT count(*) AS n FROM demo.orders WHERE order_date = ?',
    "('2024-03-01',)",
    "SELECT count(*) AS n FROM demo.orders WHERE order_date = DATE '2024-03-01'",
  ],
  'a number as text': [
    'SELECT name FROM demo.customers WHERE customer_id = ?',
    "('7',)",
    'SELECT name FROM demo.customers WHERE customer_id = 7',
  ],
  'a boolean': [
    'SELECT count(*) AS n FROM demo.orders WHERE (amount > 500) = ?',
    '(True,)',
    'SELECT count(*) AS n FROM demo.orders WHERE (amount > 500) = TRUE',
  ],
  NULL: ['SELECT count(*) AS n FROM demo.orders WHERE status = ?', '(None,)', 'SELECT count(*) AS n FROM demo.orders WHERE status = NULL'],
  'NULL beside a value': [
    'SELECT coalesce(CAST(? AS VARCHAR), ?) AS text',
    "(None, 'b')",
    "SELECT coalesce(CAST(NULL AS VARCHAR), 'b') AS text",
  ],
  binary: ['SELECT CAST(? AS BLOB) AS bytes', "(b'\\x00\\x01\\xff',)", "SELECT CAST('\\x00\\x01\\xFF' AS BLOB) AS bytes"],
  IN: [
    'SELECT count(*) AS n FROM demo.orders WHERE status IN (?, ?) AND order_id BETWEEN ? AND ?',
    "('paid', 'open', 10, 5000)",
    "SELECT count(*) AS n FROM demo.orders WHERE status IN ('paid', 'open') AND order_id BETWEEN 10 AND 5000",
  ],
  'LIMIT and OFFSET': [
    'SELECT order_id FROM demo.orders ORDER BY order_id LIMIT ? OFFSET ?',
    '(3, 4)',
    'SELECT order_id FROM demo.orders ORDER BY order_id LIMIT 3 OFFSET 4',
  ],
  'in a CTE and a join': [
    'WITH big AS (SELECT * FROM demo.orders WHERE amount > ?) SELECT c.region, count(*) AS n FROM big JOIN demo.customers c USING (customer_id) WHERE c.customer_id < ? GROUP BY c.region ORDER BY 1',
    '(100, 900)',
    'WITH big AS (SELECT * FROM demo.orders WHERE amount > 100) SELECT c.region, count(*) AS n FROM big JOIN demo.customers c USING (customer_id) WHERE c.customer_id < 900 GROUP BY c.region ORDER BY 1',
  ],
  'a masked value': [
    'SELECT count(*) AS n FROM demo.customers WHERE birth_date = ?',
    '(datetime.date(1980, 1, 1),)',
    "SELECT count(*) AS n FROM demo.customers WHERE birth_date = DATE '1980-01-01'",
  ],
};

describe.each(['steward', 'analyst_eu'] as const)('as %s', (user) => {
  test.each(Object.entries(COMPARISONS))('%s', shows('ADBC', 'parameters'), async (what, [sql, values, literal]) => {
    expectSameAnswer(await python.call<Answer>('adbc_bind', options(user, { sql, values })), await expectedOf(user, literal), what);
  });
});

/** Every Arrow type that a driver may send, as DuckDB makes it: the value comes back as it went. */
const ARROW_VALUES: readonly string[] = [
  'TRUE',
  'CAST(-128 AS TINYINT)',
  'CAST(-32768 AS SMALLINT)',
  'CAST(-2147483648 AS INTEGER)',
  'CAST(-9223372036854775808 AS BIGINT)',
  'CAST(255 AS UTINYINT)',
  'CAST(65535 AS USMALLINT)',
  'CAST(4294967295 AS UINTEGER)',
  'CAST(18446744073709551615 AS UBIGINT)',
  'CAST(1.5 AS FLOAT)',
  'CAST(0.1 AS DOUBLE)',
  "CAST('inf' AS DOUBLE)",
  'CAST(-12345.678 AS DECIMAL(18, 3))',
  'CAST(99999999999999999999999999999999999999 AS DECIMAL(38, 0))',
  "'text'",
  "DATE '2024-02-29'",
  "TIME '23:59:59.999999'",
  "TIMESTAMP '1969-12-31 23:59:59.999999'",
  "CAST('2024-02-29 10:00:00' AS TIMESTAMP_S)",
  "CAST('2024-02-29 10:00:00.123' AS TIMESTAMP_MS)",
  "CAST('2024-02-29 10:00:00.123456789' AS TIMESTAMP_NS)",
  "CAST('\\xDE\\xAD' AS BLOB)",
];

test.each(ARROW_VALUES)('%s keeps its value', shows('ADBC', 'parameters'), async (value) => {
  const table = `SELECT ${value} AS v`;
  const type = String((await python.expected(`SELECT typeof(${value}) AS t`)).rows[0]?.[0]);
  const sql = `SELECT CAST(? AS ${type}) AS v`;
  const actual = await python.call<Answer>('adbc_bind', options('guest', { sql, table }));
  expect(actual).toEqual(await python.expected(table));
});

test(
  'what the server says of the parameters: one nullable field each, with the type they are compared with',
  shows('ADBC', 'parameters'),
  async () => {
    const sql = 'SELECT order_id FROM demo.orders WHERE order_id = ? AND status = ? AND order_date > ? AND amount < ? AND ? IS NOT NULL';
    const fields = await python.call<readonly (readonly [string, string, boolean])[]>('adbc_parameter_schema', options('steward', { sql }));
    expect(fields).toHaveLength(5);
    expect(fields.slice(0, 3).map(([, type]) => type)).toEqual(['int64', 'string', 'date32[day]']);
    expect(fields[3]?.[1]).toMatch(/^decimal128/);
    for (const [name, type, nullable] of fields) {
      expect(type, name).not.toBe('null');
      expect(nullable).toBe(true);
    }
  },
);

describe('one prepared statement', () => {
  const sql = 'SELECT customer_id, region, ssn FROM demo.customers WHERE customer_id = ?';

  test('run with one value after the other', shows('ADBC', 'parameters'), async () => {
    const answers = await python.call<readonly Answer[]>(
      'adbc_bind_again',
      options('analyst_eu', { sql, rows: '[(1,), (2,), (3,), (999999999,), (None,)]' }),
    );
    for (const [index, id] of ['1', '2', '3', '999999999', 'NULL'].entries())
      expect(answers[index]).toEqual(await expectedOf('analyst_eu', sql.replace('?', id)));
  });

  test('run with many rows of parameters: the rows of each, one after the other', shows('ADBC', 'rows of parameters'), async () => {
    const table = 'SELECT i AS id FROM range(1, 200) t(i)';
    const actual = await python.call<Answer>('adbc_bind', options('analyst_eu', { sql, table }));
    expectSameAnswer(actual, await expectedOf('analyst_eu', sql.replace('= ?', 'BETWEEN 1 AND 199')), 'many rows');
    const ids = actual.rows.map(([id]) => Number(id));
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  });

  test('executemany is for updates, and says so', shows('ADBC', 'errors in words'), async () => {
    await expect(python.call('adbc_executemany', options('steward', { sql, rows: '[(1,), (2,)]' }))).rejects.toThrow(/is a query/);
  });
});

describe('what can not be bound is refused in words', shows('ADBC', 'errors in words'), () => {
  const cases: readonly [string, string, string, RegExp][] = [
    ['too few values', 'SELECT ? + ? AS n', '(1,)', /parameter/i],
    ['too many values', 'SELECT ? + 1 AS n', '(1, 2)', /parameter/i],
    ['no value at all', 'SELECT name FROM demo.customers WHERE customer_id = ?', '()', /parameter/i],
    [
      'text that is no number',
      'SELECT name FROM demo.customers WHERE customer_id = ?',
      "('seven',)",
      /INVALID_ARGUMENT|convert|cast|parameter/i,
    ],
    ['a value where SQL takes none', 'SELECT * FROM ?', "('demo.customers',)", /INVALID_ARGUMENT|syntax|parameter/i],
  ];
  test.each(cases)('%s', async (_, sql, values, pattern) => {
    await expect(python.call('adbc_bind', options('steward', { sql, values }))).rejects.toThrow(pattern);
  });

  test('SQL in a value stays a value', async () => {
    const sql = 'SELECT count(*) AS n FROM demo.customers WHERE name = ?';
    for (const value of ["' OR '1'='1", "'; DROP TABLE demo.customers; --", "\\\\' OR 1=1 --", '$1', '?']) {
      const { rows } = await python.call<Answer>('adbc_bind', options('analyst_eu', { sql, values: `(${JSON.stringify(value)},)` }));
      expect(rows, value).toEqual([[0]]);
    }
  });
});
