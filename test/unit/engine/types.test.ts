import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Analyzer, createAnalyzer, type Engine } from '#src/engine/index.js';
import { collect, plainValue } from './arrow-values.ts';
import { COLUMNS, selectAll } from './columns.ts';
import { EMPTY, never, startEngine } from './fixtures.ts';

let engine: Engine;
let analyzer: Analyzer;
let instance: DuckDBInstance;
let plain: DuckDBConnection;

beforeAll(async () => {
  engine = await startEngine();
  analyzer = await createAnalyzer();
  instance = await DuckDBInstance.create(':memory:');
  plain = await instance.connect();
  await plain.run("SET TimeZone = 'UTC'");
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await analyzer[Symbol.asyncDispose]();
  plain.closeSync();
  instance.closeSync();
});

async function expectSameRows(sql: string): Promise<void> {
  const actual = await collect(await engine.run(EMPTY, sql, never()));
  const expected = (await plain.runAndReadAll(sql)).getRows();
  expect(actual.rows.length).toBe(expected.length);
  expected.forEach((row, index) => {
    const wanted = row.map((value) => normalise(plainValue(value)));
    expect(actual.rows[index]?.map(normalise)).toEqual(wanted);
  });
}

/** Integers of any width compare by value. */
function normalise(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}`;
  if (typeof value === 'number') return Number.isInteger(value) ? `${value}` : Math.fround(value);
  if (Array.isArray(value)) return value.map(normalise);
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, normalise(part)]));
  return value;
}

describe('wire types', () => {
  it.each(COLUMNS)('%s', async (type, expression, arrow) => {
    const sql = `SELECT (CASE WHEN i % 5 = 4 THEN NULL ELSE ${expression} END)::${type} AS value FROM range(3000) t(i)`;
    const description = await analyzer.describe(EMPTY, sql);
    expect(String(description.schema.fields[0]?.type)).toBe(arrow);
    const source = await engine.run(EMPTY, sql, never());
    expect(Buffer.from(source.schemaHeader).equals(Buffer.from(description.schemaHeader))).toBe(true);
    await source[Symbol.asyncDispose]();
    await expectSameRows(sql);
  });

  it.each([0, 1, 2047, 2048, 2049, 5000])('%i rows of all types', async (rows) => {
    await expectSameRows(selectAll(rows, 'i % 7 = 3'));
  });

  it('columns without NULLs and columns of NULLs only', async () => {
    await expectSameRows(selectAll(2500, 'false'));
    await expectSameRows(selectAll(2500, 'true'));
  });

  it('chunks of odd sizes keep their bitmaps in step', async () => {
    await expectSameRows(`SELECT * FROM (${selectAll(9000, 'i % 11 = 3')}) WHERE c2 % 3 <> 0 OR c2 IS NULL`);
  });

  it('a NULL column has the type that DuckDB gives it', async () => {
    const { schema, rows } = await collect(await engine.run(EMPTY, "SELECT NULL AS n, [] AS l, [NULL] AS ln, {'a': NULL} AS s", never()));
    expect(schema.fields.map((field) => String(field.type))).toEqual(['Int32', 'List<Int32>', 'List<Int32>', 'Struct<{a:Int32}>']);
    expect(rows).toEqual([[null, [], [null], [null]]]);
  });

  it('the description names columns, DuckDB types and parameters', async () => {
    const sql = `SELECT a, {'b c': 1, 'd': [1.5]} AS s, ?::INTEGER + 1, a FROM (SELECT 'x'::ENUM('x', 'it''s') AS a)`;
    const { columns, parameterCount, schema } = await analyzer.describe(EMPTY, sql);
    expect(columns).toEqual([
      { name: 'a', type: "ENUM('x', 'it''s')" },
      { name: 's', type: 'STRUCT("b c" INTEGER, d DECIMAL(2,1)[])' },
      { name: '(CAST($1 AS INTEGER) + 1)', type: 'INTEGER' },
      { name: 'a', type: "ENUM('x', 'it''s')" },
    ]);
    expect(parameterCount).toBe(1);
    expect(schema.fields.every((field) => field.nullable)).toBe(true);
  });

  it.each(['12::BIGNUM', '1::VARIANT', "{'v': [1::VARIANT]}", '?'])('%s has no wire type', async (expression) => {
    await expect(analyzer.describe(EMPTY, `SELECT ${expression} AS x`)).rejects.toMatchObject({ code: 'sql.type' });
  });

  it.each([
    '170141183460469231731687303715884105727',
    '-170141183460469231731687303715884105727',
    '100000000000000000000000000000000000000',
    '340282366920938463463374607431768211455::UHUGEINT',
  ])('an integer of more than 38 digits is an error: %s', async (value) => {
    for (const sql of [`SELECT ${value} AS x`, `SELECT [${value}] AS x`]) {
      await expect(engine.run(EMPTY, sql, never()).then(collect)).rejects.toMatchObject({ code: 'sql.runtime' });
    }
  });

  it('what lies under a NULL is not sent', async () => {
    const sql = 'SELECT nullif(i, 7777777) AS n, nullif((i * 11111)::DECIMAL(18,2), i * 11111) AS d FROM range(7777700, 7777800) t(i)';
    const { batches } = await collect(await engine.run(EMPTY, sql, never()));
    const [numbers, decimals] = batches[0]?.data.children ?? [];
    expect(numbers?.values[77]).toBe(0n);
    expect([...(decimals?.values ?? [1])].every((word) => word === 0)).toBe(true);
  });
});
