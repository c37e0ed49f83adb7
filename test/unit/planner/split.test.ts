/** Shares of a scan against the scan as a whole (invariant I9), over real files. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Analyzer, createAnalyzer, type Engine, runTrustedScript } from '#src/engine/index.js';
import type { StoredFile } from '#src/files.js';
import { type Dataset, PLAIN_FORM, type Principal, type QueryTask, type Snapshot } from '#src/model.js';
import { createListing, createPlanner, type Planner, rowFunctions } from '#src/planner/index.js';
import { balanced } from '#src/planner/split.js';
import { compilePolicy, type Policy } from '#src/policy/index.js';
import { DEFAULT_SQL_LIMITS, expandScans, functionAllowList } from '#src/sql/index.js';
import { createStorage } from '#src/storage/index.js';
import { createSealer, decodeTicket } from '#src/wire/index.js';
import { SEED } from '../../support/seed.ts';
import { collect } from '../engine/arrow-values.ts';
import { never, startEngine, temporaryDirectory } from '../engine/fixtures.ts';
import { OPTIONS, SNAPSHOT } from './fixture.ts';

const directory = temporaryDirectory();
const storage = createStorage({ openSecret: (sealed) => sealed, glob: (_, pattern, max) => engine.files(pattern, max) });
const sealer = createSealer([{ id: '1', key: new Uint8Array(32).fill(1) }]);
const reader: Principal = { subject: 'reader', groups: [], attributes: { region: ['EU', 'US'] } };
const boss: Principal = { subject: 'boss', groups: [], attributes: {} };

/** Files of several sizes; the second has narrower types, and alone its partition values look like numbers. */
const FILES: readonly (readonly [name: string, rows: number, type: string])[] = [
  ['k=01/a.parquet', 700, 'BIGINT'],
  ['k=01/B.parquet', 3, 'INTEGER'],
  ['k=2/c.parquet', 1, 'SMALLINT'],
  ['k=2/empty.parquet', 0, 'BIGINT'],
  ['k=__HIVE_DEFAULT_PARTITION__/d.parquet', 40, 'BIGINT'],
  ['k=x y/e.parquet', 2500, 'BIGINT'],
  ["k=x y/q'f.parquet", 20, 'BIGINT'],
  ['k=é/g.parquet', 300, 'INTEGER'],
];

let analyzer: Analyzer;
let engine: Engine;
let planner: Planner;
let policy: Policy;
let listed = 0;

beforeAll(async () => {
  const statements = FILES.map(([name, rows, type], index) => {
    const path = join(directory, 'sales', name);
    mkdirSync(dirname(path), { recursive: true });
    return `COPY (SELECT (${index} * 10000 + i)::${type === 'SMALLINT' ? 'INTEGER' : type} AS id, 'name ' || i % 17 AS name, (['EU', 'US', 'APAC'])[1 + i % 3] AS region,
      i * 1.25::DECIMAL(9,2) AS amount, DATE '2020-01-01' + (i % 400)::INTEGER AS day, CASE WHEN i % 5 = 0 THEN NULL ELSE i % 7 END::TINYINT AS mark FROM range(${rows}) t(i))
      TO '${path.replaceAll("'", "''")}' (FORMAT parquet)`;
  });
  await runTrustedScript(statements);
  analyzer = await createAnalyzer();
  engine = await startEngine({ connections: [{ kind: 'local', name: 'lake', directory }] });
  policy = await compilePolicy(await snapshotOf());
  const functions = await analyzer.functions();
  planner = createPlanner({
    analyzer,
    functions: functionAllowList(functions),
    limits: DEFAULT_SQL_LIMITS,
    files: {
      list: createListing({
        list: (connections, pattern, max) => {
          listed++;
          return storage.list(connections, pattern, { max });
        },
      }),
    },
    split: { rowFunctions: rowFunctions(functions), bytesMin: 1000 },
    policy: async () => policy,
    sealer,
    cluster: 'local',
    ticketTtlMs: 10_000,
    preparedTtlMs: 10_000,
  });
});

