/** The Flight SQL JDBC driver 18.3.0: Statement, PreparedStatement, previews, errors. Metadata is in metadata.test.ts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, demoUser, type JdbcAnswer, JdbcClient, PythonClients } from '../support/clients.ts';
import { QUICKSTART_QUERIES, QUICKSTART_SETTINGS, setupFor } from '../support/quickstart.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const python = new PythonClients();
const jdbc = new JdbcClient();
let sluice: TestServer;

beforeAll(async () => {
  sluice = await startTestServer(QUICKSTART_SETTINGS);
});

afterAll(async () => {
  await Promise.all([python[Symbol.asyncDispose](), jdbc[Symbol.asyncDispose]()]);
  await sluice?.[Symbol.asyncDispose]();
});

/**
 * JDBC's getObject as text against the Arrow values. A Statement's result without rows has its columns twice: driver 18.3.0 appends the schema to
 * one that is there already (ArrowFlightStatement.executeFlightInfoQuery) and clears the list only when rows come.
 */
function expectSameText(actual: JdbcAnswer, expected: Answer, what: string): void {
  const names = expected.columns.map(([name]) => name);
  const labels = actual.columns.map(([label]) => label);
  expect(actual.rows.length === 0 ? labels.slice(0, names.length) : labels, what).toEqual(names);
  const types = expected.columns.map(([, type]) => type);
  expect(
    actual.rows.map((row) => row.map((cell, index) => spell(cell, types[index] ?? ''))),
    what,
  ).toEqual(expected.rows.map((row) => row.map((cell, index) => spell(cell, types[index] ?? ''))));
}

function spell(cell: unknown, type: string): unknown {
  if (cell === null) return null;
  if (type === 'double') return Number(Number(cell).toPrecision(12));
  if (type.startsWith('timestamp')) return String(cell).replace('T', ' ').replace(/\.0$/, '');
  return String(cell);
}

describe.each(['steward', 'analyst_eu'] as const)('as %s', (user) => {
  beforeAll(async () => {
    expect(await jdbc.connect(sluice.port, demoUser(user))).toContain('18.3.0');
  });

  test.each(Object.entries(QUICKSTART_QUERIES))('Statement: %s', async (what, sql) => {
    expectSameText(await jdbc.statement(sql), await python.expected(sql, setupFor(user)), what);
  });

  test.each(Object.entries(QUICKSTART_QUERIES))('PreparedStatement, run twice: %s', async (what, sql) => {
    expectSameText(await jdbc.prepared(sql, 2), await python.expected(sql, setupFor(user)), what);
  });
});

describe('as a tool does', () => {
  beforeAll(() => jdbc.connect(sluice.port, demoUser('steward')));

  test('column types are those of SQL', async () => {
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

  test('a preview reads 200 rows and closes', async () => {
    for (let round = 0; round < 10; round++) expect(await jdbc.partial('SELECT * FROM demo.orders', 200)).toBe(200);
  });

  test('SELECT 1 as a probe of the connection', async () => {
    expect((await jdbc.statement('SELECT 1')).rows).toEqual([['1']]);
  });

  test('writing is refused in words', async () => {
    await expect(jdbc.update('DELETE FROM demo.orders')).rejects.toThrow(/DELETE|read|SELECT|not allowed|refused/i);
    await expect(jdbc.statement('SELECT * FROM demo.nothing')).rejects.toThrow(/nothing/);
  });

  test('a wrong password is refused at connect', async () => {
    await expect(jdbc.connect(sluice.port, { user: 'steward', password: 'wrong' })).rejects.toThrow(/Unauth|credential|password/i);
    await jdbc.connect(sluice.port, demoUser('steward'));
  });

  test('several readers of results at once: four threads', async () => {
    await jdbc.connect(sluice.port, demoUser('analyst_us'), '&threadPoolSize=4');
    const { rows } = await jdbc.statement('SELECT region, count(*) AS n FROM demo.orders GROUP BY region');
    expect(rows).toHaveLength(1);
  });
});
