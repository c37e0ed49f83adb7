/** Tables of one's own: made, read, kept from others, and closed when the policy of their sources changes. */
import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { QUICKSTART_DIRECTORY } from '#src/config.js';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { encodeAny } from '../support/flight-messages.ts';
import { PATIENCE } from '../support/patience.ts';
import { update } from '../support/put.ts';
import { replaceFile } from '../support/replace-file.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startServerProcess } from '../support/server-process.ts';

let policies: string;
let scratch: string;
let sluice: TestServer;
let eu: RawClient;
let us: RawClient;
let steward: RawClient;
let auditor: RawClient;

beforeAll(async () => {
  // Makes the shared demo data once, then serves a copy of the directory that this test may edit.
  await (await startTestServer())[Symbol.asyncDispose]();
  policies = await mkdtemp(join(tmpdir(), 'sluice-policies-'));
  scratch = await mkdtemp(join(tmpdir(), 'sluice-scratch-'));
  await cp(QUICKSTART_DIRECTORY, policies, { recursive: true });
  await start();
});

afterAll(async () => {
  await stop();
  for (const path of [policies, scratch]) await rm(path, { recursive: true });
});

async function start(settings: Readonly<Record<string, string>> = {}): Promise<void> {
  sluice = await startTestServer({
    SLUICE_POLICIES: policies,
    SLUICE_SCRATCH_DIR: scratch,
    SLUICE_SCRATCH_TABLES: '8',
    SLUICE_SCRATCH_BYTES: '20MB',
    ...settings,
  });
  const connect = (user: string) => connectFlight({ port: sluice.port, user });
  eu = await connect('analyst_eu');
  us = await connect('analyst_us');
  steward = await connect('steward');
  auditor = await connect('auditor');
}

async function stop(): Promise<void> {
  for (const client of [eu, us, steward, auditor]) client.close();
  await sluice[Symbol.asyncDispose]();
}

/** Does the work while a policy file is changed; both changes are in force before it goes on. */
async function during(file: string, change: (text: string) => string, work: () => Promise<void>): Promise<void> {
  const path = join(policies, file);
  const before = await readFile(path, 'utf8');
  const write = async (text: string): Promise<void> => {
    const { epoch } = sluice.server.snapshot();
    await replaceFile(path, text);
    await vi.waitFor(() => expect(sluice.server.snapshot().epoch).toBeGreaterThan(epoch), PATIENCE);
  };
  const after = change(before);
  if (after === before) throw new Error(`the edit of ${file} changes nothing`);
  await write(after);
  try {
    await work();
  } finally {
    await write(before);
  }
}

const ownTables = async (client: RawClient): Promise<string[]> => {
  const rows = (await client.run('CommandGetTables', { db_schema_filter_pattern: 'scratch' })).toArray() as { table_name: string }[];
  return rows.map(({ table_name }) => table_name);
};

afterEach(async () => {
  for (const client of [eu, us, steward]) for (const name of await ownTables(client)) await update(client, `DROP TABLE scratch."${name}"`);
});