afterAll(async () => {
  await analyzer[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

beforeEach(() => {
  listed = 0;
});

async function snapshotOf(): Promise<Snapshot> {
  const pattern = join(directory, 'sales/**/*.parquet');
  const columns = (await engine.columns(`read_parquet('${pattern}', hive_partitioning = true)`)).map((column) => ({ ...column, tags: [] }));
  const sales: Dataset = {
    id: 'd-sales',
    schema: 'demo',
    name: 'sales',
    tags: [],
    columns,
    source: { kind: 'parquet', connection: 'lake', path: join(directory, 'sales'), hivePartitioning: true },
  };
  const one: Dataset = {
    ...sales,
    id: 'd-one',
    name: 'one',
    source: { kind: 'parquet', connection: 'lake', path: join(directory, 'sales/k=01/a.parquet'), hivePartitioning: true },
  };
  const over: Dataset = { ...sales, id: 'd-over', name: 'over', source: { kind: 'view', sql: 'SELECT * FROM demo.sales' } };
  return {
    ...SNAPSHOT,
    connections: [{ kind: 'local', name: 'lake', directory }],
    datasets: [sales, one, over],
    memberships: [
      ['user:reader', 'reader'],
      ['user:boss', 'boss'],
    ],
    grants: [
      { id: 'r1', role: 'reader', object: 'demo.*', action: 'select', effect: 'allow' },
      { id: 'b1', role: 'boss', object: 'demo.*', action: 'select', effect: 'allow' },
    ],
    rowFilters: [
      {
        id: 'own-region',
        roles: ['reader'],
        datasets: ['demo.sales'],
        restrictive: false,
        filter: { kind: 'in', value: { kind: 'column', name: 'region' }, list: [{ kind: 'attribute', name: 'region' }] },
      },
    ],
    masks: [
      { id: 'm1', roles: ['reader'], columns: ['name'], treatment: { kind: 'first', count: 2 } },
      { id: 'm2', roles: ['reader'], columns: ['mark'], treatment: { kind: 'hide' } },
    ],
  };
}

async function tasksOf(sql: string, endpointsMax: number, principal = boss): Promise<readonly QueryTask[]> {
  const { tickets, ordered } = await planner.plan({ principal, sql, options: { ...OPTIONS, form: PLAIN_FORM, endpointsMax } });
  expect(ordered).toBe(true);
  return tickets.map((sealed, index) => {
    const { task, taskId } = decodeTicket(sealer.open('ticket', sealed));
    expect(taskId).toBe(index);
    if (task.kind !== 'query') throw new Error('not a query');
    return task;
  });
}

function filesOf({ catalog }: QueryTask): readonly StoredFile[] {
  return (catalog.scans ?? []).flatMap(({ parts }) => parts.flatMap(({ files }) => files));
}

async function rowsOf(tasks: readonly QueryTask[]): Promise<string[]> {
  const rows: string[] = [];
  for (const { catalog, statements, schema } of tasks) {
    const source = await engine.run(expandScans(catalog).catalog, statements[0] ?? '', never());
    const result = await collect(source);
    expect(schema.length).toBeGreaterThan(0);
    rows.push(...result.rows.map((row) => JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))));
  }
  return rows;
}

const EXPRESSIONS = [
  'id',
  'name',
  'region',
  'amount',
  'day',
  'k',
  'id + 1 AS next',
  'upper(name) AS u',
  'day::VARCHAR AS d',
  'amount * 2',
  "CASE WHEN id % 2 = 0 THEN k ELSE 'odd' END AS c",
  'coalesce(k, region)',
  '*',
];
const CONDITIONS = [
  "k = '01'",
  "k IS NULL OR k = 'x y'",
  'id % 3 = 1',
  "region <> 'US'",
  "name LIKE '%1%'",
  'amount > 100.5',
  "day BETWEEN DATE '2020-02-01' AND DATE '2020-12-31'",
  "k IN ('2', 'é', 'none')",
  'id::VARCHAR = name',
  '1.0 / id > 0.0001',
];

describe('shares', () => {
  it('in their order are the whole, whoever asks and however many', async () => {
    const query = fc.record({
      select: fc.uniqueArray(fc.constantFrom(...EXPRESSIONS), { minLength: 1, maxLength: 4 }),
      where: fc.array(fc.constantFrom(...CONDITIONS), { maxLength: 2 }),
      endpoints: fc.integer({ min: 1, max: 16 }),
      principal: fc.constantFrom(boss, reader),
      table: fc.constantFrom('demo.sales', 'sales', 'lake.demo.sales', 'demo.sales AS s'),
    });
    let split = 0;
    await fc.assert(
      fc.asyncProperty(query, async ({ select, where, endpoints, principal, table }) => {
        const sql = `SELECT ${select.join(', ')} FROM ${table}${where.length > 0 ? ` WHERE (${where.join(') AND (')})` : ''}`;
        const whole = await tasksOf(sql, 1, principal);
        const shares = await tasksOf(sql, endpoints, principal);
        expect(shares.length).toBeLessThanOrEqual(Math.min(endpoints, FILES.length));
        if (shares.length > 1) split++;
        expect(new Set(shares.map(({ schema }) => Buffer.from(schema).toString('hex'))).size).toBe(1);
        expect(await rowsOf(shares)).toEqual(await rowsOf(whole));
      }),
      { seed: SEED, numRuns: 40 },
    );
    expect(split).toBeGreaterThan(20);
  });

  it('name their files, each once, in reading order', async () => {
    const tasks = await tasksOf('SELECT * FROM demo.sales', 3);
    expect(tasks.flatMap(filesOf).map(({ path }) => path)).toEqual(await engine.files(join(directory, 'sales/**/*.parquet'), 100));
    expect(tasks.flatMap(({ catalog }) => catalog.statements).join()).not.toContain('parquet');
    expect(new Set(tasks.map(({ catalog }) => catalog.name)).size).toBe(3);
  });

  it('a partition column keeps the type and the text of the whole', async () => {
    const tasks = await tasksOf('SELECT k, typeof(k) AS t FROM demo.sales WHERE id % 100 = 0', 8);
    const rows = await rowsOf(tasks);
    expect(rows).toContain('["01","VARCHAR"]');
    expect(rows.every((row) => row.endsWith('"VARCHAR"]'))).toBe(true);
  });
});

describe('one task', () => {
  it.each([
    'SELECT count(*) FROM sales',
    'SELECT DISTINCT k FROM sales',
    'SELECT k FROM sales GROUP BY k',
    'SELECT id FROM sales ORDER BY id',
    'SELECT id FROM sales LIMIT 3',
    'SELECT id FROM sales OFFSET 3',
    'SELECT row_number() OVER () FROM sales',
    'SELECT id FROM sales QUALIFY row_number() OVER () = 1',
    'SELECT id FROM sales USING SAMPLE 10%',
    'SELECT id FROM sales TABLESAMPLE 10%',
    'SELECT id FROM sales UNION ALL SELECT id FROM sales',
    'SELECT a.id FROM sales a JOIN sales b USING (id)',
    'SELECT id FROM sales, range(2)',
    'SELECT id FROM (SELECT id FROM sales)',
    'SELECT (SELECT max(id) FROM sales) FROM sales',
    'SELECT id FROM sales WHERE id IN (SELECT id FROM sales)',
    'WITH s AS (SELECT id FROM sales) SELECT id FROM s',
    'WITH s AS (SELECT 1) SELECT id FROM sales',
    'SELECT unnest([id, 1]) FROM sales',
    'SELECT random() FROM sales',
    'SELECT uuid() FROM sales',
    'SELECT id FROM sales WHERE now() > day',
    'SELECT current_date FROM sales',
    'SELECT age(day::TIMESTAMP) FROM sales',
    'SELECT current_user FROM sales',
    'SELECT user FROM sales',
    'SELECT id AS i, i + 1 FROM sales',
    'SELECT list_transform([id], x -> x + 1) FROM sales',
    'SELECT first(id) FROM sales',
    'SELECT id FROM one',
    'SELECT id FROM over',
    'SELECT 1',
    'FROM sales SELECT sum(id) HAVING sum(id) > 0',
    'DESCRIBE SELECT id FROM sales',
    'SUMMARIZE SELECT id FROM sales',
    'PIVOT sales ON region IN (EU) USING sum(id)',
    'VALUES (1)',
    'SELECT table_name FROM information_schema.tables',
  ])('%s', async (sql) => {
    const tasks = await tasksOf(sql, 16).catch((error: { code?: string }) => {
      expect(error.code).toMatch(/^sql\./);
      return [null];
    });
    expect(tasks).toHaveLength(1);
  });

  it('files are listed once for a plan, and not for a schema', async () => {
    await planner.schemaOf({ principal: boss, sql: 'SELECT id FROM sales', options: OPTIONS });
    await planner.prepare({ principal: boss, sql: 'SELECT id FROM sales', options: OPTIONS });
    expect(listed).toBe(0);
    await tasksOf('SELECT id FROM sales', 4);
    expect(listed).toBe(1);
  });

  it('what can not be listed is not planned', async () => {
    const kept = policy;
    const path = '/nowhere/x/*.parquet';
    const datasets = policy.snapshot.datasets.map((dataset) => ({ ...dataset, source: { ...dataset.source, path } as Dataset['source'] }));
    policy = await compilePolicy({ ...policy.snapshot, datasets });
    await expect(tasksOf('SELECT id FROM sales', 4)).rejects.toMatchObject({ code: 'storage.unavailable' });
    policy = kept;
  });

  it('a name that is a pattern is read as a name', async () => {
    const odd = join(directory, 'sales/k=2/[z].parquet');
    await runTrustedScript([`COPY (SELECT * FROM read_parquet('${join(directory, 'sales/k=2/c.parquet')}')) TO '${odd}' (FORMAT parquet)`]);
    const twice = await rowsOf(await tasksOf("SELECT id FROM sales WHERE k = '2'", 4));
    (await import('node:fs')).rmSync(odd);
    expect(twice).toEqual([...twice.slice(0, 1), ...twice.slice(0, 1)]);
    expect(await rowsOf(await tasksOf("SELECT id FROM sales WHERE k = '2'", 4))).toEqual(twice.slice(0, 1));
  });
});

it('EXPLAIN POLICY tells the placement and why', async () => {
  const placementOf = async (sql: string, endpointsMax: number): Promise<unknown> => {
    const { tickets } = await planner.plan({ principal: boss, sql: `EXPLAIN POLICY ${sql}`, options: { ...OPTIONS, endpointsMax } });
    const { task } = decodeTicket(sealer.open('ticket', tickets[0] ?? new Uint8Array()));
    if (task.kind !== 'inline') throw new Error('not inline');
    const { tableFromIPC } = await import('apache-arrow');
    const [row] = tableFromIPC(task.ipc).toArray();
    return [row?.['placement'], row?.['placement_reason']];
  };
  expect(await placementOf('SELECT id FROM sales', 4)).toEqual(['worker, in 4 shares', expect.stringContaining('4 endpoints')]);
  expect(await placementOf('SELECT id FROM sales', 1)).toEqual([
    'worker',
    expect.stringMatching(/^one endpoint: the client reads one endpoint; reads 8 of 8 files, \d+ of \d+ bytes$/),
  ]);
  expect(await placementOf("SELECT id FROM sales WHERE k = '01'", 1)).toEqual([
    'worker',
    expect.stringMatching(/reads 2 of 8 files, .*: its conditions rule the others out$/),
  ]);
  expect(await placementOf('SELECT count(*) FROM sales', 4)).toEqual([
    'worker',
    expect.stringContaining('more than a filter and a projection'),
  ]);
});

it('a file that changed between plan and read is another version', async () => {
  const path = join(directory, 'sales/k=01/B.parquet');
  const [task] = await tasksOf('SELECT id FROM sales', 2);
  const files = task === undefined ? [] : filesOf(task);
  expect(files.map((file) => file.path)).toContain(path);
  await storage.verify([], files);
  writeFileSync(path, (await import('node:fs')).readFileSync(path));
  await expect(storage.verify([], files)).rejects.toMatchObject({ code: 'storage.unavailable' });
});

describe('balanced', () => {
  const file = (bytes: number): StoredFile => ({ path: '', bytes, version: '' });

  it('keeps every file in its place, with none left over and none empty', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 16 }), (sizes, wanted) => {
        const files = sizes.map(file);
        const count = Math.min(wanted, files.length);
        const shares = balanced(files, count);
        expect(shares.flat()).toEqual(files);
        expect(shares).toHaveLength(count);
        expect(shares.every((share) => share.length > 0)).toBe(true);
      }),
      { seed: SEED },
    );
  });

  it('shares out bytes, not files', () => {
    const sizes = [100, 1, 1, 1, 1, 96, 50, 50];
    expect(balanced(sizes.map(file), 3).map((share) => share.map(({ bytes }) => bytes))).toEqual([[100], [1, 1, 1, 1, 96], [50, 50]]);
  });
});
