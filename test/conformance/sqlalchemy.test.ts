/** flightsql-dbapi with SQLAlchemy 1.4, as Superset ships it, and the SQLAlchemy 2 dialect that goes over ADBC. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, demoUser, PythonClients } from '../support/clients.ts';
import { shows } from '../support/protocol.ts';
import { QUICKSTART_QUERIES, QUICKSTART_SETTINGS, quickstartAnswers } from '../support/quickstart.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const plain = new PythonClients();
const old = new PythonClients('sqlalchemy14');
const recent = new PythonClients('gizmo');
const expectedOf = quickstartAnswers(plain);
let sluice: TestServer;
const options = (user: string, more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> => ({
  port: sluice.port,
  ...demoUser(user),
  ...more,
});

beforeAll(async () => {
  sluice = await startTestServer(QUICKSTART_SETTINGS);
});

afterAll(async () => {
  await Promise.all([plain, old, recent].map((process) => process[Symbol.asyncDispose]()));
  await sluice?.[Symbol.asyncDispose]();
});

/** Rows pass through pandas and DB-API: numbers by value, timestamps by their day when they have no time. */
function loosely(rows: Answer['rows']): readonly (readonly unknown[])[] {
  return rows.map((row) => row.map(looseCell));
}

function looseCell(cell: unknown): unknown {
  if (cell === null || typeof cell === 'boolean') return cell;
  const text = String(cell)
    .replace(/[T ]00:00:00$/, '')
    .replace(' ', 'T');
  return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(Number(text).toPrecision(12)) : text;
}