describe('a table of a query', () => {
  test('is there for the next statement, by either way to run it', async () => {
    expect(await update(eu, 'CREATE TABLE scratch.a AS SELECT range AS n FROM range(5)')).toBe(5);
    expect(await eu.rows('SELECT sum(n) AS s FROM scratch.a')).toEqual([{ s: '10' }]);
    expect(await eu.rows('CREATE TABLE scratch.b AS SELECT n + 1 AS m FROM scratch.a')).toEqual([{ count: 5 }]);
    expect(await eu.rowsPrepared('INSERT INTO scratch.b (m) VALUES (99), (100)')).toEqual([{ count: 2 }]);
    expect(await eu.rows('SELECT m FROM scratch.b ORDER BY m DESC LIMIT 3')).toEqual([{ m: 100 }, { m: 99 }, { m: 5 }]);
    expect(await update(eu, 'CREATE OR REPLACE TABLE scratch.b AS SELECT 1 AS x')).toBe(1);
    expect(await eu.rows('FROM scratch.b')).toEqual([{ x: 1 }]);
    expect(await update(eu, 'DROP TABLE scratch.b')).toBe(0);
    expect((await failureOf(eu.rows('FROM scratch.b'))).status).toBe('NOT_FOUND');
  });

  test('is made when there is none yet, and refused or left when there is one', async () => {
    await update(eu, 'CREATE TABLE scratch.a AS SELECT 1 AS x');
    expect((await failureOf(update(eu, 'CREATE TABLE scratch.A AS SELECT 2 AS x'))).status).toBe('ALREADY_EXISTS');
    expect(await update(eu, 'CREATE TABLE IF NOT EXISTS scratch.a AS SELECT 2 AS x')).toBe(0);
    expect(await eu.rows('FROM scratch.a')).toEqual([{ x: 1 }]);
    expect(await update(eu, 'DROP TABLE IF EXISTS scratch.gone')).toBe(0);
    expect((await failureOf(update(eu, 'DROP TABLE scratch.gone'))).status).toBe('NOT_FOUND');
  });

  test('holds what its maker may see: masked, filtered, without hidden columns', async () => {
    await update(eu, 'CREATE TABLE scratch.people AS SELECT * FROM demo.customers');
    const seen = await eu.rows('SELECT * FROM demo.customers ORDER BY customer_id');
    expect(await eu.rows('SELECT * FROM scratch.people ORDER BY customer_id')).toEqual(seen);
    expect(Object.keys(seen[0] ?? {})).not.toContain('balance');
    expect(await eu.rows("SELECT count(*) AS n FROM scratch.people WHERE region <> 'EU' OR email NOT LIKE '%*%'")).toEqual([{ n: 0 }]);
    const stored = readdirSync(scratch).flatMap((id) => readdirSync(join(scratch, id)).map((file) => join(scratch, id, file)));
    const raw = (await steward.rows("SELECT email FROM demo.customers WHERE region = 'EU' LIMIT 1"))[0]?.['email'] as string;
    for (const file of stored) expect((await readFile(file)).includes(raw)).toBe(false);
  });

  test('takes rows in the columns named, cast to their types; others are NULL', async () => {
    await update(eu, "CREATE TABLE scratch.a AS SELECT 1::BIGINT AS id, 'x' AS name, DATE '2020-01-01' AS day");
    expect(await update(eu, "INSERT INTO scratch.a (name, id) SELECT 'y', 2")).toBe(1);
    expect(await eu.rows('SELECT id, name, day IS NULL AS d FROM scratch.a ORDER BY id')).toEqual([
      { id: 1, name: 'x', d: false },
      { id: 2, name: 'y', d: true },
    ]);
    for (const insert of ["(name) VALUES ('a', 'b')", '(nothing) VALUES (1)', '(id, ID) VALUES (1, 2)', 'VALUES (1)'])
      expect((await failureOf(update(eu, `INSERT INTO scratch.a ${insert}`))).status, insert).toBe('INVALID_ARGUMENT');
    expect(await failureOf(update(eu, "INSERT INTO scratch.a (day) VALUES ('topsecret')"))).toEqual({
      status: 'INVALID_ARGUMENT',
      message: expect.not.stringContaining('topsecret'),
    });
    expect(await eu.rows('SELECT count(*) AS n FROM scratch.a')).toEqual([{ n: 2 }]);
  });

  test('stays quick after many small inserts', async () => {
    await update(eu, 'CREATE TABLE scratch.a AS SELECT 0 AS n');
    for (let i = 1; i <= 70; i++) await update(eu, `INSERT INTO scratch.a VALUES (${i})`);
    expect(await eu.rows('SELECT count(*) AS n, sum(n) AS s FROM scratch.a')).toEqual([{ n: 71, s: '2485' }]);
    const table = readdirSync(scratch).filter((id) => existsSync(join(scratch, id, 'meta.json')));
    expect(table).toHaveLength(1);
    expect(readdirSync(join(scratch, table[0] ?? '')).length).toBeLessThan(20);
  });

  test('runs once, however often its ticket is redeemed', async () => {
    await update(eu, 'CREATE TABLE scratch.a AS SELECT 0 AS n');
    const info = await eu.info('CommandStatementQuery', { query: 'INSERT INTO scratch.a VALUES (1)' });
    const ticket = info.endpoint[0]?.ticket.ticket ?? new Uint8Array();
    for (let i = 0; i < 3; i++) expect((await eu.get(ticket)).toArray().map(String)).toEqual(['{"count": 1}']);
    expect((await failureOf(us.get(ticket))).status).toBe('PERMISSION_DENIED');
    expect(await eu.rows('SELECT count(*) AS n FROM scratch.a')).toEqual([{ n: 2 }]);
  });

  test('that was planned only is not there', async () => {
    await eu.info('CommandStatementQuery', { query: 'CREATE TABLE scratch.a AS SELECT 1 AS x' });
    await eu.prepare('CREATE TABLE scratch.b AS SELECT 1 AS x');
    expect(await ownTables(eu)).toEqual([]);
  });
});

