import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Analyzer, createAnalyzer, type Engine } from '#src/engine/index.js';
import { collect, plainValue } from './arrow-values.ts';
import { EMPTY, never, startEngine } from './fixtures.ts';

/** `i` is the row number; every expression is NULL on some rows. */
const COLUMNS: readonly (readonly [type: string, expression: string, arrow: string])[] = [
  ['TINYINT', '(i % 256 - 128)', 'Int8'],
  ['SMALLINT', 'i % 60000 - 30000', 'Int16'],
  ['INTEGER', 'i * 1000 - 7', 'Int32'],
  ['BIGINT', 'i * 1000000000000 - 7', 'Int64'],
  ['UTINYINT', 'i % 256', 'Uint8'],
  ['USMALLINT', 'i % 65536', 'Uint16'],
  ['UINTEGER', '4294967295 - i', 'Uint32'],
  ['UBIGINT', '18446744073709551615 - i', 'Uint64'],
  ['HUGEINT', '-99999999999999999999999999999999999999 + i', 'Decimal[38e0]'],
  ['UHUGEINT', '99999999999999999999999999999999999999 - i', 'Decimal[38e0]'],
  ['FLOAT', 'i / 4', 'Float32'],
  ['DOUBLE', 'i / 3', 'Float64'],
  ['DECIMAL(4,1)', '(i % 1999 - 999) / 10', 'Decimal[4e+1]'],
  ['DECIMAL(9,2)', '(i - 5000) * 1.01', 'Decimal[9e+2]'],
  ['DECIMAL(18,3)', '(i - 2500) * 1000000000.001', 'Decimal[18e+3]'],
  ['DECIMAL(38,4)', '(i - 2500) * 100000000000000000000.0001', 'Decimal[38e+4]'],
  ['BOOLEAN', 'i % 3 = 0', 'Bool'],
  ['DATE', "DATE '1960-01-01' + i::INTEGER", 'Date32<DAY>'],
  ['TIME', "TIME '00:00:01' + to_milliseconds(i)", 'Time64<MICROSECOND>'],
  ['TIME_NS', "'10:00:00.' || lpad(i::VARCHAR, 9, '0')", 'Time64<NANOSECOND>'],
  ['TIMETZ', "'10:00:00+02'", 'Time64<MICROSECOND>'],
  ['TIMESTAMP', "TIMESTAMP '1969-12-31 23:00:00.123456' + to_seconds(i)", 'Timestamp<MICROSECOND>'],
  ['TIMESTAMP_S', "TIMESTAMP '1969-12-31 23:00:00' + to_seconds(i)", 'Timestamp<SECOND>'],
  ['TIMESTAMP_MS', "TIMESTAMP '1969-12-31 23:00:00.123' + to_seconds(i)", 'Timestamp<MILLISECOND>'],
  ['TIMESTAMP_NS', "'2020-01-01 10:00:00.' || lpad(i::VARCHAR, 9, '0')", 'Timestamp<NANOSECOND>'],
  ['TIMESTAMPTZ', "TIMESTAMPTZ '2020-01-01 10:00:00+02' + to_seconds(i)", 'Timestamp<MICROSECOND, UTC>'],
  ['INTERVAL', 'to_months(i % 50) + to_days(i) + to_microseconds(i)', 'Interval<MONTH_DAY_NANO>'],
  ['VARCHAR', "repeat('é' || i, i % 7)", 'Utf8'],
  ['BLOB', "encode(repeat('b' || i, i % 5))", 'Binary'],
  ['BIT', "repeat('10', 1 + (i % 9))", 'Utf8'],
  ['UUID', "('00000000-0000-4000-8000-' || lpad(i::VARCHAR, 12, '0'))", 'Utf8'],
  ["ENUM('', 'red', 'a longer green value', 'blue')", "(['', 'red', 'a longer green value', 'blue'])[1 + i % 4]", 'Utf8'],
  ['INTEGER[]', '[x for x in range(i % 4)]', 'List<Int32>'],
  ['VARCHAR[]', "[CASE WHEN x = 1 THEN NULL ELSE 'v' || x END for x in range(i % 4)]", 'List<Utf8>'],
  ['DECIMAL(9,2)[]', '[x * 1.5 for x in range(i % 3)]', 'List<Decimal[9e+2]>'],
  ['BOOLEAN[]', '[x % 2 = 0 for x in range(i % 11)]', 'List<Bool>'],
  ["ENUM('x', 'yy')[]", "[CASE WHEN x % 3 = 2 THEN NULL ELSE (['x', 'yy'])[1 + x % 2] END for x in range(i % 5)]", 'List<Utf8>'],
  ['INTEGER[3]', '[i, NULL, i + 2]', 'FixedSizeList[3]<Int32>'],
  ['VARCHAR[2]', "['a' || i, NULL]", 'FixedSizeList[2]<Utf8>'],
  ['STRUCT(a INTEGER, "select" VARCHAR)', "{'a': i, 'select': CASE WHEN i % 2 = 0 THEN 's' || i END}", 'Struct<{a:Int32, select:Utf8}>'],
  [
    'STRUCT(l INTEGER[], s STRUCT(b BOOLEAN))[]',
    "[{'l': range(x)::INTEGER[], 's': {'b': x = 1}} for x in range(i % 3)]",
    'List<Struct<{l:List<Int32>, s:Struct<{b:Bool}>}>>',
  ],
  ['MAP(VARCHAR, INTEGER)', "map_from_entries([('k' || x, nullif(x, 1)) for x in range(i % 4)])", 'Map<{key:Utf8, value:Int32}>'],
  ['MAP(INTEGER, VARCHAR[])', "map_from_entries([(x, ['v' || x]) for x in range(i % 3)])", 'Map<{key:Int32, value:List<Utf8>}>'],
  [
    'UNION(n INTEGER, t VARCHAR)',
    "CASE WHEN i % 2 = 0 THEN i::INTEGER::UNION(n INTEGER, t VARCHAR) ELSE ('t' || i)::UNION(n INTEGER, t VARCHAR) END",
    'Union<Int32 | Utf8>',
  ],
  ['INTEGER[][]', '[[y for y in range(x)] for x in range(i % 4)]', 'List<List<Int32>>'],
  ['GEOMETRY', "'POINT(' || i || ' 1)'", 'Binary'],
  ['JSON', `'{"a": ' || i || '}'`, 'Utf8'],
];

function selectAll(rows: number, nulls: string): string {
  const list = COLUMNS.map(([type, expression], index) => `(CASE WHEN ${nulls} THEN NULL ELSE ${expression} END)::${type} AS c${index}`);
  return `SELECT ${list.join(', ')} FROM range(${rows}) t(i)`;
}

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

  it.each([0, 1, 2047, 2048, 2049, 5000])(
    '%i rows of all types',
    async (rows) => {
      await expectSameRows(selectAll(rows, 'i % 7 = 3'));
    },
    30_000,
  );

  it('columns without NULLs and columns of NULLs only', async () => {
    await expectSameRows(selectAll(2500, 'false'));
    await expectSameRows(selectAll(2500, 'true'));
  }, 30_000);

  it('chunks of odd sizes keep their bitmaps in step', async () => {
    await expectSameRows(`SELECT * FROM (${selectAll(9000, 'i % 11 = 3')}) WHERE c2 % 3 <> 0 OR c2 IS NULL`);
  }, 30_000);

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
