import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Analyzer, createAnalyzer } from '#src/engine/index.js';
import type { Dataset, Principal, RowFilterRule, Snapshot } from '#src/model.js';
import { consistentFunctions, createPlanner, type Planner } from '#src/planner/index.js';
import { compilePolicy, type Policy } from '#src/policy/index.js';
import { DEFAULT_SQL_LIMITS, functionAllowList, toPredicate } from '#src/sql/index.js';
import { createSealer, decodeTicket } from '#src/wire/index.js';
import { DATASETS, OPTIONS, SNAPSHOT } from './fixture.ts';

const boss: Principal = { subject: 'boss', groups: [], attributes: {} };
const sealer = createSealer([{ id: '1', key: new Uint8Array(32).fill(1) }]);

let analyzer: Analyzer;
let planner: Planner;
let policy: Policy;

const view = (name: string, sql: string): Dataset => ({
  ...(DATASETS[0] as Dataset),
  id: `d-${name}`,
  name,
  columns: [{ name: 'x', type: 'DATE', tags: [] }],
  source: { kind: 'view', sql },
});

beforeAll(async () => {
  analyzer = await createAnalyzer();
  const functions = await analyzer.functions();
  policy = await compilePolicy(snapshotOf([]));
  planner = createPlanner({
    analyzer,
    functions: functionAllowList(functions),
    limits: DEFAULT_SQL_LIMITS,
    files: { list: async () => [{ path: '/x.parquet', bytes: 1, version: '1' }] },
    split: { rowFunctions: new Set(), bytesMin: 0 },
    consistentFunctions: consistentFunctions(functions),
    policy: async () => policy,
    sealer,
    cluster: 'local',
    ticketTtlMs: 10_000,
    preparedTtlMs: 10_000,
  });
});

afterAll(() => analyzer[Symbol.asyncDispose]());

function snapshotOf(rowFilters: readonly RowFilterRule[]): Snapshot {
  const table: Dataset = {
    ...(DATASETS[0] as Dataset),
    id: 'd-table',
    name: 'in_a_file',
    source: { kind: 'duckdb', connection: 'db', schema: 'main', table: 't' },
  };
  const views = [view('steady', 'SELECT born AS x FROM demo.people'), view('clocked', 'SELECT current_date AS x FROM demo.people')];
  return { ...SNAPSHOT, datasets: [...SNAPSHOT.datasets, table, ...views], rowFilters, masks: [] };
}

async function isRepeatable(sql: string): Promise<boolean> {
  const { tickets } = await planner.plan({ principal: boss, sql, options: OPTIONS });
  const { task } = decodeTicket(sealer.open('ticket', tickets[0] ?? new Uint8Array()));
  return task.kind === 'query' && task.repeatable === true;
}

test.each([
  ['SELECT * FROM people', true],
  ['SELECT region, count(*), sum(salary) FROM people WHERE id > 3 GROUP BY 1 ORDER BY 2 LIMIT 3', true],
  ['SELECT name, row_number() OVER (ORDER BY id) FROM people', true],
  ['SELECT p.name, s.amount FROM people p JOIN sales s ON s.person = p.id', true],
  ['SELECT x FROM steady', true],
  ['SELECT x FROM clocked', false],
  ['SELECT random() FROM people', false],
  ['SELECT name FROM people WHERE born < current_date', false],
  ['SELECT name FROM people WHERE born < today()', false],
  ['SELECT now()', false],
  ['SELECT uuid() FROM people', false],
  ['SELECT current_localtime() FROM people', false],
  ['SELECT current_localtimestamp() FROM people', false],
  ["SELECT born + to_days(date_part('day', current_localtimestamp())) FROM people", false],
  ['SELECT age(born::TIMESTAMP) FROM people', false],
  ['SELECT current_user FROM people', false],
  ['SELECT user, name FROM people', false],
  ['SELECT current_database() FROM people', false],
  ['SELECT name FROM people USING SAMPLE 3 ROWS', false],
  ['SELECT name FROM people TABLESAMPLE 10%', false],
  ['SELECT (SELECT name FROM people WHERE random() > 0.5 LIMIT 1) FROM sales', false],
  ['SELECT name FROM in_a_file', false],
  ['SELECT table_name FROM information_schema.tables', false],
])('%s: %s', async (sql, expected) => {
  policy = await compilePolicy(snapshotOf([]));
  expect(await isRepeatable(sql)).toBe(expected);
});

test('what a row filter says of today ends with the day', async () => {
  for (const [condition, expected] of [
    ['born < current_date', false],
    ["NOT (region = 'EU' AND born IN (current_date, DATE '2020-01-01'))", false],
    ["region = 'EU' OR born < DATE '2020-01-01'", true],
  ] as const) {
    const filter = toPredicate(await analyzer.parse(`SELECT 1 WHERE (${condition})`));
    policy = await compilePolicy(snapshotOf([{ id: 'f', datasets: ['demo.people'], restrictive: false, filter }]));
    expect(await isRepeatable('SELECT name FROM people')).toBe(expected);
  }
});