describe("others' tables", () => {
  const asMissing = async (client: RawClient, statement: (table: string) => string): Promise<void> => {
    const run = (table: string) => failureOf(client.rows(statement(table)));
    const [theirs, missing] = [await run('scratch.secret'), await run('scratch.nosuch')];
    expect(theirs.status).not.toBe('OK');
    expect({ ...theirs, message: theirs.message.replaceAll('secret', 'nosuch') }).toEqual(missing);
  };

  test.each([
    ['read', (table: string) => `SELECT * FROM ${table}`],
    ['read through the catalog', (table: string) => `SELECT * FROM sluice.${table}`],
    ['described', (table: string) => `DESCRIBE ${table}`],
    ['explained', (table: string) => `EXPLAIN POLICY SELECT * FROM ${table}`],
    ['added to', (table: string) => `INSERT INTO ${table} VALUES (1)`],
    ['dropped', (table: string) => `DROP TABLE ${table}`],
    ['copied', (table: string) => `CREATE TABLE scratch.copy AS SELECT * FROM ${table}`],
  ])('can not be %s; the answer is that for a missing one', async (_, statement) => {
    await update(eu, "CREATE TABLE scratch.secret AS SELECT 'mine' AS x");
    for (const client of [us, steward]) await asMissing(client, statement);
    expect(await eu.rows('FROM scratch.secret')).toEqual([{ x: 'mine' }]);
  });

  test('do not show in any listing, count or schema', async () => {
    const listings = async (client: RawClient): Promise<unknown> => [
      (await client.run('CommandGetTables', { include_schema: true })).toArray().map(String),
      (await client.run('CommandGetDbSchemas')).toArray().map(String),
      (await client.run('CommandGetPrimaryKeys', { db_schema: 'scratch', table: 'secret' })).toArray().map(String),
      await client.rows('SELECT * FROM information_schema.tables'),
      await client.rows('SELECT * FROM information_schema.columns'),
      (await client.info('CommandStatementQuery', { query: 'SELECT 1 AS x' })).app_metadata.toString().replace(/"queryId":"[^"]*"/, ''),
    ];
    for (const client of [us, steward, auditor]) {
      const before = await listings(client);
      await update(eu, "CREATE TABLE scratch.secret AS SELECT 'mine' AS x");
      expect(await listings(client)).toEqual(before);
      await update(eu, 'DROP TABLE scratch.secret');
    }
  });

  test('may have the same names', async () => {
    await update(eu, "CREATE TABLE scratch.t AS SELECT 'eu' AS who");
    await update(us, "CREATE TABLE scratch.t AS SELECT 'us' AS who");
    expect(await eu.rows('FROM scratch.t')).toEqual([{ who: 'eu' }]);
    expect(await us.rows('FROM scratch.t')).toEqual([{ who: 'us' }]);
    await update(us, 'DROP TABLE scratch.t');
    expect(await eu.rows('FROM scratch.t')).toEqual([{ who: 'eu' }]);
  });

  test('end no ticket of anyone', async () => {
    const query = 'SELECT count(*) AS n FROM demo.customer_orders';
    const info = await us.info('CommandStatementQuery', { query });
    const explain = await us.info('CommandStatementQuery', { query: `EXPLAIN POLICY ${query}` });
    await update(eu, 'CREATE TABLE scratch.t AS SELECT 1 AS x');
    for (const { endpoint } of [info, explain]) await us.get(endpoint[0]?.ticket.ticket ?? new Uint8Array());
  });

  test('are named to an auditor who asks in the name of their owner, and never read', async () => {
    await update(eu, "CREATE TABLE scratch.secret AS SELECT 'mine' AS x");
    const rows = await auditor.rows("EXPLAIN POLICY AS USER 'analyst_eu' SELECT * FROM scratch.secret");
    expect(JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))).toContain('secret');
    expect((await failureOf(auditor.rows('SELECT * FROM scratch.secret'))).status).toBe('NOT_FOUND');
    expect((await failureOf(auditor.rows("EXPLAIN POLICY AS USER 'analyst_us' SELECT * FROM scratch.secret"))).status).toBe('NOT_FOUND');
  });
});

