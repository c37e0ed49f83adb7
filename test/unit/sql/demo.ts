/** Small demo data on the engine itself: the quickstart's datasets, one principal's decisions, and the way a query runs through gate and plan. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { ScanPart } from '#src/files.js';
import type { AllowDecision, ColumnDecision, Dataset, Mask, PlanCatalog, Predicate } from '#src/model.js';
import {
  buildPlanCatalog,
  checkText,
  DEFAULT_SQL_LIMITS,
  expandScans,
  functionAllowList,
  type GatedStatement,
  gateStatement,
  type PlanEntry,
  qualify,
  qualifyView,
  sameExceptCatalog,
  toPredicate,
  unsafeCasts,
} from '#src/sql/index.js';

export const CATALOG = 'sluice';

export interface Outcome {
  /** 'refused': by the gate or the parser; 'failed': bound or ran into an error. */
  readonly kind: 'rows' | 'refused' | 'failed';
  readonly rows: readonly (readonly unknown[])[];
  /** What a client could read: the refusal, or the binder's text; run-time texts never leave the server. */
  readonly message: string;
  readonly runtime: boolean;
  readonly leakproof: boolean;
}

/** One engine with the demo files; `close` removes them. */
export class Demo {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'sluice-sql-'));
  readonly #instance: DuckDBInstance;
  readonly connection: DuckDBConnection;
  readonly functions: ReadonlySet<string>;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection, functions: ReadonlySet<string>) {
    this.#instance = instance;
    this.connection = connection;
    this.functions = functions;
  }

  static async open(): Promise<Demo> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    const connection = await instance.connect();
    const rows = (await connection.runAndReadAll('SELECT DISTINCT function_name, function_type FROM duckdb_functions()')).getRows();
    const demo = new Demo(
      instance,
      connection,
      functionAllowList(rows.map(([name, type]) => ({ name: String(name), type: String(type) }))),
    );
    await connection.run("SET VARIABLE sluice_token_key = 'secret-token-key'");
    return demo;
  }

  close(): void {
    this.connection.closeSync();
    this.#instance.closeSync();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async parse(sql: string): Promise<unknown> {
    const reader = await this.connection.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)::VARCHAR', [sql]);
    return JSON.parse(String(reader.getRows()[0]?.[0]).replaceAll(/:(-?Infinity|NaN)\b/g, ':null'));
  }

  async predicate(text: string): Promise<Predicate> {
    return toPredicate(await this.parse(`SELECT 1 WHERE (${text})`));
  }

  async gate(sql: string, datasets: readonly Dataset[]): Promise<GatedStatement> {
    checkText(sql, DEFAULT_SQL_LIMITS);
    return gateStatement(await this.parse(sql), { resolve: resolver(datasets), functions: this.functions, limits: DEFAULT_SQL_LIMITS });
  }

  /** Casts that unsafeCasts finds over empty tables of these columns, treatments and filters left out; as the planner does. */
  async unsafeCasts(sql: string, gated: GatedStatement, entries: readonly PlanEntry[]): Promise<readonly string[]> {
    const shapes = entries
      .filter(({ base }) => base !== true)
      .map(({ dataset, decision }) => ({
        dataset: { ...dataset, source: { kind: 'parquet', connection: '', path: '', hivePartitioning: false } as const },
        decision: { ...decision, rowFilter: null, columns: decision.columns.map(unmasked) },
        barrier: false,
      }));
    return this.#withCatalog(buildPlanCatalog({ defaultSchema: 'demo', entries: shapes, data: 'empty' }), async (planCatalog) => {
      const text = qualify(sql, gated, { catalogName: CATALOG, planCatalog });
      const reader = await this.connection.runAndReadAll('SELECT json_serialize_plan($1::VARCHAR, optimize := false)::VARCHAR', [text]);
      return unsafeCasts(JSON.parse(String(reader.getRows()[0]?.[0])), () => true);
    });
  }

  async query(sql: string): Promise<readonly (readonly unknown[])[]> {
    return (await this.connection.runAndReadAll(sql)).getRowsJson();
  }

  async error(sql: string): Promise<string | null> {
    try {
      await this.connection.run(sql);
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Makes the plan's catalog, runs `body` with it as the default, and drops it. */
  async withPlan<T>(entries: readonly PlanEntry[], body: (planCatalog: string) => Promise<T>): Promise<T> {
    return this.#withCatalog(await this.plan(entries), body);
  }

  /** As the worker makes it: scans over the files as they are now. */
  async plan(entries: readonly PlanEntry[]): Promise<PlanCatalog> {
    const scanning = await Promise.all(entries.map(async (entry) => ({ ...entry, parts: entry.parts ?? (await this.#partsOf(entry)) })));
    return expandScans(buildPlanCatalog({ defaultSchema: 'demo', entries: scanning, data: 'rows' })).catalog;
  }

  async #partsOf({ dataset: { source } }: PlanEntry): Promise<readonly ScanPart[]> {
    if (source.kind === 'view' || source.kind === 'duckdb') return [];
    const rows = await this.query(`SELECT file FROM glob('${source.path.replaceAll("'", "''")}')`);
    return [{ files: rows.map(([path]) => ({ path: String(path), bytes: 1, version: '1' })), missing: [] }];
  }

  async #withCatalog<T>(catalog: PlanCatalog, body: (planCatalog: string) => Promise<T>): Promise<T> {
    await this.connection.run(`ATTACH ':memory:' AS "${catalog.name}"`);
    try {
      for (const statement of catalog.statements) await this.connection.run(statement);
      await this.connection.run(`USE "${catalog.name}"."${catalog.defaultSchema}"`);
      return await body(catalog.name);
    } finally {
      await this.connection.run('USE memory.main');
      await this.connection.run(`DETACH "${catalog.name}"`);
    }
  }

  /** A user's query, as the product treats it: gate, governed views (with the barrier where needed), the user's own text. */
  async governed(sql: string, entries: readonly PlanEntry[], barrier?: boolean): Promise<Outcome> {
    let gated: GatedStatement;
    try {
      gated = await this.gate(
        sql,
        entries.map(({ dataset }) => dataset),
      );
    } catch (error) {
      return {
        kind: 'refused',
        rows: [],
        message: error instanceof Error ? error.message : String(error),
        runtime: false,
        leakproof: true,
      };
    }
    const leakproof = gated.leakproof && (await this.unsafeCasts(sql, gated, entries)).length === 0;
    const behind = entries.map((entry) => ({ ...entry, barrier: barrier ?? !leakproof }));
    return this.withPlan(behind, (planCatalog) => this.#run(sql, gated, planCatalog, leakproof));
  }

  async #run(sql: string, gated: GatedStatement, planCatalog: string, leakproof: boolean): Promise<Outcome> {
    const target = { catalogName: CATALOG, planCatalog };
    const text = qualify(sql, gated, target);
    if (!sameExceptCatalog(await this.parse(sql), await this.parse(text), target)) throw new Error('splicing changed the statement');
    const bound = await this.error(
      `DESCRIBE ${text}`.startsWith('DESCRIBE DESCRIBE') || /^\s*(SUMMARIZE|SHOW)/i.test(text) ? text : `PREPARE bound AS ${text}`,
    );
    if (bound !== null) return { kind: 'failed', rows: [], message: bound, runtime: false, leakproof };
    try {
      return { kind: 'rows', rows: await this.query(text), message: '', runtime: false, leakproof };
    } catch (error) {
      return { kind: 'failed', rows: [], message: error instanceof Error ? error.message : String(error), runtime: true, leakproof };
    }
  }
}

function unmasked(column: ColumnDecision): ColumnDecision {
  return column.treatment.kind === 'masked' ? { ...column, treatment: { kind: 'raw' } } : column;
}

function resolver(datasets: readonly Dataset[]): (parts: readonly string[]) => Dataset | null {
  return (parts) => {
    const [name, schema = 'demo', catalog = CATALOG] = parts.map((part) => part.toLowerCase()).reverse();
    if (parts.length > 3 || catalog !== CATALOG) return null;
    return datasets.find((dataset) => dataset.schema === schema && dataset.name === name) ?? null;
  };
}

export function parquet(name: string, path: string, columns: Readonly<Record<string, string>>, hivePartitioning: boolean = false): Dataset {
  return {
    id: `demo.${name}`,
    schema: 'demo',
    name,
    tags: [],
    columns: Object.entries(columns).map(([column, type]) => ({ name: column, type, tags: [] })),
    source: { kind: 'parquet', connection: 'lake', path, hivePartitioning },
  };
}

/** A decision that shows everything but what `masks` says; 'hide' leaves a column out. */
export function allow(dataset: Dataset, rowFilter: Predicate | null, masks: Readonly<Record<string, Mask | 'hide'>> = {}): AllowDecision {
  return {
    effect: 'allow',
    dataset: dataset.id,
    rowFilter,
    columns: dataset.columns.map(({ name }) => {
      const mask = masks[name];
      const treatment =
        mask === undefined
          ? { kind: 'raw' as const }
          : mask === 'hide'
            ? { kind: 'hidden' as const }
            : { kind: 'masked' as const, mask, rawWhen: null };
      return { name, treatment, rules: [], reason: '' };
    }),
    roles: [],
    grants: [],
    rules: [],
  };
}

const CUSTOMERS = {
  customer_id: 'BIGINT',
  name: 'VARCHAR',
  email: 'VARCHAR',
  phone: 'VARCHAR',
  ssn: 'VARCHAR',
  birth_date: 'DATE',
  region: 'VARCHAR',
  balance: 'DECIMAL(12,2)',
};
const ORDERS = {
  order_id: 'BIGINT',
  customer_id: 'BIGINT',
  order_date: 'DATE',
  amount: 'DECIMAL(10,2)',
  region: 'VARCHAR',
  card_number: 'VARCHAR',
  status: 'VARCHAR',
};
const REGIONS = "['EU','US','APAC']";

const CUSTOMER_ROWS = `
  SELECT i AS customer_id, ['Anna','Ben','Chloe'][1 + i % 3] || ' ' || ['Abel','Baker'][1 + i % 2] AS name,
    lower(['Anna','Ben','Chloe'][1 + i % 3]) || i || '@' || ['example.com','example.org'][1 + i % 2] AS email,
    '+49 555 ' || lpad(((i * 7919) % 10000000)::VARCHAR, 7, '0') AS phone,
    printf('%03d-%02d-%04d', 100 + i, 10 + i % 80, i) AS ssn, DATE '1950-03-04' + (i * 37 % 20000)::INTEGER AS birth_date,
    ${REGIONS}[1 + i % 3] AS region, (i * 13 % 5000 - 700)::DECIMAL(12,2) + 0.77 AS balance
  FROM range(1, 601) t(i)`;

const ORDER_ROWS = `
  SELECT i AS order_id, 1 + i * 7 % 600 AS customer_id, DATE '2021-01-01' + (i % 900)::INTEGER AS order_date,
    ((i * 31 % 40000) / 100.0 + 1)::DECIMAL(10,2) AS amount, ${REGIONS}[1 + (1 + i * 7 % 600) % 3] AS region,
    printf('4%015d', i * 7 % 600 * 7777777) AS card_number, ['open','paid','shipped','returned'][1 + i % 4] AS status
  FROM range(1, 9001) t(i)`;

export interface DemoFiles {
  readonly customersFile: string;
  readonly ordersDir: string;
  readonly dataDir: string;
}

/** Writes customers.parquet and orders/region=…/; `where` leaves rows out, as if they had never been there. */
export async function writeDemo(demo: Demo, folder: string, where: string = 'true'): Promise<DemoFiles> {
  const dataDir = join(demo.directory, folder);
  const customersFile = join(dataDir, 'customers.parquet');
  const ordersDir = join(dataDir, 'orders');
  await demo.connection.run(`COPY (SELECT 1 AS made) TO '${demo.directory}/made.parquet'`);
  const { mkdirSync } = await import('node:fs');
  mkdirSync(dataDir, { recursive: true });
  await demo.connection.run(
    `COPY (SELECT * FROM (${CUSTOMER_ROWS}) WHERE ${where}) TO '${customersFile}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`,
  );
  await demo.connection.run(
    `COPY (SELECT * FROM (${ORDER_ROWS}) WHERE ${where}) TO '${ordersDir}' (FORMAT parquet, PARTITION_BY (region), WRITE_PARTITION_COLUMNS true, ROW_GROUP_SIZE 2048)`,
  );
  return { customersFile, ordersDir, dataDir };
}

const LAST_4: Mask = { kind: 'last', count: 4 };
const CUSTOMER_ORDERS = `SELECT o.order_id, o.order_date, o.amount, o.status, c.customer_id, c.name, c.email, c.region
  FROM demo.orders o JOIN demo.customers c ON c.customer_id = o.customer_id`;

/** What the quickstart lets analyst_eu see. */
export async function analystEntries(demo: Demo, files: DemoFiles): Promise<readonly PlanEntry[]> {
  const region = await demo.predicate("region IN ('EU')");
  const customers = parquet('customers', files.customersFile, CUSTOMERS);
  const orders = parquet('orders', files.ordersDir, ORDERS, true);
  const view: Dataset = {
    ...parquet('customer_orders', '', {
      order_id: 'BIGINT',
      order_date: 'DATE',
      amount: 'DECIMAL(10,2)',
      status: 'VARCHAR',
      customer_id: 'BIGINT',
      name: 'VARCHAR',
      email: 'VARCHAR',
      region: 'VARCHAR',
    }),
    source: { kind: 'view', sql: CUSTOMER_ORDERS },
  };
  const bases = await demo.gate(CUSTOMER_ORDERS, [customers, orders]);
  const masks: Readonly<Record<string, Mask | 'hide'>> = {
    email: { kind: 'email' },
    phone: LAST_4,
    ssn: { kind: 'token' },
    birth_date: { kind: 'date', unit: 'year' },
    balance: 'hide',
    card_number: LAST_4,
  };
  return [
    { dataset: customers, decision: allow(customers, region, masks), barrier: false },
    { dataset: orders, decision: allow(orders, region, masks), barrier: false },
    { dataset: customers, decision: allow(customers, region, masks), barrier: false, base: true },
    { dataset: orders, decision: allow(orders, region, masks), barrier: false, base: true },
    { dataset: view, decision: allow(view, null), barrier: false, viewSql: (catalog) => qualifyView(CUSTOMER_ORDERS, bases, catalog) },
  ];
}
