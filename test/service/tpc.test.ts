/**
 * TPC-H's 22 and TPC-DS's 99 queries under policy equal plain DuckDB: with allow-all over the raw files, with row filters and masks over tables
 * governed by hand. ADBC asks, Python's DuckDB answers independently.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Answer, demoUser, PythonClients } from '../support/clients.ts';
import { PATIENCE } from '../support/patience.ts';
import { writePolicySet } from '../support/policy-set.mjs';
import { expectSameAnswer, isSameAnswer } from '../support/same-answer.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { type Benchmark, loadTpc, TPC_DIRECTORY, type TpcQuery, tpcTables } from '../support/tpc.ts';

/** What `limited` sees of a table: the policy's rule and, in plain SQL, the same by hand. */
interface Governed {
  readonly filter?: { readonly policy: string; readonly byHand: string };
  readonly masks?: Readonly<Record<string, { readonly mask: unknown; readonly byHand: string }>>;
}

const first = (column: string, count: number): { mask: unknown; byHand: string } => ({
  mask: { first: count },
  byHand: `CASE WHEN length(${column}) > ${count} THEN ${column}[:${count}] || '****' WHEN ${column} IS NOT NULL THEN '****' END`,
});
const last = (column: string, count: number): { mask: unknown; byHand: string } => ({
  mask: { last: count },
  byHand: `CASE WHEN length(${column}) > ${count} THEN '****' || ${column}[-${count}:] WHEN ${column} IS NOT NULL THEN '****' END`,
});
const round = (column: string, step: number, type: string): { mask: unknown; byHand: string } => ({
  mask: { round: step },
  byHand: `(floor(${column} / ${step}) * ${step})::${type}`,
});

const GOVERNED: Readonly<Record<Benchmark, Readonly<Record<string, Governed>>>> = {
  tpch: {
    orders: {
      filter: { policy: "o_orderdate >= DATE '1993-01-01'", byHand: "o_orderdate >= DATE '1993-01-01'" },
      masks: { o_comment: { mask: 'redact', byHand: "CASE WHEN o_comment IS NOT NULL THEN '****' END" } },
    },
    lineitem: {
      filter: { policy: 'l_shipmode NOT IN (principal.modes)', byHand: "l_shipmode NOT IN ('AIR', 'FOB')" },
      masks: { l_extendedprice: round('l_extendedprice', 100, 'DECIMAL(15,2)') },
    },
    customer: {
      filter: { policy: "c_mktsegment LIKE '%U%'", byHand: "contains(c_mktsegment, 'U')" },
      masks: { c_phone: first('c_phone', 2), c_acctbal: round('c_acctbal', 10, 'DECIMAL(15,2)') },
    },
    part: { masks: { p_container: first('p_container', 3) } },
    supplier: { filter: { policy: 's_acctbal > 0 OR s_nationkey = 3', byHand: 's_acctbal > 0 OR s_nationkey = 3' } },
  },
  tpcds: {
    store_sales: { filter: { policy: 'ss_quantity > 20', byHand: 'ss_quantity > 20' } },
    catalog_sales: {
      filter: { policy: 'cs_quantity IS NOT NULL', byHand: 'cs_quantity IS NOT NULL' },
      masks: { cs_ext_discount_amt: round('cs_ext_discount_amt', 5, 'DECIMAL(7,2)') },
    },
    web_sales: { filter: { policy: 'NOT (ws_quantity < 10)', byHand: 'ws_quantity >= 10' } },
    item: {
      filter: { policy: "i_category <> 'Music'", byHand: "i_category <> 'Music'" },
      masks: { i_current_price: round('i_current_price', 2, 'DECIMAL(7,2)'), i_item_desc: first('i_item_desc', 12) },
    },
    customer: {
      filter: { policy: 'c_birth_year >= 1940', byHand: 'c_birth_year >= 1940' },
      masks: {
        c_last_name: first('c_last_name', 2),
        c_email_address: { mask: 'email', byHand: "'***@' || split_part(c_email_address, '@', 2)" },
      },
    },
    customer_address: { masks: { ca_street_number: last('ca_street_number', 1), ca_zip: first('ca_zip', 3) } },
    customer_demographics: { masks: { cd_purchase_estimate: round('cd_purchase_estimate', 1000, 'BIGINT') } },
  },
};

/** The whole query, then the same without its last LIMIT, whose ties may fall either way. */
const withoutLimit = (sql: string): string => sql.replace(/\blimit\s+\d+\s*;?\s*$/i, '');

const work = mkdtempSync(join(tmpdir(), 'sluice-tpc-'));
const python = new PythonClients();
const queries = await loadTpc(python);
const barrier: string[] = [];