describe('who may make tables, and where', () => {
  test.each([
    'CREATE TABLE demo.mine AS SELECT 1 AS x',
    'CREATE OR REPLACE TABLE demo.customers AS SELECT 1 AS x',
    'CREATE TABLE mine AS SELECT 1 AS x',
    'CREATE TABLE nosuch.mine AS SELECT 1 AS x',
    'CREATE TABLE main.mine AS SELECT 1 AS x',
    'CREATE TABLE information_schema.tables AS SELECT 1 AS x',
    'INSERT INTO demo.customers SELECT * FROM demo.customers',
    'INSERT INTO demo.nosuch VALUES (1)',
    'DROP TABLE demo.customers',
    'DROP TABLE IF EXISTS demo.customers',
    'DROP TABLE customers',
    'CREATE TABLE scratch."../x" AS SELECT 1 AS x',
    'CREATE TABLE scratch."a.b" AS SELECT 1 AS x',
    'CREATE TABLE scratch."*" AS SELECT 1 AS x',
    'CREATE TABLE scratch."" AS SELECT 1 AS x',
    `CREATE TABLE scratch."${'x'.repeat(200)}" AS SELECT 1 AS x`,
    'CREATE TABLE scratch."a\u0000b" AS SELECT 1 AS x',
    'CREATE TABLE scratch."a\nb" AS SELECT 1 AS x',
    'CREATE TABLE scratch."a\u202eb" AS SELECT 1 AS x',
    "CREATE TABLE scratch.x AS SELECT 1) TO '/tmp/sluice-escaped' (FORMAT csv) --",
    "CREATE TABLE scratch.x AS SELECT 1; COPY (SELECT 1) TO '/tmp/sluice-escaped'",
    'CREATE TABLE scratch.x AS SELECT 1; DROP TABLE demo.customers',
    'CREATE TABLE scratch.x AS SELECT * FROM demo.vault',
    "CREATE TABLE scratch.x AS SELECT * FROM read_parquet('**/*.parquet')",
    "CREATE TABLE scratch.x AS FROM '/etc/passwd'",
    'CREATE TABLE scratch.x AS SELECT 1 AS a, 2 AS A',
    'CREATE TABLE scratch.x (a INTEGER)',
    'CREATE TEMP TABLE scratch.x AS SELECT 1 AS a',
    'CREATE VIEW scratch.x AS SELECT * FROM demo.customers',
    'ALTER TABLE demo.customers RENAME TO scratch.x',
    'UPDATE scratch.x SET a = 1',
    'DELETE FROM scratch.x',
    "COPY scratch.x TO '/tmp/sluice-escaped'",
  ])('%s is refused and leaves nothing', async (statement) => {
    const before = readdirSync(scratch).sort();
    for (const run of [update, (client: RawClient, query: string) => client.rows(query)]) {
      const { status } = await failureOf(run(eu, statement));
      expect(['INVALID_ARGUMENT', 'NOT_FOUND', 'PERMISSION_DENIED', 'UNIMPLEMENTED']).toContain(status);
    }
    expect(await ownTables(eu)).toEqual([]);
    expect(readdirSync(scratch).sort()).toEqual(before);
    expect(existsSync('/tmp/sluice-escaped')).toBe(false);
  });

  test('governed, hidden and missing schemas look alike', async () => {
    const of = (schema: string) => failureOf(update(eu, `CREATE TABLE ${schema}.x AS SELECT 1 AS a`));
    const answers = await Promise.all(
      ['demo', 'nosuch', 'main'].map(async (schema) => JSON.stringify(await of(schema)).replaceAll(schema, '?')),
    );
    expect(new Set(answers).size).toBe(1);
  });

  test('nobody without the grant', async () => {
    const guest = await connectFlight({ port: sluice.port, user: 'guest' });
    for (const client of [guest, auditor])
      expect((await failureOf(update(client, 'CREATE TABLE scratch.x AS SELECT 1 AS a'))).status).toBe('PERMISSION_DENIED');
    guest.close();
  });

  test.each(['ü', '表', 'a b', 'select', '/etc/passwd', '-'])('a name like %j is a name like any other', async (name) => {
    await update(eu, `CREATE TABLE scratch."${name}" AS SELECT 1 AS x`);
    expect(await eu.rows(`FROM scratch."${name}"`)).toEqual([{ x: 1 }]);
  });

  test('a view of a steward can not read them', async () => {
    await update(steward, "CREATE TABLE scratch.t AS SELECT 'steward' AS x");
    await during(
      'catalog.yaml',
      (text) => `${text}\n  demo.leak:\n    view: SELECT * FROM scratch.t\n`,
      async () => {
        for (const client of [eu, steward]) expect((await failureOf(client.rows('FROM demo.leak'))).status).toBe('NOT_FOUND');
      },
    );
  });
});

