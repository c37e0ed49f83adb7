/** Deterministic demo data with made-up PII, written once into the state directory. Loopback demo and tests only. */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { runTrustedScript } from './engine/index.ts';

const CUSTOMERS = 100_000;
const ORDERS = 1_000_000;

/** Directory of the real flights data that ships in the `vega-datasets` package. */
export function flightsDirectory(): string {
  return join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '..', 'data');
}

/**
 * Makes `directory` hold customers.parquet, orders/region=…/ and products.duckdb; returns at once when it does.
 * A broken-off run leaves nothing behind that a later one would take for finished.
 */
export async function ensureDemoData(directory: string, progress: (line: string) => void): Promise<void> {
  if (existsSync(join(directory, 'products.duckdb'))) return;
  const draft = `${directory}.${process.pid}.draft`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(join(draft, 'orders'), { recursive: true });
  try {
    for (const [what, statements] of demoScripts(draft)) {
      progress(`Making demo data: ${what} …`);
      await runTrustedScript(statements);
    }
    await rm(directory, { recursive: true, force: true });
    await rename(draft, directory);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

function demoScripts(directory: string): readonly (readonly [string, readonly string[]])[] {
  const path = (name: string): string => `'${join(directory, name).replaceAll("'", "''")}'`;
  return [
    [
      `${CUSTOMERS.toLocaleString('en')} customers`,
      [`COPY (${customersSql()}) TO ${path('customers.parquet')} (FORMAT parquet, ROW_GROUP_SIZE 20480)`],
    ],
    [
      `${ORDERS.toLocaleString('en')} orders`,
      [
        `COPY (${ordersSql(path('customers.parquet'))}) TO ${path('orders')} (FORMAT parquet, PARTITION_BY (region), WRITE_PARTITION_COLUMNS true, ROW_GROUP_SIZE 61440, OVERWRITE_OR_IGNORE true)`,
      ],
    ],
    ['products', [`ATTACH ${path('products.duckdb')} AS shop`, `CREATE TABLE shop.main.products AS ${productsSql()}`, 'DETACH shop']],
  ];
}

/** `pick` draws reproducibly: the same row and salt always give the same number below `below`. */
function pick(row: string, salt: number, below: number): string {
  return `(hash(${row} * 1000 + ${salt}) % ${below})::BIGINT`;
}

function customersSql(): string {
  const first =
    "['Anna','Ben','Chloe','David','Elena','Farid','Grace','Hugo','Ines','Jonas','Kira','Liam','Mei','Noah','Olga','Pablo','Quinn','Rosa','Samir','Tara']";
  const last =
    "['Abel','Baker','Costa','Dubois','Evans','Fischer','Garcia','Haas','Ito','Jensen','Kim','Lopez','Meyer','Novak','Okafor','Patel','Quist','Rossi','Singh','Tanaka']";
  const domain = "['example.com','example.org','mail.example.net','shop.example']";
  return `
    SELECT i AS customer_id, first || ' ' || last AS name,
      lower(first || '.' || last) || i || '@' || ${domain}[1 + ${pick('i', 3, 4)}] AS email,
      printf('+%d %03d %07d', ${pick('i', 4, 89)} + 10, ${pick('i', 5, 1000)}, ${pick('i', 6, 10_000_000)}) AS phone,
      printf('%03d-%02d-%04d', 100 + i // 10000, ${pick('i', 8, 99)} + 1, i % 10000) AS ssn,
      DATE '1940-01-01' + ${pick('i', 9, 25_000)}::INTEGER AS birth_date,
      ['EU','US','APAC'][1 + ${pick('i', 10, 3)}] AS region,
      ((${pick('i', 11, 2_000_000)} - 200000) / 100.0)::DECIMAL(12,2) AS balance
    FROM (SELECT i, ${first}[1 + ${pick('i', 1, 20)}] AS first, ${last}[1 + ${pick('i', 2, 20)}] AS last FROM range(1, ${CUSTOMERS + 1}) t(i))`;
}

function ordersSql(customers: string): string {
  return `
    SELECT o.i AS order_id, c.customer_id, DATE '2020-01-01' + ${pick('o.i', 21, 2200)}::INTEGER AS order_date,
      (${pick('o.i', 22, 100_000)} / 100.0 + 1)::DECIMAL(10,2) AS amount, c.region,
      printf('4%015d', ${pick('c.customer_id', 23, 1_000_000_000_000_000)}) AS card_number,
      ['open','paid','shipped','returned'][1 + ${pick('o.i', 24, 4)}] AS status
    FROM range(1, ${ORDERS + 1}) o(i) JOIN read_parquet(${customers}) c ON c.customer_id = 1 + ${pick('o.i', 20, CUSTOMERS)}
    ORDER BY c.region, o.i`;
}

function productsSql(): string {
  return `
    SELECT i::INTEGER AS product_id, 'Product ' || i AS name, ['books','garden','kitchen','music'][1 + ${pick('i', 31, 4)}] AS category,
      (${pick('i', 32, 20_000)} / 100.0 + 1)::DECIMAL(10,2) AS price, (${pick('i', 33, 10_000)} / 100.0 + 1)::DECIMAL(10,2) AS cost
    FROM range(1, 1001) t(i)`;
}
