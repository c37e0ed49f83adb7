/**
 * The error channel, generated over every scalar function of the pinned DuckDB: calls with arguments that fail only on hidden rows or
 * hidden dictionary values. What the gate calls leakproof runs on the plain view, everything else behind the barrier; neither may fail.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GatedStatement, PlanEntry } from '#src/sql/index.js';
import { allow, Demo, parquet } from './demo.ts';
import { HOSTILE, POLICY_SHAPES, sampleColumns } from './hostile.ts';

const ROWS = 6_144;

let demo: Demo;
let calls: ReadonlyMap<string, readonly string[]>;
let columns: Readonly<Record<string, string>>;
const leakproof = new Map<string, string>();
const barred = new Map<string, string>();

beforeAll(async () => {
  demo = await Demo.open();
  columns = {
    id: 'BIGINT',
    region: 'VARCHAR',
    email: 'VARCHAR',
    ...Object.fromEntries(sampleColumns().map(({ name, type }) => [name, type])),
  };
  await writeSamples('full', 'true');
  await writeSamples('allowed', "region = 'EU'");
  await demo.connection.run(`CREATE TABLE tiny AS SELECT * FROM '${file('allowed')}' LIMIT 1`);
  calls = await callsOfAllFunctions();
  const dataset = parquet('t', file('full'), columns);
  for (const [name, list] of calls) {
    for (const call of list) {
      const gated = await gate(`SELECT ${call} FROM t`, dataset);
      if (gated !== null) (gated.leakproof ? leakproof : barred).set(call, name);
    }
  }
}, 60_000);
afterAll(() => demo.close());

function file(which: string): string {
  return join(demo.directory, `${which}.parquet`);
}

/** Dictionary-encoded, several row groups; the dangerous values stand in rows that the policy hides. */
async function writeSamples(which: string, where: string): Promise<void> {
  const samples = sampleColumns().map(
    ({ name, type, benign, hostile }) => `(CASE WHEN region = 'EU' THEN (${benign})::${type} ELSE (${hostile})::${type} END) AS "${name}"`,
  );
  const base = `SELECT i AS id, ['EU','US','APAC'][i % 3 + 1] AS region, 'u' || (i % 50) AS email FROM range(${ROWS}) t(i)`;
  await demo.connection.run(
    `COPY (SELECT id, region, email, ${samples.join(', ')} FROM (${base}) WHERE ${where}) TO '${file(which)}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`,
  );
}

async function gate(sql: string, dataset: PlanEntry['dataset']): Promise<GatedStatement | null> {
  try {
    return await demo.gate(sql, [dataset]);
  } catch {
    return null;
  }
}

/** For each overload: every argument hostile, then each one alone beside harmless constants. */
async function callsOfAllFunctions(): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await demo.query(
    "SELECT function_name, list_transform(parameter_types, x -> coalesce(x, 'ANY')), varargs FROM duckdb_functions() WHERE function_type IN ('scalar', 'macro') ORDER BY ALL",
  );
  const byName = new Map<string, Set<string>>();
  for (const [functionName, parameters, varargs] of rows) {
    const name = String(functionName);
    if (!demo.functions.has(name.toLowerCase()) || name.endsWith('__postfix')) continue;
    const types = (parameters as readonly string[]).concat(typeof varargs === 'string' ? [varargs, varargs] : []);
    const found = byName.get(name) ?? new Set<string>();
    byName.set(name, found);
    for (const variant of HOSTILE.variants(types)) for (const args of HOSTILE.argumentLists(variant)) found.add(written(name, args));
  }
  const bound = new Map<string, readonly string[]>();
  for (const [name, found] of byName) bound.set(name, await binding([...found]));
  return bound;
}

function written(name: string, args: readonly string[]): string {
  if (/^\w+$/.test(name)) return `"${name}"(${args.join(', ')})`;
  return args.length === 1 ? `(${name} ${args[0]})` : `(${args.join(` ${name} `)})`;
}

/** Those that bind; tried in halves, since most lists bind as a whole or not at all. */
async function binding(list: readonly string[]): Promise<readonly string[]> {
  if (list.length === 0) return [];
  const error = await demo.error(`SELECT ${list.join(', ')} FROM tiny LIMIT 0`);
  if (error === null || !/Binder|Catalog|Parser/.test(error)) return list;
  if (list.length === 1) return [];
  return [...(await binding(list.slice(0, list.length / 2))), ...(await binding(list.slice(list.length / 2)))];
}

