/** Tables of one's own in the scratch schema, by every way that a client has to write: bulk ingest, commands as queries and as updates, batches. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, demoUser, JdbcClient, PythonClients } from '../support/clients.ts';
import { shows } from '../support/protocol.ts';
import { QUICKSTART_SETTINGS, quickstartAnswers } from '../support/quickstart.ts';
import { expectSameAnswer, expectSameText } from '../support/same-answer.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const python = new PythonClients();
const jdbc = new JdbcClient();
const expectedOf = quickstartAnswers(python);
let sluice: TestServer;
const options = (user: string, more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> => ({
  uri: sluice.uri,
  ...demoUser(user),
  ...more,
});
const update = (user: string, sql: string): Promise<number> => python.call<number>('adbc_update', options(user, { sql }));
const read = (user: string, sql: string): Promise<Answer> => python.query('adbc_query', sluice.port, demoUser(user), sql);

const TABLES = ['ingested', 'made', 'typed', 'batched', 'framed', 'poled', 'jdbc_made'];

beforeAll(async () => {
  sluice = await startTestServer(QUICKSTART_SETTINGS);
  // The state directory outlives a run that was killed.
  for (const user of ['steward', 'analyst_eu']) for (const table of TABLES) await update(user, `DROP TABLE IF EXISTS scratch.${table}`);
});

afterAll(async () => {
  for (const user of ['steward', 'analyst_eu']) for (const table of TABLES) await update(user, `DROP TABLE IF EXISTS scratch.${table}`);
  await Promise.all([python[Symbol.asyncDispose](), jdbc[Symbol.asyncDispose]()]);
  await sluice?.[Symbol.asyncDispose]();
});

describe('adbc_ingest', shows('ADBC', 'bulk ingest'), () => {
  const source = "SELECT i AS id, 'n' || i AS name, DATE '2024-01-01' + CAST(i AS INTEGER) AS day, i * 1.5 AS half FROM range(5000) t(i)";
  const ingest = (mode: string, more: Readonly<Record<string, unknown>> = {}): Promise<number> =>
    python.call<number>('adbc_ingest', options('analyst_eu', { table: 'ingested', schema: 'scratch', mode, source, ...more }));
  const rows = async (): Promise<unknown> => (await read('analyst_eu', 'SELECT count(*) AS n FROM scratch.ingested')).rows[0]?.[0];

  test('create, append, replace, create_append', async () => {
    expect(await ingest('create')).toBe(5000);
    expectSameAnswer(await read('analyst_eu', 'SELECT * FROM scratch.ingested'), await python.expected(source), 'ingested');
    expect(await ingest('append')).toBe(5000);
    expect(await rows()).toBe(10_000);
    expect(await ingest('replace')).toBe(5000);
    expect(await rows()).toBe(5000);
    expect(await ingest('create_append')).toBe(5000);
    expect(await rows()).toBe(10_000);
  });

  test('create fails where there is a table, append where there is none', async () => {
    await ingest('create_append');
    await expect(ingest('create')).rejects.toThrow(/exists/i);
    await expect(ingest('append', { table: 'missing' })).rejects.toThrow(/not exist|unknown|no such/i);
  });

  test('columns that do not fit are refused, and nothing is stored', async () => {
    await ingest('replace');
    await expect(ingest('append', { source: "SELECT 'x' AS other" })).rejects.toThrow(/column/i);
    expect(await rows()).toBe(5000);
  });

  test('nobody else sees the table', async () => {
    await ingest('replace');
    await expect(read('steward', 'SELECT * FROM scratch.ingested')).rejects.toThrow(/not exist|unknown|ingested/i);
    await expect(read('guest', 'SELECT * FROM scratch.ingested')).rejects.toThrow(/not exist|unknown|ingested/i);
  });

  test('a governed dataset is out of reach, and so is scratch without a grant', async () => {
    await expect(ingest('append', { table: 'customers', schema: 'demo' })).rejects.toThrow(/scratch|denied|not allowed|UNAUTHORIZED/i);
    const guest = python.call('adbc_ingest', options('guest', { table: 'ingested', schema: 'scratch', mode: 'create', source }));
    await expect(guest).rejects.toThrow(/denied|right|grant|UNAUTHORIZED|PERMISSION/i);
  });

  test('every type comes back as it went', async () => {
    const typed = `SELECT TRUE AS b, CAST(1 AS TINYINT) AS i8, CAST(2 AS SMALLINT) AS i16, CAST(3 AS INTEGER) AS i32, CAST(4 AS BIGINT) AS i64,
      CAST(1.5 AS FLOAT) AS f, CAST(0.1 AS DOUBLE) AS d, CAST(12.345 AS DECIMAL(9, 3)) AS dec, 'é' AS s, CAST('\\xAB' AS BLOB) AS bin,
      DATE '2024-02-29' AS day, TIMESTAMP '2024-02-29 12:00:00.5' AS ts, NULL::INTEGER AS missing`;
    await python.call('adbc_ingest', options('analyst_eu', { table: 'typed', schema: 'scratch', mode: 'replace', source: typed }));
    expectSameAnswer(await read('analyst_eu', 'SELECT * FROM scratch.typed'), await python.expected(typed), 'types');
  });
});

describe('commands through ADBC', shows('ADBC', 'CREATE TABLE AS, INSERT, DROP'), () => {
  const made = 'SELECT customer_id, ssn, region FROM demo.customers WHERE customer_id <= 400';

  test('CREATE TABLE AS keeps what the reader sees: masked stays masked', async () => {
    for (const user of ['steward', 'analyst_eu'] as const) {
      const expected = await expectedOf(user, made);
      expect(await update(user, `CREATE OR REPLACE TABLE scratch.made AS ${made}`)).toBe(expected.rows.length);
      expectSameAnswer(await read(user, 'SELECT * FROM scratch.made'), expected, `made by ${user}`);
    }
  });

  test('INSERT and DROP tell how many rows', async () => {
    await update('analyst_eu', `CREATE OR REPLACE TABLE scratch.made AS ${made}`);
    expect(await update('analyst_eu', "INSERT INTO scratch.made VALUES (-1, 'none', 'EU'), (-2, 'none', 'EU')")).toBe(2);
    expect((await read('analyst_eu', 'SELECT count(*) AS n FROM scratch.made WHERE customer_id < 0')).rows).toEqual([[2]]);
    await update('analyst_eu', 'DROP TABLE scratch.made');
    await expect(read('analyst_eu', 'SELECT * FROM scratch.made')).rejects.toThrow(/not exist|unknown|made/i);
  });

  test('by cursor.execute, once', async () => {
    await update('analyst_eu', 'CREATE OR REPLACE TABLE scratch.made AS SELECT 1 AS id');
    await read('analyst_eu', 'INSERT INTO scratch.made VALUES (2)');
    expect((await read('analyst_eu', 'SELECT * FROM scratch.made ORDER BY id')).rows).toEqual([[1], [2]]);
  });

  test('with parameters, one row after the other', async () => {
    await update('analyst_eu', "CREATE OR REPLACE TABLE scratch.made AS SELECT 0 AS id, 'x' AS name");
    await python.call(
      'adbc_executemany',
      options('analyst_eu', { sql: 'INSERT INTO scratch.made VALUES (?, ?)', rows: "[(1, 'a'), (2, 'b'), (3, None)]" }),
    );
    expect((await read('analyst_eu', 'SELECT * FROM scratch.made ORDER BY id')).rows).toEqual([
      [0, 'x'],
      [1, 'a'],
      [2, 'b'],
      [3, null],
    ]);
  });
});

describe('JDBC', () => {
  beforeAll(() => jdbc.connect(sluice.port, demoUser('analyst_eu')));
  const made = 'SELECT order_id, amount FROM demo.orders WHERE order_id <= 300';

  test('executeUpdate', shows('JDBC', 'CREATE TABLE AS, INSERT, DROP'), async () => {
    const expected = await expectedOf('analyst_eu', made);
    expect(await jdbc.update(`CREATE OR REPLACE TABLE scratch.jdbc_made AS ${made}`)).toBe(expected.rows.length);
    expectSameText(
      await jdbc.statement('SELECT * FROM scratch.jdbc_made ORDER BY order_id'),
      await expectedOf('analyst_eu', `${made} ORDER BY order_id`),
      'made',
    );
    expect(await jdbc.update('INSERT INTO scratch.jdbc_made VALUES (-1, 2.5)')).toBe(1);
    expect(await jdbc.execute('DROP TABLE scratch.jdbc_made')).toBe(false);
    await expect(jdbc.statement('SELECT * FROM scratch.jdbc_made')).rejects.toThrow(/jdbc_made/);
  });

  test('executeUpdate with parameters', shows('JDBC', 'CREATE TABLE AS, INSERT, DROP'), async () => {
    await jdbc.update("CREATE OR REPLACE TABLE scratch.jdbc_made AS SELECT CAST(0 AS BIGINT) AS id, 'x' AS name, DATE '2024-01-01' AS day");
    const insert = 'INSERT INTO scratch.jdbc_made SELECT CAST(? AS BIGINT), CAST(? AS VARCHAR), CAST(? AS DATE)';
    expect(await jdbc.boundUpdate(insert, 'setLong=7', 'setString=seven', 'setDate=2024-02-29')).toBe(1);
    expect((await jdbc.statement('SELECT * FROM scratch.jdbc_made ORDER BY id')).rows).toEqual([
      ['0', 'x', '2024-01-01'],
      ['7', 'seven', '2024-02-29'],
    ]);
  });

  test('executeBatch', shows('JDBC', 'batched updates'), async () => {
    await jdbc.update("CREATE OR REPLACE TABLE scratch.batched AS SELECT CAST(0 AS BIGINT) AS id, 'x' AS name");
    const rows = Array.from({ length: 20 }, (_, index) => [`setLong=${index + 1}`, `setString=n${index + 1}`]);
    await jdbc.batch('INSERT INTO scratch.batched SELECT CAST(? AS BIGINT), CAST(? AS VARCHAR)', rows);
    expect((await jdbc.statement('SELECT count(*) AS n, max(id) AS last FROM scratch.batched')).rows).toEqual([['21', '20']]);
  });
});

test('pandas writes a frame', shows('pandas', 'bulk ingest'), async () => {
  await python.call('pandas_to_sql', options('analyst_eu', { table: 'framed', schema: 'scratch', rows: 100 }));
  expect((await read('analyst_eu', 'SELECT count(*) AS n, max(name) AS last FROM scratch.framed')).rows).toEqual([[100, 'n99']]);
});

test('polars writes a frame', shows('polars', 'bulk ingest'), async () => {
  await python.call('polars_write_database', options('analyst_eu', { table: 'poled', schema: 'scratch', rows: 100 }));
  expect((await read('analyst_eu', 'SELECT count(*) AS n, max(id) AS last FROM scratch.poled')).rows).toEqual([[100, 99]]);
});