afterAll(async () => {
  await python[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

test('the query sets are complete', () => {
  expect(queries.filter(({ benchmark }) => benchmark === 'tpch')).toHaveLength(22);
  expect(queries.filter(({ benchmark }) => benchmark === 'tpcds')).toHaveLength(99);
});

for (const benchmark of ['tpch', 'tpcds'] as const) {
  describe(benchmark, () => {
    let sluice: TestServer;
    const raw = join(work, `${benchmark}-raw.duckdb`);
    const governed = join(work, `${benchmark}-governed.duckdb`);

    beforeAll(async () => {
      const tables = await tpcTables(python, benchmark);
      writePolicies(benchmark, tables);
      const source = (table: string): string => `read_parquet('${TPC_DIRECTORY}/${benchmark}/${table}.parquet')`;
      await python.call('duckdb_run', {
        database: raw,
        statements: tables.map((table) => `CREATE VIEW ${table} AS FROM ${source(table)}`),
      });
      const byHand = tables.map((table) => `CREATE TABLE ${table} AS ${selectByHand(source(table), GOVERNED[benchmark][table])}`);
      await python.call('duckdb_run', { database: governed, statements: byHand });
      sluice = await startTestServer({ SLUICE_POLICIES: join(work, benchmark) });
    });

    afterAll(async () => {
      await python.call('forget');
      await sluice?.[Symbol.asyncDispose]();
    });

    const mine = queries.filter((query) => query.benchmark === benchmark);
    test.each(mine.map((query): [number, TpcQuery] => [query.number, query]))(
      'query %i with every row and raw cells',
      async (_, { sql }) => {
        await expectEqual('everything', sql, raw);
      },
    );

    test.each(mine.map((query): [number, TpcQuery] => [query.number, query]))(
      'query %i with row filters and masks',
      async (number, { sql }) => {
        await expectEqual('limited', sql, governed);
        if (await tookBarrier(sluice, sql)) barrier.push(`${benchmark} ${number}`);
      },
    );

    async function expectEqual(user: string, sql: string, database: string): Promise<void> {
      const ask = (text: string): Promise<Answer> => python.query('adbc_query', sluice.port, demoUser(user), text);
      const [actual, expected] = [await ask(sql), await python.call<Answer>('duckdb_query', { database, sql })];
      if (withoutLimit(sql) === sql || isSameAnswer(actual, expected)) return expectSameAnswer(actual, expected, sql);
      expect(actual.rows.length, 'rows under LIMIT').toBe(expected.rows.length);
      const whole = withoutLimit(sql);
      expectSameAnswer(await ask(whole), await python.call<Answer>('duckdb_query', { database, sql: whole }), whole);
    }
  });
}

test('row filters cost at most 2 of the 121 queries their pushdown', () => {
  expect(barrier.length, `barrier path: ${barrier.join(', ')}`).toBeLessThanOrEqual(2);
});

function writePolicies(benchmark: Benchmark, tables: readonly string[]): void {
  const rules = Object.entries(GOVERNED[benchmark]);
  const scope = { roles: ['limited'] };
  writePolicySet(join(work, benchmark), {
    catalog: {
      catalog: 'tpc',
      defaultSchema: benchmark,
      connections: { files: { kind: 'local', directory: join(TPC_DIRECTORY, benchmark) } },
      datasets: Object.fromEntries(tables.map((table) => [`${benchmark}.${table}`, { parquet: `${table}.parquet` }])),
    },
    users: { everything: { roles: ['everything'] }, limited: { roles: ['limited'], attributes: { modes: ['AIR', 'FOB'] } } },
    grants: ['everything', 'limited'].map((role): [string, string, string] => [role, `${benchmark}.*`, 'select']),
    rowFilters: rules.flatMap(([table, { filter }]) =>
      filter === undefined ? [] : [{ id: `rows-${table}`, ...scope, datasets: [`${benchmark}.${table}`], filter: filter.policy }],
    ),
    masks: rules.flatMap(([table, { masks = {} }]) =>
      Object.entries(masks).map(([column, { mask }]) => ({
        id: `cell-${column}`,
        ...scope,
        datasets: [`${benchmark}.${table}`],
        columns: [column],
        mask,
      })),
    ),
  });
}

function selectByHand(source: string, governed: Governed | undefined): string {
  const masks = Object.entries(governed?.masks ?? {}).map(([column, { byHand }]) => `${byHand} AS ${column}`);
  const replace = masks.length === 0 ? '' : `REPLACE (${masks.join(', ')})`;
  return `SELECT * ${replace} FROM ${source} WHERE ${governed?.filter?.byHand ?? 'true'}`;
}

/** As the audit log, which keeps the beginning of long statements, says about the requests of `limited` with this one. */
async function tookBarrier(sluice: TestServer, sql: string): Promise<boolean> {
  const kept = sql.slice(0, 16_384);
  const decisions = await vi.waitFor(async () => {
    const records = (await sluice.audit()).filter((record) => record['statement'] === kept && record['principal'] === 'limited');
    const found = records.flatMap((record) => (record['decisions'] ?? []) as readonly { readonly path?: string }[]);
    expect(found.length, 'audited decisions').toBeGreaterThan(0);
    return found;
  }, PATIENCE);
  return decisions.some(({ path }) => path === 'barrier');
}
