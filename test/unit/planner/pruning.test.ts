/** Files that a plan leaves unread have no row of the answer, whatever the policy and the statement say. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Analyzer, createAnalyzer, type Engine, runTrustedScript } from '#src/engine/index.js';
import type { FileIndex, IndexedFile, ScanPart } from '#src/files.js';
import type { Column, Dataset, MaskRule, PlanCatalog, Principal, QueryTask, RowFilterRule, Snapshot } from '#src/model.js';
import { indexedSet, partsOf } from '#src/planner/file-set.js';
import { createListing, createPlanner, type Planner, rowFunctions } from '#src/planner/index.js';
import { compilePolicy, type Policy } from '#src/policy/index.js';
import { DEFAULT_SQL_LIMITS, expandScans, filterCondition, functionAllowList, toPredicate } from '#src/sql/index.js';
import { createStorage } from '#src/storage/index.js';
import { createSealer, decodeTicket } from '#src/wire/index.js';
import { SEED } from '../../support/seed.ts';
import { collect } from '../engine/arrow-values.ts';
import { never, startEngine, temporaryDirectory } from '../engine/fixtures.ts';
import { OPTIONS, SNAPSHOT } from './fixture.ts';

const directory = temporaryDirectory();
const sealer = createSealer([{ id: '1', key: new Uint8Array(32).fill(1) }]);
const storage = createStorage({ openSecret: (sealed) => sealed, glob: (_, pattern, max) => engine.files(pattern, max) });
const reader: Principal = { subject: 'reader', groups: [], attributes: {} };

/** Partition values that look like numbers, NULLs, escapes and wildcards. */
const REGIONS = ['EU', 'US', '01', 'a b', 'é', '%41', 'null', '__HIVE_DEFAULT_PARTITION__', "q'x"];
const DAYS = ['2024-01-31', '2024-02-01', '2024-03-15'];
const TYPES: Readonly<Record<string, string>> = {
  n: 'BIGINT',
  t: 'VARCHAR',
  m: 'DECIMAL(9,2)',
  ts: 'TIMESTAMP',
  f: 'DOUBLE',
  b: 'BOOLEAN',
  late: 'INTEGER',
  region: 'VARCHAR',
  day: 'DATE',
};
const COLUMNS: readonly Column[] = Object.entries(TYPES).map(([name, type]) => ({ name, type, tags: [] }));
const DATASET: Dataset = {
  id: 'd-sales',
  schema: 'demo',
  name: 'sales',
  tags: [],
  columns: COLUMNS,
  source: { kind: 'parquet', connection: 'lake', path: join(directory, 'sales/**/*.parquet'), hivePartitioning: true },
};

let analyzer: Analyzer;
let engine: Engine;
let planner: Planner;
let policy: Policy;
let index: FileIndex;
let indexed = true;
let plainParts: readonly ScanPart[];