/** Ways to use an expression: selected, as a condition, behind a condition, as a sort key, as a join key. */
const USES: readonly ((calls: readonly string[], view: string) => string)[] = [
  (list, view) => `SELECT ${list.map((call) => `count(${call})`).join(', ')} FROM ${view}`,
  (list, view) => `SELECT count(*) FROM ${view} WHERE ${list.map((call) => `hash(${call}) = 1`).join(' OR ')}`,
  (list, view) =>
    `SELECT count(*) FROM ${view} WHERE ${list.map((call) => `hash(CASE WHEN email = 'u1' THEN ${call} END) = 1`).join(' OR ')}`,
];

/** Calls that fail over all data but not over the allowed rows. */
async function leaks(
  list: readonly string[],
  views: { full: string; allowed: string },
  use: (typeof USES)[number],
): Promise<readonly string[]> {
  if (list.length === 0 || (await demo.error(use(list, views.full))) === null) return [];
  if (list.length > 1) {
    const half = Math.ceil(list.length / 2);
    return [...(await leaks(list.slice(0, half), views, use)), ...(await leaks(list.slice(half), views, use))];
  }
  return (await demo.error(use(list, views.allowed))) === null ? [use(list, 'view')] : [];
}

/** The governed views of one policy shape over all data and over the allowed rows. */
async function withViews<T>(shape: string, barrier: boolean, body: (views: { full: string; allowed: string }) => Promise<T>): Promise<T> {
  const entry = async (which: string): Promise<PlanEntry> => {
    const dataset = parquet(which, file(which), columns);
    return { dataset, decision: allow(dataset, await demo.predicate('region IS NOT NULL')), barrier };
  };
  const { buildPlanCatalog } = await import('#src/sql/index.js');
  const catalog = buildPlanCatalog({ defaultSchema: 'demo', data: 'rows', entries: [await entry('full'), await entry('allowed')] });
  await demo.connection.run(`ATTACH ':memory:' AS "${catalog.name}"`);
  // Shapes richer than the filter language stand for filters that stewards' views bring.
  for (const statement of catalog.statements)
    await demo.connection.run(statement.replace('(NOT ("__raw"."region" IS NULL))', `(${shape})`));
  try {
    return await body({ full: `"${catalog.name}".demo."full"`, allowed: `"${catalog.name}".demo.allowed` });
  } finally {
    await demo.connection.run(`DETACH "${catalog.name}"`);
  }
}

const BATCH = 48;
/** Calls tried per function and path; the hostile values of one function are much alike. */
const PER_FUNCTION = { leakproof: 12, barred: 4 };

async function attack(list: readonly string[], shape: string, barrier: boolean): Promise<readonly string[]> {
  return withViews(shape, barrier, async (views) => {
    const found: string[] = [];
    for (const use of USES) for (let i = 0; i < list.length; i += BATCH) found.push(...(await leaks(list.slice(i, i + BATCH), views, use)));
    return found;
  });
}

test('the generator reaches most functions and both paths', () => {
  expect([...calls.values()].filter((list) => list.length > 0).length).toBeGreaterThan(380);
  expect(new Set(leakproof.values()).size).toBeGreaterThan(100);
  expect(new Set(barred.values()).size).toBeGreaterThan(200);
});

test.each(Object.entries(POLICY_SHAPES))(
  'leakproof calls over the plain view, policy %s',
  async (_name, shape) => {
    expect(await attack(sampled(leakproof, PER_FUNCTION.leakproof), shape, false)).toEqual([]);
  },
  30_000,
);

test('the attack finds what it looks for: calls that are not leakproof do leak through the plain view', async () => {
  const found = await attack(sampled(barred, PER_FUNCTION.barred), POLICY_SHAPES['equal'] ?? '', false);
  expect(found.length).toBeGreaterThan(10);
}, 60_000);

test.each(Object.entries(POLICY_SHAPES).slice(0, 2))(
  'all other calls behind the barrier, policy %s',
  async (_name, shape) => {
    expect(await attack(sampled(barred, PER_FUNCTION.barred), shape, true)).toEqual([]);
  },
  60_000,
);

/** At most `most` calls of each function, spread over what was generated. */
function sampled(all: ReadonlyMap<string, string>, most: number): readonly string[] {
  const byName = new Map<string, string[]>();
  for (const [call, name] of all) byName.set(name, [...(byName.get(name) ?? []), call]);
  return [...byName.values()].flatMap((list) => {
    const step = Math.max(1, list.length / most);
    return Array.from({ length: Math.min(most, list.length) }, (_, i) => list[Math.floor(i * step)] ?? '');
  });
}
