/** Governed views: masks keep type and NULL and never fail, filters see raw values, scans stay pushed down. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StoredFile } from '#src/files.js';
import type { Dataset, Mask } from '#src/model.js';
import { buildPlanCatalog, type PlanEntry, supportsMask } from '#src/sql/index.js';
import { allow, Demo, parquet } from './demo.ts';

let demo: Demo;
beforeAll(async () => {
  demo = await Demo.open();
});
afterAll(() => demo.close());

/** Per type: an everyday value and the values at its ends. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  VARCHAR: ["'anna@example.com'", "''", "'@'", "'a@b@c.org'", "'ÿ\u{1F600}'", "'123'"],
  TINYINT: ['5', '-128', '127'],
  SMALLINT: ['5', '-32768', '32767'],
  INTEGER: ['-7', '-2147483648', '2147483647'],
  BIGINT: ['7', '-9223372036854775808', '9223372036854775807'],
  UTINYINT: ['7', '0', '255'],
  UINTEGER: ['7', '0', '4294967295'],
  UBIGINT: ['7', '0', '18446744073709551615'],
  'DECIMAL(12,2)': ['17.35', '-9999999999.99', '9999999999.99'],
  'DECIMAL(38,10)': ['17.35', '-9999999999999999999999999999.9999999999'],
  FLOAT: ['17.5', "'inf'", "'-inf'", "'nan'"],
  DOUBLE: ['-17.5', "'inf'", "'nan'", '1e308'],
  BOOLEAN: ['true', 'false'],
  DATE: ["'2021-05-17'", "'5881580-07-10'", "'5877642-06-25 (BC)'", "'infinity'", "'-infinity'"],
  TIMESTAMP: ["'2021-05-17 10:11:12'", "'294247-01-10 04:00:54.775806'", "'290309-12-22 (BC) 00:00:00'", "'infinity'"],
  TIMESTAMP_S: ["'2021-05-17 10:11:12'"],
  TIMESTAMP_MS: ["'2021-05-17 10:11:12'"],
  TIMESTAMP_NS: ["'2021-05-17 10:11:12'"],
  'TIMESTAMP WITH TIME ZONE': ["'2021-05-17 10:11:12+00'", "'294247-01-10 04:00:54.775806+00'", "'-infinity'"],
  TIME: ["'10:11:12'"],
  BLOB: ["'ab'"],
  UUID: ["'a0000000-0000-4000-8000-000000000000'"],
  'INTEGER[]': ['[1, NULL]'],
  'STRUCT(a INTEGER, "b c" VARCHAR)': ["{'a': 1, 'b c': 'x'}"],
};

const MASKS: readonly Mask[] = [
  { kind: 'null' },
  { kind: 'constant', value: "it's" },
  { kind: 'constant', value: 7 },
  { kind: 'constant', value: true },
  { kind: 'constant', value: '2000-01-01' },
  { kind: 'redact' },
  { kind: 'first', count: 2 },
  { kind: 'last', count: 3 },
  { kind: 'email' },
  { kind: 'hash' },
  { kind: 'token' },
  { kind: 'date', unit: 'year' },
  { kind: 'date', unit: 'quarter' },
  { kind: 'date', unit: 'month' },
  { kind: 'date', unit: 'day' },
  { kind: 'round', step: 10 },
  { kind: 'round', step: 2.5 },
];

/** One column of the type over all its values and NULL, behind the mask. */
async function masked(type: string, mask: Mask, barrier: boolean): Promise<readonly (readonly unknown[])[]> {
  const file = join(demo.directory, `m${Object.keys(VALUES).indexOf(type)}.parquet`);
  const rows = [...(VALUES[type] ?? []), 'NULL'].map((value, i) => `(${i}, CAST(${value} AS ${type}))`);
  await demo.connection.run(`COPY (SELECT * FROM (VALUES ${rows.join(', ')}) v(i, c)) TO '${file}' (FORMAT parquet)`);
  const stored = (await demo.query(`DESCRIBE FROM '${file}'`))[1]?.[1];
  const dataset = parquet('t', file, { i: 'INTEGER', c: String(stored) });
  const entry = { dataset, decision: allow(dataset, null, { c: mask }), barrier };
  return demo.withPlan([entry], () => demo.query('SELECT c, typeof(c), i FROM t ORDER BY i'));
}

describe.each([false, true])('masks, barrier %s', (barrier) => {
  const fitting = Object.keys(VALUES).flatMap((type) =>
    MASKS.filter((mask) => supportsMask(mask, type)).map((mask) => [type, mask] as const),
  );

  test.each(fitting.map(([type, mask]) => [type, JSON.stringify(mask), mask] as const))('%s %s', async (type, _text, mask) => {
    const rows = await masked(type, mask, barrier);
    const stored = rows[0]?.[1];
    expect(rows.every(([, seen]) => seen === stored)).toBe(true);
    expect(rows.at(-1)?.[0]).toBeNull();
    if (mask.kind !== 'null') expect(rows[0]?.[0]).not.toBeNull();
  });
});

