/** The demo's identities over a real gRPC connection: rows, masks, hidden columns, views, names. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

let sluice: TestServer;
const clients = new Map<string, RawClient>();
const as = (user: string): RawClient => {
  const client = clients.get(user);
  if (client === undefined) throw new Error(`no client for ${user}`);
  return client;
};

beforeAll(async () => {
  sluice = await startTestServer();
  for (const user of ['steward', 'analyst_eu', 'analyst_us', 'auditor', 'guest'])
    clients.set(user, await connectFlight({ port: sluice.port, user }));
});

afterAll(async () => {
  for (const client of clients.values()) client.close();
  await sluice[Symbol.asyncDispose]();
});

describe('rows', () => {
  test('the steward sees every region, an analyst the one of the attribute', async () => {
    const sql = 'SELECT region, count(*) AS n FROM demo.customers GROUP BY region ORDER BY region';
    const all = await as('steward').rows(sql);
    expect(all.map(({ region }) => region)).toEqual(['APAC', 'EU', 'US']);
    expect(await as('analyst_eu').rows(sql)).toEqual(all.filter(({ region }) => region === 'EU'));
    expect(await as('analyst_us').rows(sql)).toEqual(all.filter(({ region }) => region === 'US'));
  });

  test('a filter on the policy column can not widen it', async () => {
    expect(await as('analyst_eu').rows("SELECT count(*) AS n FROM demo.orders WHERE region = 'US' OR true AND region <> 'EU'")).toEqual([
      { n: 0 },
    ]);
  });

  test('a dataset of a DuckDB file and real data are served', async () => {
    expect(await as('steward').rows('SELECT count(*) AS n FROM demo.products')).toEqual([{ n: 1000 }]);
    expect(await as('guest').rows('SELECT count(*) AS n FROM demo.flights')).toEqual([{ n: 3_000_000 }]);
  });
});

describe('cells', () => {
  test('masks keep type and NULL-ness and never the value', async () => {
    const sql = 'SELECT customer_id, email, phone, ssn, birth_date FROM demo.customers ORDER BY customer_id LIMIT 50';
    const raw = new Map(
      (await as('steward').rows(sql.replace(' ORDER', " WHERE region = 'EU' ORDER"))).map((row) => [row['customer_id'], row]),
    );
    const masked = await as('analyst_eu').rows(sql);
    expect(masked).toHaveLength(50);
    for (const row of masked) {
      const original = raw.get(row['customer_id']);
      const [email, phone, ssn] = [String(row['email']), String(row['phone']), String(row['ssn'])];
      expect(email.split('@')[1]).toBe(String(original?.['email']).split('@')[1]);
      expect(email).not.toBe(original?.['email']);
      expect(phone.slice(-4)).toBe(String(original?.['phone']).slice(-4));
      expect(phone).not.toBe(original?.['phone']);
      expect(ssn).not.toContain(String(original?.['ssn']));
      expect(row['birth_date']).toBe(`${String(original?.['birth_date']).slice(0, 4)}-01-01`);
    }
  });

  test('joins on a tokenized column still work', async () => {
    const sql = 'SELECT count(*) AS n FROM demo.customers a JOIN demo.customers b ON a.ssn = b.ssn';
    const total = await as('analyst_eu').rows('SELECT count(*) AS n FROM demo.customers');
    expect(await as('analyst_eu').rows(sql)).toEqual(total);
  });

  test("predicates see the masked value, so a raw one can't be probed", async () => {
    const [first] = await as('steward').rows("SELECT ssn FROM demo.customers WHERE region = 'EU' ORDER BY customer_id LIMIT 1");
    expect(await as('analyst_eu').rows(`SELECT count(*) AS n FROM demo.customers WHERE ssn = '${String(first?.['ssn'])}'`)).toEqual([
      { n: 0 },
    ]);
  });

  test('SELECT * leaves hidden columns out, naming one is "not found" like a column that does not exist', async () => {
    const [row] = await as('analyst_eu').rows('SELECT * FROM demo.customers LIMIT 1');
    expect(Object.keys(row ?? {})).toEqual(['customer_id', 'name', 'email', 'phone', 'ssn', 'birth_date', 'region']);
    const hidden = await failureOf(as('analyst_eu').rows('SELECT balance FROM demo.customers'));
    const missing = await failureOf(as('analyst_eu').rows('SELECT bonanza FROM demo.customers'));
    expect(hidden.status).toBe('INVALID_ARGUMENT');
    expect(hidden.message.replaceAll('balance', 'X')).toBe(missing.message.replaceAll('bonanza', 'X'));
  });
});

describe('views', () => {
  test("a view carries the reader's own filters and masks", async () => {
    const sql = 'SELECT count(*) AS n, count(DISTINCT region) AS regions FROM demo.customer_orders';
    const [all] = await as('steward').rows(sql);
    const [mine] = await as('analyst_eu').rows(sql);
    expect(all).toMatchObject({ n: 1_000_000, regions: 3 });
    expect(mine).toEqual({ n: (await as('analyst_eu').rows('SELECT count(*) AS n FROM demo.orders'))[0]?.['n'], regions: 1 });
  });
});

describe('names', () => {
  test('hidden and missing datasets look the same', async () => {
    const hidden = await failureOf(as('guest').rows('SELECT * FROM demo.customers'));
    const missing = await failureOf(as('guest').rows('SELECT * FROM demo.custodians'));
    expect(hidden.status).toBe('NOT_FOUND');
    expect(hidden.message.replaceAll('customers', 'X')).toBe(missing.message.replaceAll('custodians', 'X'));
  });

  test('one, two and three parts, quoted and in any case, mean the same dataset', async () => {
    const expected = await as('analyst_eu').rows('SELECT count(*) AS n FROM demo.customers');
    for (const name of ['customers', 'DEMO.Customers', 'sluice.demo.customers', '"sluice"."demo"."customers"', 'Sluice.Demo.CUSTOMERS'])
      expect(await as('analyst_eu').rows(`SELECT count(*) AS n FROM ${name}`), name).toEqual(expected);
  });

  test('fully qualified column names work', async () => {
    const rows = await as('analyst_eu').rows('SELECT sluice.demo.customers.region AS r FROM sluice.demo.customers LIMIT 1');
    expect(rows).toEqual([{ r: 'EU' }]);
  });

  test('an auditor sees shapes and decisions but no rows', async () => {
    const tables = await as('auditor').run('CommandGetTables', { include_schema: false });
    expect(tables.numRows).toBeGreaterThanOrEqual(5);
    expect((await failureOf(as('auditor').rows('SELECT * FROM demo.customers'))).status).toBe('PERMISSION_DENIED');
  });
});

describe('EXPLAIN POLICY', () => {
  test('an analyst reads in words what limits the answer, and no hidden name', async () => {
    const rows = await as('analyst_eu').rows('EXPLAIN POLICY SELECT * FROM demo.customers');
    expect(rows[0]).toMatchObject({ dataset: 'demo.customers', column: null, decision: 'conditional', path: 'plain' });
    expect(String(rows[0]?.['row_filter'])).toContain('region');
    expect(rows.find(({ column }) => column === 'ssn')).toMatchObject({ decision: 'masked' });
    expect(JSON.stringify(rows)).not.toContain('balance');
  });

  test('the auditor may ask for another user, nobody else may', async () => {
    const rows = await as('auditor').rows("EXPLAIN POLICY AS USER 'analyst_eu' SELECT name, balance FROM demo.customers");
    expect(rows.map(({ column, decision }) => [column, decision])).toEqual([
      [null, 'conditional'],
      ['name', 'raw'],
      ['balance', 'hidden'],
    ]);
    expect((await failureOf(as('analyst_eu').rows("EXPLAIN POLICY AS USER 'steward' SELECT 1"))).status).toBe('PERMISSION_DENIED');
    const denied = await as('auditor').rows("EXPLAIN POLICY AS USER 'guest' SELECT * FROM demo.customers");
    expect(denied).toMatchObject([{ dataset: 'demo.customers', decision: 'deny' }]);
  });

  test('the barrier path says why', async () => {
    const [row] = await as('analyst_eu').rows(
      "EXPLAIN POLICY SELECT count(*) FROM demo.customers WHERE regexp_matches('x', replace(email, 'a', '('))",
    );
    expect(row).toMatchObject({ path: 'barrier' });
    expect(String(row?.['path_reason'])).toContain('regexp');
  });
});

test('prepared statements and plain ones give the same rows', async () => {
  const sql = 'SELECT region, status, sum(amount) AS total FROM demo.orders GROUP BY ALL ORDER BY ALL';
  expect(await as('analyst_us').rowsPrepared(sql)).toEqual(await as('analyst_us').rows(sql));
});
