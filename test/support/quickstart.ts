/** The demo's queries, and what each identity must get: computed by plain DuckDB over the raw files with filters and masks written by hand. */
import { hkdfSync } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Answer, PythonClients } from './clients.ts';
import { STATE_DIRECTORY } from './server.ts';

/** Fixed, so that tokens can be computed independently. */
export const CLUSTER_KEY: string = Buffer.alloc(32, 42).toString('base64');

export const QUICKSTART_SETTINGS: Readonly<Record<string, string>> = { SLUICE_CLUSTER_KEY: CLUSTER_KEY };

export const QUICKSTART_QUERIES: Readonly<Record<string, string>> = {
  'customers, all columns': 'SELECT * FROM demo.customers WHERE customer_id <= 300 ORDER BY customer_id',
  'orders, all columns': 'SELECT * FROM demo.orders WHERE order_id % 9973 = 0 ORDER BY order_id',
  'revenue by region': 'SELECT region, count(*) AS n, sum(amount) AS total FROM demo.orders GROUP BY region ORDER BY region',
  'a join, grouped by a masked column':
    'SELECT c.birth_date, count(*) AS n, sum(o.amount) AS total FROM demo.customers c JOIN demo.orders o USING (customer_id) GROUP BY c.birth_date ORDER BY c.birth_date LIMIT 40',
  'a self-join on the token':
    'SELECT count(*) AS n, count(DISTINCT a.ssn) AS people FROM demo.customers a JOIN demo.customers b ON a.ssn = b.ssn',
  'a filter on a masked value': "SELECT count(*) AS n FROM demo.customers WHERE phone LIKE '+%'",
  'mail domains': "SELECT split_part(email, '@', 2) AS domain, count(*) AS n FROM demo.customers GROUP BY ALL ORDER BY ALL",
  'a window over masked values':
    'SELECT customer_id, region, row_number() OVER (PARTITION BY region, birth_date ORDER BY customer_id) AS place FROM demo.customers WHERE customer_id < 500 ORDER BY customer_id',
  'a view over both':
    'SELECT region, count(*) AS n, count(DISTINCT email) AS mails, sum(amount) AS total FROM demo.customer_orders GROUP BY region ORDER BY region',
  'view rows': 'SELECT * FROM demo.customer_orders WHERE order_id % 49999 = 0 ORDER BY order_id',
  'real data':
    'SELECT origin, count(*) AS flights, avg(delay) AS delay, max(distance) AS far, min(date) AS first FROM demo.flights GROUP BY origin HAVING count(*) > 50000 ORDER BY origin',
  'a DuckDB file': 'SELECT * FROM demo.products ORDER BY product_id LIMIT 25',
  'no rows': "SELECT customer_id, birth_date, region FROM demo.customers WHERE region = 'nowhere'",
  'a CTE and a set operation':
    "WITH big AS (SELECT customer_id, amount FROM demo.orders WHERE amount > 1000.5) SELECT 'big' AS kind, count(*) AS n FROM big UNION ALL SELECT 'all', count(*) FROM demo.orders ORDER BY kind",
};

export type QuickstartUser = 'steward' | 'analyst_eu' | 'analyst_us';

/** The independent answer of plain DuckDB; each is computed once. */
export function quickstartAnswers(python: PythonClients): (user: QuickstartUser, sql: string) => Promise<Answer> {
  const known = new Map<string, Promise<Answer>>();
  return (user, sql) => {
    const key = `${user} ${sql}`;
    const answer = known.get(key) ?? python.expected(sql, setupFor(user));
    known.set(key, answer);
    return answer;
  };
}

/** Statements for an empty DuckDB, after which a query by name gives what `user` must get. */
export function setupFor(user: QuickstartUser): readonly string[] {
  const demo = join(STATE_DIRECTORY, 'demo');
  const customers = `read_parquet('${demo}/customers.parquet')`;
  const orders = `read_parquet('${demo}/orders/*/*.parquet')`;
  const flights = join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '..', 'data', 'flights-3m.parquet');
  const start = ['CREATE SCHEMA demo', `ATTACH '${demo}/products.duckdb' AS shop (READ_ONLY)`];
  const open = `CREATE VIEW demo.flights AS FROM read_parquet('${flights}')`;
  const view = `CREATE VIEW demo.customer_orders AS SELECT o.order_id, o.order_date, o.amount, o.status, c.customer_id, c.name, c.email, c.region
    FROM demo.orders o JOIN demo.customers c ON c.customer_id = o.customer_id`;
  if (user === 'steward')
    return [
      ...start,
      `CREATE VIEW demo.customers AS FROM ${customers}`,
      `CREATE VIEW demo.orders AS FROM ${orders}`,
      'CREATE VIEW demo.products AS FROM shop.main.products',
      open,
      view,
    ];
  const region = user === 'analyst_eu' ? 'EU' : 'US';
  return [
    ...start,
    `CREATE TABLE demo.customers AS SELECT customer_id, name, '***@' || split_part(email, '@', 2) AS email, '****' || phone[-4:] AS phone,
      ${token('ssn')} AS ssn, make_date(year(birth_date), 1, 1) AS birth_date, region FROM ${customers} WHERE region = '${region}'`,
    `CREATE TABLE demo.orders AS SELECT order_id, customer_id, order_date, amount, region, '****' || card_number[-4:] AS card_number, status
      FROM ${orders} WHERE region = '${region}'`,
    'CREATE VIEW demo.products AS SELECT product_id, name, category, price FROM shop.main.products',
    open,
    view,
  ];
}

/** Tokens are stable: a keyed hash nested as HMAC is, its key drawn from the cluster key (RFC 5869). */
function token(column: string): string {
  const key = Buffer.from(hkdfSync('sha256', Buffer.from(CLUSTER_KEY, 'base64'), '', 'sluice token', 32)).toString('hex');
  return `'tok_' || left(sha256('${key}' || sha256('${key}' || ${column})), 24)`;
}