test('masks do what they say', async () => {
  const first = async (type: string, mask: Mask): Promise<unknown> => (await masked(type, mask, false))[0]?.[0];
  expect(await first('VARCHAR', { kind: 'email' })).toBe('***@example.com');
  expect(await first('VARCHAR', { kind: 'first', count: 2 })).toBe('an****');
  expect(await first('VARCHAR', { kind: 'last', count: 3 })).toBe('****com');
  expect(await first('VARCHAR', { kind: 'token' })).toMatch(/^tok_[0-9a-f]{24}$/);
  expect(await first('VARCHAR', { kind: 'hash' })).toMatch(/^[0-9a-f]{64}$/);
  expect(await first('INTEGER', { kind: 'round', step: 10 })).toBe(-10);
  expect(await first('DECIMAL(12,2)', { kind: 'round', step: 2.5 })).toBe('15.00');
  expect(await first('DATE', { kind: 'date', unit: 'quarter' })).toBe('2021-04-01');
  const short = (await masked('VARCHAR', { kind: 'last', count: 3 }, false)).map(([value]) => value);
  expect(short[5]).toBe('****');
});

test('unfit masks are told', () => {
  for (const [mask, type] of [
    [{ kind: 'email' }, 'INTEGER'],
    [{ kind: 'token' }, 'DATE'],
    [{ kind: 'round', step: 0 }, 'INTEGER'],
    [{ kind: 'round', step: 1000 }, 'TINYINT'],
    [{ kind: 'constant', value: 300 }, 'UTINYINT'],
    [{ kind: 'constant', value: -1 }, 'UINTEGER'],
    [{ kind: 'first', count: -1 }, 'VARCHAR'],
    [{ kind: 'redact' }, 'BLOB'],
  ] as const)
    expect(supportsMask(mask, type), JSON.stringify([mask, type])).toBe(false);
});

const COLUMNS = { id: 'BIGINT', region: 'VARCHAR', card: 'VARCHAR', secret: 'VARCHAR', __raw: 'INTEGER' };

async function orders(): Promise<Dataset> {
  const file = join(demo.directory, 'orders.parquet');
  await demo.connection.run(
    `COPY (SELECT i AS id, ['EU','US'][i % 2 + 1] AS region, 'card' || i AS card, 's' || i AS secret, 1 AS __raw FROM range(10000) t(i)) TO '${file}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`,
  );
  return parquet('orders', file, COLUMNS);
}

test('the filter sees raw values of hidden and masked columns, the user sees masked ones', async () => {
  const dataset = await orders();
  const decision = allow(dataset, await demo.predicate("region = 'EU' AND secret <> 's4'"), {
    region: { kind: 'constant', value: 'XX' },
    secret: 'hide',
  });
  const rows = await demo.withPlan([{ dataset, decision, barrier: false }], () =>
    demo.query("SELECT count(*)::INT, max(region) FROM orders WHERE region = 'XX'"),
  );
  expect(rows).toEqual([[4999, 'XX']]);
});

test('a cell is raw only on rows where its condition is true; unknown counts as masked', async () => {
  const dataset = await orders();
  const base = allow(dataset, null, { card: { kind: 'redact' } });
  const rawWhen = await demo.predicate('(id < 10 AND card IS NULL) OR id = 3');
  const columns = base.columns.map((column) =>
    column.treatment.kind === 'masked' ? { ...column, treatment: { ...column.treatment, rawWhen } } : column,
  );
  const rows = await demo.withPlan([{ dataset, decision: { ...base, columns }, barrier: true }], () =>
    demo.query('SELECT card FROM orders WHERE id IN (3, 4) ORDER BY id'),
  );
  expect(rows).toEqual([['card3'], ['****']]);
});

test('filters and projections reach the scan through both layers', async () => {
  const dataset = await orders();
  const entry: PlanEntry = {
    dataset,
    decision: allow(dataset, await demo.predicate("region = 'EU'"), { secret: { kind: 'token' } }),
    barrier: false,
  };
  const plan = await demo.withPlan([entry], () => demo.query('EXPLAIN SELECT card FROM orders WHERE id = 77'));
  const text = JSON.stringify(plan);
  expect(text).toMatch(/READ_PARQUET/);
  expect(text).toMatch(/id=77/);
  expect(text).toMatch(/region='EU'/);
  expect(text).not.toMatch(/secret/);
});