beforeAll(async () => {
  let file = 0;
  const statements: string[] = [];
  for (const region of REGIONS) {
    for (const day of DAYS) {
      const path = join(directory, `sales/region=${region}/day=${day}/f${file}.parquet`);
      const plain = path.replace('/sales/', '/plain/');
      for (const each of [path, plain]) mkdirSync(dirname(each), { recursive: true });
      const late = `, CASE WHEN i % 4 = 0 THEN NULL ELSE ${file} + i % 3 END::INTEGER AS late`;
      const copy = (to: string, type: string, more: string): string =>
        `COPY (SELECT (${file} * 100 + i // 40)::${type} AS n, CASE WHEN ${file} % 5 = 0 THEN NULL ELSE chr(97 + ${file} % 26) || (i % 7) END AS t,
          (${file} + i * 0.01)::DECIMAL(9,2) AS m, TIMESTAMP '2024-01-01' + INTERVAL (${file}) HOUR + INTERVAL (i) SECOND AS ts,
          CASE WHEN i % 50 = 0 THEN 'nan'::DOUBLE ELSE ${file} * 1.5 END AS f, ${file} % 2 = 0 AS b${more}
          FROM range(${file % 4 === 0 ? 5000 : 60}) r(i)) TO '${to.replaceAll("'", "''")}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`;
      // Columns come and widen over time, which an index knows of.
      statements.push(copy(path, file % 3 === 0 ? 'INTEGER' : 'BIGINT', file % 2 === 0 ? late : ''), copy(plain, 'BIGINT', late));
      file++;
    }
  }
  await runTrustedScript(statements);
  analyzer = await createAnalyzer();
  engine = await startEngine({ connections: [{ kind: 'local', name: 'lake', directory }] });
  index = await makeIndex();
  plainParts = [{ files: await storage.list([], join(directory, 'plain/**/*.parquet'), { max: 1000 }), missing: [] }];
  policy = await compilePolicy(snapshotOf(null, []));
  const functions = await analyzer.functions();
  planner = createPlanner({
    analyzer,
    functions: functionAllowList(functions),
    limits: DEFAULT_SQL_LIMITS,
    files: {
      indexOf: async () => (indexed ? index : null),
      list: createListing({ list: (connections, pattern, max) => storage.list(connections, pattern, { max }) }),
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

/** As `sluice dataset register` makes it, of footers. */
async function makeIndex(): Promise<FileIndex> {
  const files = await storage.list([], join(directory, 'sales/**/*.parquet'), { max: 1000 });
  const facts = await engine.fileStatistics(files.map(({ path }) => path));
  const variants: (readonly { name: string; type: string }[])[] = [];
  const rangeColumns = ['n', 't', 'm', 'ts', 'b', 'late'];
  const listed = files.map((file, at): IndexedFile => {
    const { columns = [], rowGroups = [] } = facts[at] ?? {};
    const known = variants.findIndex((variant) => JSON.stringify(variant) === JSON.stringify(columns));
    const variant = known < 0 ? variants.push(columns) - 1 : known;
    const [, region = '', day = ''] = /region=([^/]*)\/day=([^/]*)/.exec(file.path) ?? [];
    const value = region === '__HIVE_DEFAULT_PARTITION__' || region === 'null' ? null : region === '%41' ? 'A' : region;
    const places = rangeColumns.map((name) => columns.findIndex((column) => column.name === name));
    const groups = rowGroups.map(({ rows, bytes, ranges }) => ({ rows, bytes, ranges: places.map((place) => ranges[place] ?? null) }));
    return { ...file, variant, partition: [value, day], rowGroups: groups };
  });
  return {
    dataset: 'd-sales',
    version: '1',
    source: '',
    indexedAtMs: 0,
    partitionColumns: ['region', 'day'],
    rangeColumns,
    variants,
    files: listed,
  } as FileIndex;
}

function snapshotOf(filter: RowFilterRule | null, masks: readonly MaskRule[]): Snapshot {
  const over: Dataset = { ...DATASET, id: 'd-over', name: 'over', source: { kind: 'view', sql: 'SELECT * FROM demo.sales' } };
  return {
    ...SNAPSHOT,
    connections: [{ kind: 'local', name: 'lake', directory }],
    datasets: [
      indexed ? DATASET : { ...DATASET, source: { ...DATASET.source, path: join(directory, 'plain/**/*.parquet') } as Dataset['source'] },
      over,
    ],
    memberships: [['user:reader', 'reader']],
    grants: [{ id: 'r1', role: 'reader', object: 'demo.*', action: 'select', effect: 'allow' }],
    rowFilters: filter === null ? [] : [filter],
    masks,
  };
}

async function underPolicy(filter: string | null, masked: readonly string[] = []): Promise<void> {
  const rule =
    filter === null
      ? null
      : { id: 'f', datasets: ['demo.sales'], restrictive: false, filter: toPredicate(await analyzer.parse(`SELECT 1 WHERE (${filter})`)) };
  const masks = masked.map((column): MaskRule => ({ id: `m-${column}`, columns: [column], treatment: { kind: 'null' } }));
  policy = await compilePolicy(snapshotOf(rule, masks));
}

async function tasksOf(sql: string, endpointsMax = 1): Promise<readonly QueryTask[]> {
  const { tickets } = await planner.plan({ principal: reader, sql, options: { ...OPTIONS, endpointsMax } });
  return tickets.map((sealed) => {
    const { task } = decodeTicket(sealer.open('ticket', sealed));
    if (task.kind !== 'query') throw new Error('not a query');
    return task;
  });
}

let names = 0;

/** Catalogs of one name are one to the engine. */
function renamed(
  catalog: PlanCatalog,
  statements: readonly string[],
): { readonly catalog: PlanCatalog; readonly statements: readonly string[] } {
  const name = `p_t${++names}`;
  return JSON.parse(JSON.stringify({ catalog, statements }).replaceAll(catalog.name, name)) as {
    catalog: PlanCatalog;
    statements: string[];
  };
}

async function rowsOf(tasks: readonly QueryTask[], everything = false): Promise<readonly string[]> {
  const all = indexed ? partsOf(indexedSet(index, DATASET), [...index.files.keys()]) : plainParts;
  const rows: string[] = [];
  for (const task of tasks) {
    const scans = task.catalog.scans?.map((scan) => (everything ? { ...scan, parts: all } : scan)) ?? [];
    const { catalog, statements } = renamed({ ...task.catalog, scans }, task.statements);
    const result = await collect(await engine.run(expandScans(catalog).catalog, statements[0] ?? '', never()));
    rows.push(...result.rows.map((row) => JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))));
  }
  return rows.sort();
}

/** Each once: several tasks may read rows of the same file. */
const filesRead = (tasks: readonly QueryTask[]): number =>
  new Set(
    tasks.flatMap(({ catalog }) =>
      (catalog.scans ?? []).flatMap(({ parts }) => parts.flatMap(({ files }) => files.map(({ path }) => path))),
    ),
  ).size;

const LEAVES = [
  "region = 'EU'",
  "region = '01'",
  "region = 'A'",
  "region <> 'US'",
  'region IS NULL',
  "region >= 'a' AND region < 'b'",
  "region IN ('é', 'q''x', 'none')",
  "region LIKE 'a%'",
  "region LIKE 'E_'",
  "day = DATE '2024-02-01'",
  "day > DATE '2024-01-31'",
  'n = 701',
  'n BETWEEN 350 AND 420',
  'n < 5.5',
  'n >= 2500',
  'n <> 100',
  "t = 'c3'",
  "t LIKE 'k%'",
  't IS NULL',
  "t IN ('b1', 'z9')",
  'm = 3.07',
  'm < 2',
  'm > 24.5',
  "ts >= TIMESTAMP '2024-01-01 20:00:00'",
  "ts < DATE '2024-01-02'",
  'f > 30',
  'f = 0',
  'b = true',
  'late = 4',
  'late IS NULL',
  'late IS NOT NULL',
  'late > 20',
];
/** Only the statement may say these. */
const MORE = [
  "day >= '2024-02-01'",
  "day BETWEEN '2024-02-01' AND DATE '2024-02-02'",
  'n IN (1, 2, 2600)',
  "n::VARCHAR = '1'",
  'n + 1 = 702',
  '700 <= n',
  "sales.region = 'EU'",
  "region || '' = 'EU'",
  "t COLLATE nocase = 'C3'",
  "lower(t) = 'c3'",
  'n = 1e2',
  'n IN (100, 200.5)',
  "region IN ('EU', NULL)",
  'n = (SELECT 701)',
  'region = t',
  'n > CAST(2500 AS SMALLINT)',
];

const condition = (leaves: readonly string[]): fc.Arbitrary<string> => {
  const leaf = fc.constantFrom(...leaves);
  const tree = fc.letrec<{ tree: string }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      fc.tuple(tie('tree'), fc.constantFrom('AND', 'OR'), tie('tree')).map(([a, op, b]) => `(${a} ${op} ${b})`),
      tie('tree').map((inner) => `NOT (${inner})`),
    ),
  }));
  return tree.tree;
};