describe('a change of policy', () => {
  const CLOSED = { status: 'PERMISSION_DENIED', message: expect.stringContaining('the policy of a source changed') };

  test('of a source closes the table and what was copied from it; undone, it opens them again', async () => {
    await update(eu, 'CREATE TABLE scratch.a AS SELECT customer_id, email FROM demo.customers');
    await update(eu, 'CREATE TABLE scratch.b AS SELECT * FROM scratch.a');
    await update(eu, 'CREATE TABLE scratch.c AS SELECT count(*) AS n FROM demo.flights');
    const before = await eu.rows('SELECT * FROM scratch.b ORDER BY ALL');
    const ticket = (await eu.info('CommandStatementQuery', { query: 'FROM scratch.a' })).endpoint[0]?.ticket.ticket ?? new Uint8Array();
    await during(
      'rules.yaml',
      (text) => text.replace('mask: email', 'mask: redact'),
      async () => {
        for (const name of ['a', 'b']) {
          expect(await failureOf(eu.rows(`FROM scratch.${name}`))).toMatchObject(CLOSED);
          expect(await failureOf(update(eu, `CREATE TABLE scratch.d AS FROM scratch.${name}`))).toMatchObject(CLOSED);
          expect((await failureOf(update(eu, `INSERT INTO scratch.${name} SELECT * FROM scratch.${name}`))).status).toBe(
            'PERMISSION_DENIED',
          );
        }
        expect((await failureOf(update(eu, "INSERT INTO scratch.a VALUES (1, 'x')"))).status).toBe('PERMISSION_DENIED');
        expect((await failureOf(eu.get(ticket))).status).toBe('ABORTED');
        expect(await ownTables(eu)).toEqual(['a', 'b', 'c']);
        expect(await eu.rows('SELECT count(*) AS n FROM scratch.c')).toEqual([{ n: 1 }]);
      },
    );
    expect(await eu.rows('SELECT * FROM scratch.b ORDER BY ALL')).toEqual(before);
  });

  test('below a view closes what was made of the view', async () => {
    await update(eu, 'CREATE TABLE scratch.a AS SELECT * FROM demo.customer_orders');
    await during(
      'rules.yaml',
      (text) => text.replace('mask: email', 'mask: redact'),
      async () => {
        expect(await failureOf(eu.rows('FROM scratch.a'))).toMatchObject(CLOSED);
      },
    );
  });

  test("of its owner's attributes closes it", async () => {
    await update(eu, 'CREATE TABLE scratch.a AS SELECT customer_id FROM demo.customers');
    await during(
      'users.yaml',
      (text) => text.replace('attributes: { region: EU }', 'attributes: { region: APAC }'),
      async () => {
        expect(await failureOf(eu.rows('FROM scratch.a'))).toMatchObject(CLOSED);
      },
    );
  });

  test('between planning and running keeps a table from being made', async () => {
    const plan = async (query: string) =>
      (await eu.info('CommandStatementQuery', { query })).endpoint[0]?.ticket.ticket ?? new Uint8Array();
    const made = await plan('CREATE TABLE scratch.a AS SELECT email FROM demo.customers');
    const granted = await plan('CREATE TABLE scratch.b AS SELECT 1 AS x');
    await during(
      'rules.yaml',
      (text) => text.replace('mask: email', 'mask: redact'),
      async () => {
        expect((await failureOf(eu.get(made))).status).toBe('ABORTED');
      },
    );
    await during(
      'policy.csv',
      (text) => text.replace('p, analyst, scratch.*, create, allow, analyst-creates\n', ''),
      async () => {
        expect((await failureOf(eu.get(granted))).status).toBe('PERMISSION_DENIED');
        expect(await ownTables(eu)).toEqual([]);
      },
    );
  });

  test('that takes the scratch schema away hides the tables; back, they are as they were', async () => {
    await update(eu, 'CREATE TABLE scratch.a AS SELECT 1 AS x');
    await during(
      'catalog.yaml',
      (text) => text.replace('scratch: { schema: scratch }', ''),
      async () => {
        expect((await failureOf(eu.rows('FROM scratch.a'))).status).toBe('NOT_FOUND');
        expect((await failureOf(update(eu, 'CREATE TABLE scratch.b AS SELECT 1 AS x'))).status).not.toBe('OK');
      },
    );
    expect(await eu.rows('FROM scratch.a')).toEqual([{ x: 1 }]);
  });
});

