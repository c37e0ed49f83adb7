/** Results in every wire form and in shares, over a real server: ADBC and pyarrow read what the plain form and one endpoint give. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, demoUser, JdbcClient, PythonClients } from '../support/clients.ts';
import { writePolicySet } from '../support/policy-set.mjs';
import { startTestServer, type TestServer } from '../support/server.ts';

const work = mkdtempSync(join(tmpdir(), 'sluice-placement-'));
const EVENTS = `SELECT i AS id, hash(i) AS h, md5(i::VARCHAR) AS text, 'kind ' || i % 3 AS kind, i % 7 AS day FROM range(400000) t(i)`;
const KINDS = `SELECT i::INTEGER AS id, nullif(repeat('text ', i % 9), '') AS t, nullif('e' || i % 3, 'e1')::ENUM('e0', 'e1', 'e2') AS e,
  encode(repeat('b', i % 20)) AS b, [nullif('item ' || i, 'item 3'), NULL, 'x'] AS l, {'s': 'inner text of row ' || i, 'e': 'big'::ENUM('small', 'big')} AS s,
  map {'key ' || i: 'v'} AS m, (i / 4)::DECIMAL(9,2) AS d, i % 2 = 0 AS o, TIMESTAMP '2020-01-01' + to_seconds(i) AS ts FROM range(9000) t(i)`;

let python: PythonClients;
let sluice: TestServer;

beforeAll(async () => {
  python = new PythonClients();
  const data = join(work, 'data');
  const database = join(work, 'kinds.duckdb');
  for (const day of [0, 1, 2, 3, 4, 5, 6]) mkdirSync(join(data, 'events', `day=${day}`), { recursive: true });
  const files = [0, 1, 2, 3, 4, 5, 6].map(
    (day) =>
      `COPY (SELECT * EXCLUDE (day) FROM (${EVENTS}) WHERE day = ${day} ORDER BY id) TO '${data}/events/day=${day}/part.parquet' (FORMAT parquet)`,
  );
  await python.call('duckdb_run', { database: join(work, 'make.duckdb'), statements: files });
  await python.call('duckdb_run', { database, statements: [`CREATE TABLE kinds AS ${KINDS}`] });
  writePolicySet(join(work, 'policies'), {
    catalog: {
      catalog: 'sluice',
      defaultSchema: 'demo',
      connections: { lake: { kind: 'local', directory: data }, file: { kind: 'duckdb', file: database } },
      datasets: {
        'demo.events': { connection: 'lake', parquet: 'events', hive: true },
        'demo.kinds': { connection: 'file', table: 'main.kinds' },
      },
    },
    users: {
      everything: { roles: ['all'] },
      limited: { roles: ['few'], attributes: { kind: ['kind 0', 'kind 2'] } },
      days: { roles: ['some'] },
    },
    grants: [
      ['all', 'demo.*', 'select'],
      ['few', 'demo.*', 'select'],
      ['some', 'demo.*', 'select'],
    ],
    rowFilters: [
      { id: 'own', roles: ['few'], datasets: ['demo.events'], filter: 'kind IN (principal.kind)' },
      { id: 'days', roles: ['some'], datasets: ['demo.events'], filter: 'day IN (2, 3)' },
    ],
    masks: [{ id: 'short', roles: ['few'], columns: ['text'], mask: { first: 4 } }],
  });
  sluice = await startTestServer({ SLUICE_POLICIES: join(work, 'policies') });
});

afterAll(async () => {
  await python?.call('forget');
  await python?.[Symbol.asyncDispose]();
  await sluice?.[Symbol.asyncDispose]();
  if (existsSync(work)) rmSync(work, { recursive: true });
});

function adbc(sql: string, user: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const db = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [`adbc.flight.sql.rpc.call_header.x-sluice-${name}`, value]),
  );
  return python.call<Answer>('adbc_query', { uri: sluice.uri, ...demoUser(user), sql, db });
}

function pyarrow(
  sql: string,
  user: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer & { readonly same_schema: boolean; readonly locations: readonly unknown[] }> {
  const named = Object.fromEntries(Object.entries(headers).map(([name, value]) => [`x-sluice-${name}`, value]));
  return python.call('flight_locations', { uri: sluice.uri, ...demoUser(user), sql, headers: named });
}

describe('wire forms', () => {
  const SQL = 'SELECT * FROM demo.kinds ORDER BY id';
  const typeOf = (answer: Answer, column: string): string | undefined => answer.columns.find(([name]) => name === column)?.[1];

  test.each([
    { strings: 'view' },
    { enums: 'dictionary' },
    { compression: 'lz4' },
    { compression: 'zstd' },
    { strings: 'view', enums: 'dictionary', compression: 'lz4' },
    { strings: 'view', enums: 'dictionary', compression: 'zstd' },
  ])('%o reads the same in ADBC and pyarrow', async (form: Readonly<Record<string, string>>) => {
    const plain = await adbc(SQL, 'everything');
    expect(plain.rows).toHaveLength(9000);
    expect(typeOf(plain, 'e')).toBe('string');
    for (const answer of [await adbc(SQL, 'everything', form), await pyarrow(SQL, 'everything', form)]) {
      expect(answer.rows).toEqual(plain.rows);
      expect(typeOf(answer, 't')).toBe(form['strings'] === 'view' ? 'string_view' : 'string');
      expect(typeOf(answer, 'b')).toBe(form['strings'] === 'view' ? 'binary_view' : 'binary');
      const enums = form['strings'] === 'view' ? 'string_view' : 'string';
      expect(typeOf(answer, 'e')).toBe(form['enums'] === 'dictionary' ? 'dictionary<values=string, indices=int8, ordered=0>' : enums);
    }
    expect((await pyarrow(SQL, 'everything', form)).same_schema).toBe(true);
  });

  test('several rows of parameters send their dictionaries again', async () => {
    const db = {
      'adbc.flight.sql.rpc.call_header.x-sluice-enums': 'dictionary',
      'adbc.flight.sql.rpc.call_header.x-sluice-compression': 'lz4',
    };
    const answer = await python.call<Answer>('adbc_bind', {
      ...{ uri: sluice.uri, ...demoUser('everything'), db },
      sql: 'SELECT id, e FROM demo.kinds WHERE id < CAST(? AS INTEGER) ORDER BY id',
      table: 'SELECT unnest([3, 0, 2]) AS n',
    });
    expect(answer.columns[1]?.[1]).toContain('dictionary');
    expect(answer.rows).toEqual([
      [0, 'e0'],
      [1, null],
      [2, 'e2'],
      [0, 'e0'],
      [1, null],
    ]);
  });

  test('an empty result keeps its form', async () => {
    const form = { strings: 'view', enums: 'dictionary', compression: 'zstd' };
    const answer = await pyarrow('SELECT e, t FROM demo.kinds WHERE id < 0', 'everything', form);
    expect(answer.rows).toEqual([]);
    expect(answer.columns.map(([, type]) => type)).toEqual(['dictionary<values=string, indices=int8, ordered=0>', 'string_view']);
    expect(answer.same_schema).toBe(true);
  });
});

describe('shares', () => {
  const STATEMENTS = [
    'SELECT id, text, kind, day FROM demo.events WHERE id % 50 = 0',
    'SELECT day, upper(text) AS u FROM sluice.demo.events WHERE h % 100 = 1',
    'SELECT * FROM events WHERE day IN (2, 3) AND id % 31 = 7',
  ];

  test.each(STATEMENTS.flatMap((sql) => ['everything', 'limited'].map((user) => [user, sql] as const)))(
    '%s gets the rows of one endpoint, in its order: %s',
    async (user, sql) => {
      const one = await pyarrow(sql, user);
      expect(one.locations).toHaveLength(1);
      expect(one.rows.length).toBeGreaterThan(100);
      const many = await pyarrow(sql, user, { endpoints: 'parallel' });
      // The partitions of two days are small; whose rows are limited, sees nothing of where they are not.
      expect(many.locations).toHaveLength(user === 'everything' && sql.includes('day IN') ? 1 : 7);
      expect(many.same_schema).toBe(true);
      expect(many.rows).toEqual(one.rows);
      expect((await adbc(sql, user)).rows).toEqual(one.rows);
      expect((await adbc(sql, user, { endpoints: 'single' })).rows).toEqual(one.rows);
    },
  );

  test('a row filter on a partition leaves the others out of all that is told', async () => {
    const all = await pyarrow('SELECT * FROM events', 'days', { endpoints: 'parallel' });
    expect(all.locations).toHaveLength(1);
    expect(new Set(all.rows.map((row) => row.at(-1)))).toEqual(new Set([2, 3]));
    const told = await adbc('EXPLAIN POLICY SELECT * FROM events', 'days');
    expect(JSON.stringify(told.rows)).toMatch(/reads 2 of 2 files/);
    expect(JSON.stringify((await adbc('EXPLAIN POLICY SELECT * FROM events WHERE day = 3', 'days')).rows)).toMatch(/reads 1 of 2 files/);
    expect(JSON.stringify((await adbc('EXPLAIN POLICY SELECT * FROM events WHERE day = 3', 'limited')).rows)).toMatch(/reads 7 of 7 files/);
  });

  test('JDBC reads its four endpoints in any order', async () => {
    const jdbc = new JdbcClient();
    try {
      await jdbc.connect(sluice.port, demoUser('limited'));
      const sql = 'SELECT id, text FROM demo.events WHERE id % 500 = 0';
      const { rows } = await jdbc.statement(sql);
      const one = await pyarrow(sql, 'limited');
      const sorted = (list: readonly (readonly unknown[])[]): readonly string[] => list.map((row) => row.join(' ')).sort();
      expect(one.rows.length).toBeGreaterThan(100);
      expect(sorted(rows)).toEqual(sorted(one.rows));
    } finally {
      await jdbc[Symbol.asyncDispose]();
    }
  });

  test('what is more than a scan stays whole', async () => {
    const sql = 'SELECT kind, count(*) AS n FROM demo.events GROUP BY kind ORDER BY kind';
    const whole = await pyarrow(sql, 'everything', { endpoints: 'parallel' });
    expect(whole.locations).toHaveLength(1);
    expect((await adbc(sql, 'everything')).rows).toEqual(whole.rows);
  });

  test('EXPLAIN POLICY says so', async () => {
    const { columns, rows } = await adbc(`EXPLAIN POLICY ${STATEMENTS[0]}`, 'limited');
    const placement = columns.findIndex(([name]) => name === 'placement');
    expect(rows[0]?.[placement]).toBe('worker, in 7 shares');
  });

  test('a large share of everything, compressed', async () => {
    const answer = await adbc('SELECT id, day FROM demo.events', 'everything', { compression: 'lz4', strings: 'view' });
    expect(answer.rows).toHaveLength(400_000);
    expect(answer.rows.every(([id, day]) => Number(id) % 7 === day)).toBe(true);
  });
});
