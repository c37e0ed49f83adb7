/** Spark reads through its JDBC source and the Flight SQL JDBC driver. Its session takes seconds to start: one for all tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { demoUser, PythonClients, type SparkAnswer, SparkClient } from '../support/clients.ts';
import { shows } from '../support/protocol.ts';
import { QUICKSTART_SETTINGS, type QuickstartUser, quickstartAnswers } from '../support/quickstart.ts';
import { type AuditRecord, startTestServer, type TestServer } from '../support/server.ts';
import { makeCertificates } from '../support/tls.ts';

const python = new PythonClients();
const spark = new SparkClient();
const expectedOf = quickstartAnswers(python);
let sluice: TestServer;

beforeAll(async () => {
  sluice = await startTestServer(QUICKSTART_SETTINGS);
});

afterAll(async () => {
  await Promise.all([python[Symbol.asyncDispose](), spark[Symbol.asyncDispose]()]);
  await sluice?.[Symbol.asyncDispose]();
});

const url = (): string => `jdbc:arrow-flight-sql://127.0.0.1:${sluice.port}?useEncryption=false`;

function read(user: QuickstartUser, options: Readonly<Record<string, string>>, ...steps: readonly string[]): Promise<SparkAnswer> {
  const { user: name = '', password = '' } = demoUser(user);
  return spark.read({ url: url(), user: name, password, ...options }, ...steps);
}

async function expectRows(actual: SparkAnswer, user: QuickstartUser, sql: string): Promise<void> {
  const { rows } = await expectedOf(user, sql);
  const spell = (cell: unknown): unknown => (/^-?\d+\.\d+$/.test(String(cell)) ? Number(cell) : cell === null ? null : String(cell));
  const sorted = (all: readonly (readonly unknown[])[]): readonly string[] => all.map((row) => JSON.stringify(row.map(spell))).sort();
  expect(sorted(actual.rows)).toEqual(sorted(rows));
}

const statements = (records: readonly AuditRecord[]): readonly string[] => records.map((record) => String(record['statement'] ?? ''));

test.each(['steward', 'analyst_eu'] as const)(
  'a table, filtered and projected where the rows are, as %s',
  shows('Spark', 'pushed-down filters'),
  async (user) => {
    const condition = "order_id <= 2000 AND status = 'paid' AND order_date >= DATE '2024-01-01'";
    const actual = await read(user, { dbtable: 'demo.orders' }, `where:${condition}`, 'select:order_id,amount,order_date,card_number');
    await expectRows(actual, user, `SELECT order_id, amount, order_date, card_number FROM demo.orders WHERE ${condition}`);
    expect(actual.plan).toMatch(/PushedFilters: \[.*LessThanOrEqual\(order_id,2000\)/);
    await expect
      .poll(async () =>
        statements(await sluice.audit()).some((sql) => /WHERE.*order_id.*<= 2000/s.test(sql) && !sql.includes('customer_id')),
      )
      .toBe(true);
  },
);

test('a query of one’s own, joined and grouped in Spark', shows('Spark', 'query'), async () => {
  const actual = await read(
    'analyst_eu',
    { query: 'SELECT region, birth_date, customer_id FROM demo.customers' },
    'sql:SELECT region, year(birth_date) AS y, count(*) AS n FROM t GROUP BY 1, 2',
  );
  await expectRows(actual, 'analyst_eu', 'SELECT region, year(birth_date) AS y, count(*) AS n FROM demo.customers GROUP BY 1, 2');
});

test('several readers side by side, by a column', shows('Spark', 'several endpoints'), async () => {
  const parts = { partitionColumn: 'order_id', lowerBound: '1', upperBound: '1000000', numPartitions: '4', fetchsize: '10000' };
  const actual = await read(
    'analyst_eu',
    { dbtable: 'demo.orders', ...parts },
    'sql:SELECT status, count(*) AS n, sum(amount) AS total FROM t GROUP BY status',
  );
  await expectRows(actual, 'analyst_eu', 'SELECT status, count(*) AS n, sum(amount) AS total FROM demo.orders GROUP BY status');
  const sent = async (): Promise<readonly string[]> =>
    statements(await sluice.audit()).filter((sql) => /order_id.*(<|>=)/s.test(sql) && sql.includes('status'));
  await expect.poll(async () => new Set(await sent()).size).toBeGreaterThanOrEqual(4);
});

test('what one may not see is not there', shows('Spark', 'errors in words'), async () => {
  await expect(read('analyst_eu', { query: 'SELECT balance FROM demo.customers' })).rejects.toThrow(/balance/);
  await expect(read('analyst_eu', { dbtable: 'demo.nothing' })).rejects.toThrow(/nothing/);
});

test('a wrong password', shows('Spark', 'password'), async () => {
  await expect(read('steward', { query: 'SELECT 1 AS one', password: 'wrong' })).rejects.toThrow(/Unauth|password/i);
});

test(
  'numbers keep their types',
  shows('Spark', 'column metadata', 'BIGINT comes as decimal(20,0): the JDBC driver calls no number signed'),
  async () => {
    const actual = await read('steward', { query: 'SELECT order_id, amount, order_date, status FROM demo.orders WHERE order_id < 3' });
    expect(actual.columns.map(([, type]) => type)).toEqual(['bigint', 'decimal(10,2)', 'date', 'string']);
  },
);

test('over TLS', shows('Spark', 'TLS'), async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-spark-'));
  const { serverCertificateFile, serverKeyFile } = await makeCertificates(directory);
  await using secure = await startTestServer({
    ...QUICKSTART_SETTINGS,
    SLUICE_TLS_CERT: serverCertificateFile,
    SLUICE_TLS_KEY: serverKeyFile,
  });
  const address = `jdbc:arrow-flight-sql://127.0.0.1:${secure.port}?useEncryption=true&disableCertificateVerification=true`;
  const sql = 'SELECT count(*) AS n FROM demo.customers';
  await expectRows(await read('analyst_eu', { url: address, query: sql }), 'analyst_eu', sql);
  await rm(directory, { recursive: true });
});
