/** Every attack of test/cases/attacks.json, through the gate and DuckDB, with a leak oracle and against data that never had the hidden rows. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PlanEntry } from '#src/sql/index.js';
import { analystEntries, Demo, type DemoFiles, type Outcome, writeDemo } from './demo.ts';
import { leaksIn } from './leak-oracle.ts';

interface Attack {
  readonly id: string;
  readonly sql: string;
  readonly why: string;
  readonly expect: 'refused' | 'no-leak' | 'bounded';
}

const ATTACKS: readonly Attack[] = JSON.parse(readFileSync(new URL('../../cases/attacks.json', import.meta.url), 'utf8'));
/** Longer than any bounded statement takes on this data, on a busy machine too; far shorter than a bomb. */
const PATIENCE_MS = 60_000;

interface World {
  readonly files: DemoFiles;
  readonly entries: readonly PlanEntry[];
}

let demo: Demo;
let full: World;
let allowed: World;

beforeAll(async () => {
  demo = await Demo.open();
  const world = async (folder: string, where?: string): Promise<World> => {
    const files = await writeDemo(demo, folder, where);
    return { files, entries: await analystEntries(demo, files) };
  };
  full = await world('full');
  allowed = await world('allowed', "region = 'EU'");
});
afterAll(() => demo.close());

/** `${customers_file}`, `${orders_dir}` and `${data_dir}` stand for places. */
function fill(sql: string, { files }: World): string {
  const places: Readonly<Record<string, string>> = {
    customers_file: files.customersFile,
    orders_dir: files.ordersDir,
    data_dir: files.dataDir,
  };
  return sql.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => places[name] ?? whole);
}

/** Everything of an outcome that a client can tell apart. */
function visible(outcome: Outcome): unknown {
  const { kind, rows, runtime } = outcome;
  return { kind, runtime, rows: [...rows].map((row) => JSON.stringify(row)).sort() };
}

describe.each(['refused', 'no-leak', 'bounded'] as const)('%s', (expected) => {
  test.each(ATTACKS.filter((attack) => attack.expect === expected))('$id: $why', async ({ sql }) => {
    const statement = fill(sql, full);
    const started = performance.now();
    const outcome = await demo.governed(statement, full.entries);
    expect(performance.now() - started).toBeLessThan(PATIENCE_MS);
    if (expected === 'refused') expect(outcome).toMatchObject({ kind: 'refused' });
    const told = outcome.runtime ? '' : `${outcome.message}\n${JSON.stringify(outcome.rows)}`;
    expect(leaksIn(told, statement)).toEqual([]);
    if (expected === 'no-leak') expect(visible(outcome)).toEqual(visible(await demo.governed(fill(sql, allowed), allowed.entries)));
  });
});

test('a bomb is stopped by the gate, not by the engine', async () => {
  const bombs = ATTACKS.filter(({ expect: expected }) => expected === 'bounded');
  const passed: string[] = [];
  for (const { id, sql } of bombs) {
    const { kind } = await demo.governed(sql, full.entries);
    if (kind !== 'refused') passed.push(id);
  }
  expect(bombs.length).toBeGreaterThan(40);
  // A float that becomes infinite is no bomb.
  expect(passed).toEqual(['bomb/factorial']);
});
