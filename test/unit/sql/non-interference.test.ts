/** A query over (all data + policy) answers exactly as over data that only ever held the allowed rows. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PlanEntry } from '#src/sql/index.js';
import { analystEntries, Demo, type Outcome, writeDemo } from './demo.ts';
import { leaksIn } from './leak-oracle.ts';

interface Query {
  readonly id: string;
  readonly sql: string;
}

const QUERIES: readonly Query[] = JSON.parse(readFileSync(new URL('../../cases/non-interference.json', import.meta.url), 'utf8'));

let demo: Demo;
let full: readonly PlanEntry[];
let allowed: readonly PlanEntry[];

beforeAll(async () => {
  demo = await Demo.open();
  full = await analystEntries(demo, await writeDemo(demo, 'full'));
  allowed = await analystEntries(demo, await writeDemo(demo, 'allowed', "region = 'EU'"));
});
afterAll(() => demo.close());

function comparable({ kind, rows, runtime }: Outcome): unknown {
  return { kind, runtime, rows: rows.map((row) => JSON.stringify(row)).sort() };
}

test('there are enough queries, and they are queries', async () => {
  expect(QUERIES.length).toBeGreaterThanOrEqual(200);
  expect(new Set(QUERIES.map(({ sql }) => sql)).size).toBe(QUERIES.length);
});

test.each(QUERIES)('$id: $sql', async ({ sql }) => {
  const outcome = await demo.governed(sql, full);
  expect(outcome.kind, outcome.message).not.toBe('refused');
  expect(leaksIn(JSON.stringify(outcome.rows), sql)).toEqual([]);
  const reference = await demo.governed(sql, allowed);
  expect(comparable(outcome)).toEqual(comparable(reference));
  if (outcome.leakproof) expect(comparable(await demo.governed(sql, full, true))).toEqual(comparable(reference));
});
