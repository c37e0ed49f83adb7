/**
 * The error channel, generated over every scalar function of the pinned DuckDB: calls with arguments that fail only on hidden rows or
 * hidden dictionary values. What the gate calls leakproof runs on the plain view, everything else behind the barrier; neither may fail.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GatedStatement, PlanEntry } from '#src/sql/index.js';
import { Demo, parquet } from './demo.ts';
import { HOSTILE, POLICY_SHAPES, sampleColumns } from './hostile.ts';
import { leaks, USES, withPolicyViews } from './policy-views.ts';

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
  for (const [name, list] of [...calls, ...Object.entries(WITH_CONSTANTS)] as const) {
    for (const call of list) {
      const gated = await gate(`SELECT ${call} FROM t`, dataset);
      if (gated !== null) (gated.leakproof ? leakproof : barred).set(call, name);
    }
  }
});
afterAll(() => demo.close());

function file(which: string): string {
  return join(demo.directory, `${which}.parquet`);
}

/** Calls that the list accepts for their constants only. */
const UNITS = ['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second'];
const PARTS = [...UNITS, 'dow', 'isodow', 'doy', 'epoch', 'decade', 'century'];
const TIMES = ['date_0', 'date_1', 'date_2', 'timestamp_0', 'timestamp_1', 'timestamp_2'];
const PLAIN_TIMES = ['date_3', 'timestamp_3', 'date_1', 'timestamp_1'];
const WITH_CONSTANTS: Readonly<Record<string, readonly string[]>> = {
  'part of a date': PARTS.flatMap((part) => TIMES.map((time) => `date_part('${part}', ${time})`)),
  'crafted part of a date': PARTS.map((part) => `date_part('${part}', CASE WHEN region = 'EU' THEN date_0 ELSE DATE '-infinity' END)`),
  'truncated date': UNITS.flatMap((unit) => PLAIN_TIMES.map((time) => `date_trunc('${unit}', ${time})`)),
  'distance of dates': UNITS.flatMap((unit) => [`date_diff('${unit}', date_3, timestamp_3)`, `date_diff('${unit}', date_1, date_3)`]),
  'shifted date': PLAIN_TIMES.flatMap((time) =>
    ['+', '-'].flatMap((sign) => ['DAY', 'MONTH', 'YEAR'].map((unit) => `(${time} ${sign} INTERVAL 900 ${unit})`)),
  ),
  'days added': ['(date_3 + 300000)', '(date_1 - 300000)', '(date_3 - date_1)', '(timestamp_3 - timestamp_1)', '(date_3 - timestamp_1)'],
  'part of a text': [
    'substring(varchar_0, 2, 3)',
    'substring(varchar_1, -2)',
    'substr(varchar_2, 0, 0)',
    'left(varchar_3, -65536)',
    'right(varchar_5, 65536)',
    'varchar_1[1]',
  ],
  'padded text': ["lpad(varchar_0, 7, '*')", "rpad(varchar_1, 0, '*')", 'repeat(varchar_2, 5)', 'repeat(varchar_3, -5)'],
  'cast where it fails': [
    'bigint_2::INTEGER',
    'varchar_1::INTEGER',
    'varchar_3::DATE',
    'double_0::BIGINT',
    "(CASE WHEN region = 'US' THEN 'x'::INTEGER ELSE 1 END)",
  ],
  'sum that overflows': [
    '(bigint_2 + 1)',
    '(bigint_3 - 1)',
    '(bigint_2 * bigint_2)',
    '(- bigint_3)',
    '(bigint_3 // -1)',
    '(bigint_3 % -1)',
    '(bigint_2 / 0)',
    '(double_3 * 1e300)',
    'abs(bigint_3)',
  ],
};

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

const BATCH = 48;
/** Calls tried per function and path; the hostile values of one function are much alike. */
const PER_FUNCTION = { leakproof: 6, barred: 3 };

/** Conditions one by one: an expression that fails with DuckDB's flag keeps its neighbours in place. */
async function attack(list: readonly string[], shape: string, barrier: boolean): Promise<readonly string[]> {
  const files = { full: file('full'), allowed: file('allowed'), columns };
  return withPolicyViews(demo, files, shape, barrier, async (views) => {
    const found: string[] = [];
    for (const [use, size] of [BATCH, 1, BATCH].entries())
      for (let i = 0; i < list.length; i += size) found.push(...(await leaks(demo, list.slice(i, i + size), views, USES[use])));
    return found;
  });
}

test('the calls with constants are on the list', () => {
  const missing = Object.values(WITH_CONSTANTS)
    .flat()
    .filter((call) => !leakproof.has(call));
  expect(missing).toEqual([]);
});

test('the generator reaches most functions and both paths', () => {
  expect([...calls.values()].filter((list) => list.length > 0).length).toBeGreaterThan(380);
  expect(new Set(leakproof.values()).size).toBeGreaterThan(100);
  expect(new Set(barred.values()).size).toBeGreaterThan(200);
});

test.each(Object.entries(POLICY_SHAPES))('leakproof calls over the plain view, policy %s', async (_name, shape) => {
  expect(await attack([...sampled(leakproof, PER_FUNCTION.leakproof), ...Object.values(WITH_CONSTANTS).flat()], shape, false)).toEqual([]);
});

test('the attack finds what it looks for: calls that are not leakproof do leak through the plain view', async () => {
  const found = await attack(sampled(barred, PER_FUNCTION.barred), POLICY_SHAPES['equal'] ?? '', false);
  expect(found.length).toBeGreaterThan(10);
});

test.each(Object.entries(POLICY_SHAPES).slice(1, 2))('all other calls behind the barrier, policy %s', async (_name, shape) => {
  expect(await attack(sampled(barred, PER_FUNCTION.barred), shape, true)).toEqual([]);
});

/** At most `most` calls of each function, spread over what was generated. */
function sampled(all: ReadonlyMap<string, string>, most: number): readonly string[] {
  const byName = new Map<string, string[]>();
  for (const [call, name] of all) byName.set(name, [...(byName.get(name) ?? []), call]);
  return [...byName.values()].flatMap((list) => {
    const step = Math.max(1, list.length / most);
    return Array.from({ length: Math.min(most, list.length) }, (_, i) => list[Math.floor(i * step)] ?? '');
  });
}