describe('room', () => {
  test('is limited in tables', async () => {
    for (let i = 0; i < 8; i++) await update(eu, `CREATE TABLE scratch.t${i} AS SELECT 1 AS x`);
    expect(await failureOf(update(eu, 'CREATE TABLE scratch.more AS SELECT 1 AS x'))).toEqual({
      status: 'RESOURCE_EXHAUSTED',
      message: expect.stringContaining('8 tables'),
    });
    await update(us, 'CREATE TABLE scratch.t0 AS SELECT 1 AS x');
  });

  test('is limited in bytes, while a table is being written too', async () => {
    const random = (rows: number) =>
      `CREATE OR REPLACE TABLE scratch.big AS SELECT hash(a.range * 10000 + b.range) AS h FROM range(1000000) a, range(${rows}) b`;
    expect(await update(eu, random(1))).toBe(1_000_000);
    const before = readdirSync(scratch).filter((name) => !name.startsWith('.'));
    for (const rows of [3, 10_000])
      expect(await failureOf(update(eu, random(rows)))).toEqual({
        status: 'RESOURCE_EXHAUSTED',
        message: expect.stringContaining('bytes'),
      });
    expect(readdirSync(scratch)).toEqual(before);
    expect(await eu.rows('SELECT count(*) AS n FROM scratch.big')).toEqual([{ n: 1_000_000 }]);
  });
});

test('a cancelled statement leaves nothing', async () => {
  const query = 'CREATE TABLE scratch.a AS SELECT count(*) AS n FROM range(100000000) a, range(1000000) b';
  const info = await eu.info('CommandStatementQuery', { query });
  const stream = eu.openStream(info.endpoint[0]?.ticket.ticket ?? new Uint8Array());
  const ended = new Promise((resolve) => stream.on('error', resolve));
  await vi.waitFor(() => expect(readdirSync(scratch).some((name) => name.startsWith('.new-'))).toBe(true), PATIENCE);
  stream.cancel();
  await ended;
  await vi.waitFor(() => expect(readdirSync(scratch).some((name) => name.startsWith('.new-'))).toBe(false), PATIENCE);
  expect(await ownTables(eu)).toEqual([]);
});

test('a process that is killed while it writes leaves the tables as they were', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-scratch-'));
  const query = 'CREATE OR REPLACE TABLE scratch.a AS SELECT count(*) AS n FROM range(100000000) a, range(1000000) b';
  const victim = await startServerProcess({ SLUICE_SCRATCH_DIR: directory });
  const client = await connectFlight({ port: victim.port, user: 'analyst_eu' });
  await update(client, 'CREATE TABLE scratch.a AS SELECT 1 AS x');
  const lost = failureOf(update(client, query));
  await vi.waitFor(() => expect(readdirSync(directory).some((name) => name.startsWith('.new-'))).toBe(true), PATIENCE);
  victim.child.kill('SIGKILL');
  expect((await lost).status).not.toBe('OK');
  client.close();
  const next = await startTestServer({ SLUICE_SCRATCH_DIR: directory });
  const reader = await connectFlight({ port: next.port, user: 'analyst_eu' });
  expect(await reader.rows('FROM scratch.a')).toEqual([{ x: 1 }]);
  expect(readdirSync(directory)).toHaveLength(1);
  reader.close();
  await next[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

test('tables are there after a restart', async () => {
  await update(eu, 'CREATE TABLE scratch.a AS SELECT email FROM demo.customers');
  const before = await eu.rows('SELECT * FROM scratch.a ORDER BY ALL');
  await stop();
  await start();
  expect(await eu.rows('SELECT * FROM scratch.a ORDER BY ALL')).toEqual(before);
  expect((await failureOf(us.rows('FROM scratch.a'))).status).toBe('NOT_FOUND');
});

test('prepared statements run as updates and say so', async () => {
  const prepared = await eu.prepare('CREATE TABLE scratch.a AS SELECT 1 AS x');
  expect(prepared.is_update).toBe(true);
  expect(prepared.dataset_schema).toHaveLength(0);
  const { put } = await import('../support/put.ts');
  const command = encodeAny('CommandPreparedStatementUpdate', { prepared_statement_handle: prepared.prepared_statement_handle });
  expect(await put(eu, command, [])).toBe(1);
  expect(await eu.rows('FROM scratch.a')).toEqual([{ x: 1 }]);
});