async function expectRows(client: PythonClients, verb: string, user: 'steward' | 'analyst_eu', sql: string): Promise<void> {
  const expected = await expectedOf(user, sql);
  const actual = await client.call<Answer>(verb, options(user, { sql }));
  expect(actual.columns.map(([name]) => name)).toEqual(expected.columns.map(([name]) => name));
  const order = /ORDER BY/.test(sql)
    ? (rows: readonly unknown[]) => rows
    : (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();
  expect(order(loosely(actual.rows))).toEqual(order(loosely(expected.rows)));
}

const STATUS_COUNTS = `SELECT status, count(*) AS n FROM demo.orders
  WHERE region = 'EU' AND order_id <= 5000 AND status IN ('paid', 'it''s', 'shipped', 'open') GROUP BY status ORDER BY status`;

describe('flightsql-dbapi', () => {
  test.each(Object.entries(QUICKSTART_QUERIES))('DB-API: %s', shows('flightsql-dbapi', 'query'), async (_, sql) => {
    for (const user of ['steward', 'analyst_eu'] as const) await expectRows(old, 'dbapi_query', user, sql);
  });

  test('SQLAlchemy text', shows('flightsql-dbapi', 'query'), async () => {
    for (const user of ['steward', 'analyst_eu'] as const)
      await expectRows(old, 'alchemy_text', user, QUICKSTART_QUERIES['view rows'] ?? '');
  });

  test('a bearer token', shows('flightsql-dbapi', 'bearer token'), async () => {
    const token = await plain.call<string>('flight_token', { uri: sluice.uri, ...demoUser('analyst_eu') });
    const sql = 'SELECT count(*) AS n FROM demo.customers';
    const actual = await old.call<Answer>('dbapi_query', { port: sluice.port, token, sql });
    expect(actual.rows).toEqual((await expectedOf('analyst_eu', sql)).rows);
  });

  test('a wrong password', shows('flightsql-dbapi', 'password'), async () => {
    const wrong = old.call('dbapi_query', { port: sluice.port, user: 'steward', password: 'wrong', sql: 'SELECT 1' });
    await expect(wrong).rejects.toMatchObject({ type: 'FlightUnauthenticatedError' });
  });

  test('parameters of several types, each in a union', shows('flightsql-dbapi', 'parameters'), async () => {
    const sql = 'SELECT order_id, status FROM demo.orders WHERE order_id <= ? AND status = ? AND amount > ? ORDER BY order_id';
    const actual = await old.call<Answer>('dbapi_query', options('analyst_eu', { sql, values: "(500, 'paid', 12.5)" }));
    const expected = await expectedOf('analyst_eu', sql.replace('?', '500').replace('?', "'paid'").replace('?', '12.5'));
    expect(actual.rows).toEqual(expected.rows);
  });

  test('a select with its values written into the text', shows('flightsql-dbapi', 'query'), async () => {
    const actual = await old.call<Answer>('alchemy_select', options('analyst_eu', { region: 'EU', limit: 5000 }));
    expect(actual.rows).toEqual((await expectedOf('analyst_eu', STATUS_COUNTS)).rows);
  });

  test('a select with its values as parameters', shows('flightsql-dbapi', 'parameters'), async () => {
    const query = { insecure: 'True', 'feature-sqlalchemy-prepared-statements': 'on' };
    const actual = await old.call<Answer>('alchemy_select', options('analyst_eu', { region: 'EU', limit: 5000, query }));
    expect(actual.rows).toEqual((await expectedOf('analyst_eu', STATUS_COUNTS)).rows);
  });

  test('the inspector sees what the caller may see', shows('flightsql-dbapi', 'catalogs and tables'), async () => {
    const seen = await old.call<Readonly<Record<string, unknown>>>('alchemy_inspect', options('analyst_eu'));
    expect(seen['schemas']).toEqual(expect.arrayContaining(['demo']));
    expect(seen['tables']).toEqual(['customer_orders', 'customers', 'flights', 'orders', 'products']);
    expect(seen['columns']).toEqual([
      ['customer_id', 'BIGINT'],
      ['name', 'TEXT'],
      ['email', 'TEXT'],
      ['phone', 'TEXT'],
      ['ssn', 'TEXT'],
      ['birth_date', 'DATE'],
      ['region', 'TEXT'],
    ]);
    expect(seen['has']).toEqual([true, false]);
  });

  test('every metadata call of its client answers', shows('flightsql-dbapi', 'server information'), async () => {
    const found = await old.call<Readonly<Record<string, Answer>>>('dbapi_metadata', options('steward'));
    expect(found['catalogs']?.rows).toEqual([['sluice']]);
    expect(found['tables']?.rows.map((row) => row[2])).toEqual(['customer_orders', 'customers', 'flights', 'orders', 'products']);
    expect(found['types']?.rows.map(([type]) => type).sort()).toEqual(['TABLE', 'VIEW']);
    expect(found['info']?.rows.map(([code]) => code)).toEqual([0, 1, 3, 504]);
  });

  test('type information', shows('flightsql-dbapi', 'type information'), async () => {
    const { xdbc } = await old.call<Readonly<Record<string, Answer>>>('dbapi_metadata', options('guest'));
    expect(xdbc?.rows.map(([name]) => name)).toEqual(expect.arrayContaining(['BIGINT', 'VARCHAR', 'DECIMAL', 'TIMESTAMP']));
  });

  test('keys', shows('flightsql-dbapi', 'keys'), async () => {
    const found = await old.call<Readonly<Record<string, Answer>>>('dbapi_metadata', options('steward'));
    const named = (keys: string, column: string): unknown =>
      found[keys]?.rows[0]?.[found[keys].columns.findIndex(([name]) => name === column)];
    expect(named('primary', 'column_name')).toBe('customer_id');
    for (const keys of ['exported', 'imported', 'cross'])
      expect([named(keys, 'pk_table_name'), named(keys, 'fk_table_name'), named(keys, 'fk_column_name')]).toEqual([
        'customers',
        'orders',
        'customer_id',
      ]);
    const query = { insecure: 'True', 'feature-sqlalchemy-primary-keys': 'on' };
    const seen = await old.call<Readonly<Record<string, unknown>>>('alchemy_inspect', options('analyst_eu', { query }));
    expect(seen['key']).toMatchObject({ constrained_columns: ['customer_id'] });
  });

  test('what is refused is refused in words', shows('flightsql-dbapi', 'errors in words'), async () => {
    await expect(old.call('dbapi_query', options('guest', { sql: 'SELECT * FROM demo.customers' }))).rejects.toThrow(/customers/);
    await expect(old.call('dbapi_update', options('steward', { sql: 'DELETE FROM demo.orders' }))).rejects.toThrow(/DELETE|SELECT|allowed/);
  });

  test('updates tell how many rows', shows('flightsql-dbapi', 'CREATE TABLE AS, INSERT, DROP'), async () => {
    const update = (sql: string): Promise<number> => old.call<number>('dbapi_update', options('analyst_eu', { sql }));
    expect(await update('CREATE OR REPLACE TABLE scratch.by_dbapi AS SELECT i FROM range(30) t(i)')).toBe(30);
    expect(await update('INSERT INTO scratch.by_dbapi VALUES (30), (31)')).toBe(2);
    const sql = 'SELECT count(*) AS n FROM scratch.by_dbapi';
    expect((await old.call<Answer>('dbapi_query', options('analyst_eu', { sql }))).rows).toEqual([[32]]);
    await update('DROP TABLE scratch.by_dbapi');
  });
});

describe('SQLAlchemy 2 over ADBC', () => {
  test.each(Object.entries(QUICKSTART_QUERIES))('%s', shows('SQLAlchemy', 'query'), async (_, sql) => {
    for (const user of ['steward', 'analyst_eu'] as const) await expectRows(recent, 'alchemy2_text', user, sql);
  });

  test('parameters', shows('SQLAlchemy', 'parameters'), async () => {
    const sql = 'SELECT order_id, status FROM demo.orders WHERE order_id <= :limit AND status = :status ORDER BY order_id';
    const actual = await recent.call<Answer>('alchemy2_text', options('analyst_eu', { sql, values: { limit: 500, status: 'paid' } }));
    const expected = await expectedOf('analyst_eu', sql.replace(':limit', '500').replace(':status', "'paid'"));
    expect(actual.rows).toEqual(expected.rows);
  });

  test('the inspector sees what the caller may see', shows('SQLAlchemy', 'catalogs and tables'), async () => {
    const seen = await recent.call<Readonly<Record<string, unknown>>>('alchemy2_inspect', options('analyst_eu'));
    expect(seen['schemas']).toEqual(expect.arrayContaining(['demo']));
    expect(seen['tables']).toEqual(['customers', 'flights', 'orders', 'products']);
    expect(seen['views']).toEqual(['customer_orders']);
    expect(seen['columns']).toEqual([
      ['customer_id', 'BIGINT'],
      ['name', 'VARCHAR'],
      ['email', 'VARCHAR'],
      ['phone', 'VARCHAR'],
      ['ssn', 'VARCHAR'],
      ['birth_date', 'DATE'],
      ['region', 'VARCHAR'],
    ]);
    expect(seen['has']).toEqual([true, false]);
  });

  test('a reflected table', shows('SQLAlchemy', 'keys'), async () => {
    const actual = await recent.call<Answer>('alchemy2_reflect', options('analyst_eu', { limit: 5000 }));
    const sql = 'SELECT status, count(*) AS n FROM demo.orders WHERE order_id <= 5000 GROUP BY status ORDER BY status';
    expect(actual.rows).toEqual((await expectedOf('analyst_eu', sql)).rows);
  });

  test('a wrong password', shows('SQLAlchemy', 'password'), async () => {
    const wrong = recent.call('alchemy2_text', { port: sluice.port, user: 'steward', password: 'wrong', sql: 'SELECT 1' });
    await expect(wrong).rejects.toThrow(/Unauthenticated|UNAUTHENTICATED/i);
  });

  test('what is refused is refused in words', shows('SQLAlchemy', 'errors in words'), async () => {
    await expect(recent.call('alchemy2_text', options('guest', { sql: 'SELECT * FROM demo.customers' }))).rejects.toThrow(/customers/);
  });
});

describe('ibis', () => {
  test('a wrong password', shows('ibis', 'password'), async () => {
    const wrong = recent.call('ibis_sql', { port: sluice.port, user: 'steward', password: 'wrong', sql: 'SELECT 1 AS one' });
    await expect(wrong).rejects.toThrow(/Unauthenticated/i);
  });

  test('catalog, schemas and tables', shows('ibis', 'catalogs and tables'), async () => {
    const seen = await recent.call<Readonly<Record<string, unknown>>>('ibis_tables', options('analyst_eu'));
    expect(seen).toMatchObject({ catalog: 'sluice', database: 'demo' });
    expect(seen['tables']).toEqual(['customer_orders', 'customers', 'flights', 'orders', 'products']);
    const schema = await recent.call<readonly (readonly [string, string])[]>('ibis_schema', options('analyst_eu', { table: 'customers' }));
    expect(schema.map(([name]) => name)).toEqual(['customer_id', 'name', 'email', 'phone', 'ssn', 'birth_date', 'region']);
  });

  test.each(['steward', 'analyst_eu'] as const)('an expression, as %s', shows('ibis', 'query'), async (user) => {
    const actual = await recent.call<Answer>('ibis_query', options(user, { limit: 20_000 }));
    const sql = `SELECT birth_date, count(*) AS n, sum(amount) AS total FROM demo.orders JOIN demo.customers USING (customer_id)
      WHERE order_id <= 20000 GROUP BY birth_date ORDER BY birth_date LIMIT 40`;
    expect(loosely(actual.rows)).toEqual(loosely((await expectedOf(user, sql)).rows));
  });

  test('batches of a million rows', shows('ibis', 'large result'), async () => {
    expect(await recent.call('ibis_batches', options('steward'))).toBe(1_000_000);
  });

  test('SQL as text', shows('ibis', 'query'), async () => {
    const sql = 'SELECT region, count(*) AS n FROM demo.customers GROUP BY region ORDER BY region';
    const actual = await recent.call<Answer>('ibis_sql', options('analyst_eu', { sql }));
    expect(actual.rows).toEqual((await expectedOf('analyst_eu', sql)).rows);
  });
});