const SHAPES: readonly ((where: string) => string)[] = [
  (where) => `SELECT * FROM sales WHERE ${where}`,
  (where) => `SELECT region, count(*), min(n), sum(m) FROM demo.sales WHERE ${where} GROUP BY region`,
  (where) => `SELECT count(*), max(late) FROM lake.demo.sales AS sales WHERE ${where}`,
  (where) => `SELECT n, t FROM sales WHERE ${where} ORDER BY ALL LIMIT 5`,
  (where) => `SELECT count(*) FROM (SELECT * FROM sales WHERE ${where}) WHERE n > 3`,
  (where) => `WITH w AS (SELECT * FROM sales WHERE ${where}) SELECT count(*) FROM w, range(2)`,
  (where) => `SELECT (SELECT count(*) FROM sales WHERE ${where}) AS c`,
  (where) => `SELECT count(*), count(a.n) FROM sales a RIGHT JOIN (SELECT n FROM sales WHERE ${where}) b ON a.n = b.n`,
  (where) => `SELECT count(*) FROM sales WHERE ${where} UNION ALL SELECT count(*) FROM sales`,
  (where) => `SELECT count(*) FILTER (WHERE ${where}), count(*) FROM sales`,
  (where) => `SELECT count(*) FROM over AS sales WHERE ${where}`,
  (where) => `SELECT n + 1 AS n, 'x' AS late FROM sales WHERE ${where}`,
];