test('the name of a catalog is a hash of what decides its content', async () => {
  const dataset = await orders();
  const name = (barrier: boolean, mask: Mask | 'hide', ...files: readonly StoredFile[]): string =>
    buildPlanCatalog({
      defaultSchema: 'demo',
      data: 'rows',
      entries: [{ dataset, decision: allow(dataset, null, { card: mask }), barrier, parts: [{ files, missing: [] }] }],
    }).name;
  expect(name(false, { kind: 'redact' })).toMatch(/^p_[0-9a-f]{32}$/);
  expect(name(false, { kind: 'redact' })).toBe(name(false, { kind: 'redact' }));
  expect(
    new Set([name(false, { kind: 'redact' }), name(true, { kind: 'redact' }), name(false, 'hide'), name(false, { kind: 'hash' })]).size,
  ).toBe(4);
  const file = { path: '/a', bytes: 1, version: '1' };
  const names = [
    name(true, 'hide'),
    name(true, 'hide', file),
    name(true, 'hide', { ...file, version: '2' }),
    name(true, 'hide', file, file),
  ];
  expect(new Set(names).size).toBe(4);
});

test('hostile names and constants stay names and constants', async () => {
  const evil = `a"; DROP VIEW x; --'`;
  const file = join(demo.directory, "it's.parquet");
  await demo.connection.run(
    `COPY (SELECT 1 AS "${evil.replaceAll('"', '""')}", 'x' AS b) TO '${file.replaceAll("'", "''")}' (FORMAT parquet)`,
  );
  const dataset = { ...parquet('t', file, { [evil]: 'INTEGER', b: 'VARCHAR' }), name: evil };
  const entry = {
    dataset,
    decision: allow(
      dataset,
      { kind: 'compare', op: '<>', left: { kind: 'column', name: 'b' }, right: { kind: 'literal', value: evil } } as const,
      { b: { kind: 'constant', value: evil } },
    ),
    barrier: true,
  };
  const rows = await demo.withPlan([entry], () => demo.query(`SELECT * FROM "${evil.replaceAll('"', '""')}"`));
  expect(rows).toEqual([[1, evil]]);
});

test.each([
  ['a row filter', { kind: 'compare', op: '=', left: { kind: 'column', name: 'c' }, right: { kind: 'literal', value: 'seen' } }, {}],
  ['a mask', null, { c: { kind: 'null' } }],
] as const)('with %s the values of an enum are not part of the answer: hidden rows have some of them', async (_, filter, masks) => {
  const file = join(demo.directory, 'enums.parquet');
  await demo.connection.run(
    `COPY (SELECT unnest(['seen', 'hidden']) AS c, unnest([['seen'], ['hidden']]) AS l) TO '${file}' (FORMAT parquet)`,
  );
  const dataset = parquet('t', file, { c: "ENUM('seen', 'hidden')", l: "ENUM('seen', 'hidden')[]" });
  const typesUnder = async (decision: PlanEntry['decision'], barrier: boolean): Promise<unknown> =>
    demo.withPlan([{ dataset, decision, barrier }], async () => (await demo.query('SELECT typeof(c), typeof(l) FROM t'))[0]);
  for (const barrier of [false, true]) {
    const [c, l] = (await typesUnder(allow(dataset, filter, masks), barrier)) as readonly string[];
    expect(c).toBe('VARCHAR');
    if (filter !== null) expect(l).toBe('VARCHAR[]');
  }
  expect(await typesUnder(allow(dataset, null), false)).toEqual(["ENUM('seen', 'hidden')", "ENUM('seen', 'hidden')[]"]);
});

test('a decision that does not fit its dataset makes no view', async () => {
  const dataset = await orders();
  const build =
    (entry: Partial<PlanEntry>): (() => unknown) =>
    () =>
      buildPlanCatalog({
        defaultSchema: 'demo',
        data: 'rows',
        entries: [{ dataset, decision: allow(dataset, null), barrier: false, ...entry }],
      });
  expect(build({ decision: { ...allow(dataset, null), dataset: 'other' } })).toThrow();
  expect(build({ decision: { ...allow(dataset, null), columns: [] } })).toThrow();
  expect(build({ decision: allow(dataset, { kind: 'isNull', value: { kind: 'attribute', name: 'region' } }) })).toThrow();
  expect(build({ decision: allow(dataset, { kind: 'isNull', value: { kind: 'column', name: 'gone' } }) })).toThrow();
  expect(
    build({
      dataset: { ...dataset, columns: [{ name: 'id', type: 'INT) AS SELECT 1; --', tags: [] }] },
      decision: allow({ ...dataset, columns: [{ name: 'id', type: 'x', tags: [] }] }, null, { id: { kind: 'null' } }),
    }),
  ).toThrow();
});