describe('a plan', () => {
  it('reads every file that has a row of the answer', async () => {
    const query = fc.record({
      filter: fc.option(condition(LEAVES), { nil: null }),
      where: condition([...LEAVES, ...MORE]),
      shape: fc.constantFrom(...SHAPES),
      masked: fc.uniqueArray(fc.constantFrom('n', 't', 'region', 'late'), { maxLength: 1 }),
      endpoints: fc.constantFrom(1, 1, 3, 16),
      withIndex: fc.boolean(),
    });
    let spared = 0;
    await fc.assert(
      fc.asyncProperty(query, async ({ filter, where, shape, masked, endpoints, withIndex }) => {
        indexed = withIndex;
        await underPolicy(filter, masked);
        const tasks = await tasksOf(shape(where), endpoints);
        const [whole] = await tasksOf(shape(where), 1);
        if (whole === undefined) throw new Error('no task');
        if (filesRead(tasks) < index.files.length) spared++;
        expect(await rowsOf(tasks)).toEqual(await rowsOf([whole], true));
      }),
      { seed: SEED, numRuns: 60 },
    );
    expect(spared).toBeGreaterThan(15);
  });

  it.each([
    ["SELECT * FROM sales WHERE region = 'EU'", 3],
    ["SELECT count(*) FROM sales WHERE region = 'EU' AND day = '2024-02-01' AND n > 0 GROUP BY t ORDER BY 1 LIMIT 3", 1],
    ["SELECT * FROM sales WHERE day IN ('2024-01-31', '2024-03-15')", 18],
    ['SELECT * FROM sales WHERE n = 701', 1],
    ['SELECT * FROM sales WHERE n > 100000', 0],
    ["SELECT * FROM sales WHERE t LIKE 'h%'", 1],
    ["SELECT * FROM sales s WHERE s.region = 'EU' OR s.region = 'US'", 6],
    ['SELECT * FROM sales WHERE late = 8', 2],
    ['SELECT * FROM sales WHERE f = 0', 27],
    ["SELECT * FROM sales WHERE lower(region) = 'eu'", 27],
    ["SELECT * FROM sales TABLESAMPLE 50% WHERE region = 'EU'", 27],
    ["SELECT a.n FROM sales a, sales b WHERE a.region = 'EU' AND b.region = 'US'", 27],
    ["SELECT c FROM sales AS s(a, c) WHERE region = 'EU'", 27],
    ["SELECT n AS region FROM sales WHERE region = 'EU'", 3],
  ])('%s reads %i files', async (sql, files) => {
    indexed = true;
    await underPolicy(null);
    expect(filesRead(await tasksOf(sql))).toBe(files);
  });

  it('prunes nothing by a column that is masked', async () => {
    indexed = true;
    await underPolicy(null, ['region']);
    expect(filesRead(await tasksOf("SELECT * FROM sales WHERE region = 'EU'"))).toBe(27);
    expect(filesRead(await tasksOf("SELECT * FROM sales WHERE region = 'EU' AND n = 5"))).toBe(1);
  });

  it('by a row filter leaves hidden partitions out of everything it tells', async () => {
    for (const withIndex of [true, false]) {
      indexed = withIndex;
      await underPolicy("region = 'EU'");
      const tasks = await tasksOf('SELECT * FROM sales', 16);
      expect(filesRead(tasks)).toBe(3);
      expect(tasks.length).toBeLessThanOrEqual(withIndex ? 16 : 3);
      expect(JSON.stringify(tasks.map(({ catalog }) => catalog.scans))).not.toMatch(/region=(?!EU)/);
      // The filter is decided by the partition: the statement may leave out more.
      expect(filesRead(await tasksOf("SELECT * FROM sales WHERE day = '2024-02-01'", 16))).toBe(1);
    }
  });

  it('looks the same whatever a statement asks of columns whose hidden rows it could find so', async () => {
    indexed = true;
    await underPolicy("t = 'c3' OR t = 'k1'");
    const shown = filesRead(await tasksOf('SELECT * FROM sales', 16));
    expect(shown).toBeLessThan(27);
    const sizes = new Set<string>();
    for (const bound of [10_000, 90_000, 500, 99]) {
      const sql = `SELECT * FROM sales WHERE n > ${String(bound).padStart(6, '0')}`;
      const { tickets } = await planner.plan({ principal: reader, sql, options: { ...OPTIONS, endpointsMax: 16 } });
      sizes.add(tickets.length.toString());
      expect(filesRead(await tasksOf(sql, 16))).toBe(shown);
    }
    expect(sizes.size).toBe(1);
  });

  it.each([
    ["late < '3000000000'", 'any'],
    ["NOT late >= '-3000000000'", 'any'],
    ["late < '300000000'", 'compare'],
    ["n < '3000000000'", 'compare'],
    ["n < '9999999999999999999'", 'any'],
    ["m < '1'", 'any'],
  ])('concludes nothing from a text that may be no number of its type: %s', async (text, kind) => {
    expect(filterCondition(toPredicate(await analyzer.parse(`SELECT 1 WHERE (${text})`)), COLUMNS).kind).toBe(kind);
  });

  it('takes an empty list for unknown, also below NOT', () => {
    const none = { kind: 'in', value: { kind: 'column', name: 'n' }, list: [] } as const;
    for (const filter of [none, { kind: 'not', operand: none } as const]) expect(filterCondition(filter, COLUMNS)).toEqual({ kind: 'any' });
  });
});
