import {
  Binary,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  DenseUnion,
  Dictionary,
  DurationMillisecond,
  Field,
  Float32,
  Float64,
  Int8,
  Int32,
  Int64,
  LargeUtf8,
  List,
  makeData,
  Null,
  RecordBatch,
  Schema,
  Struct,
  Table,
  TimeMicrosecond,
  TimestampMicrosecond,
  TimestampMillisecond,
  TimestampNanosecond,
  Uint64,
  Utf8,
  Utf8View,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compilePolicy } from '#src/policy/index.js';
import { ana, boss, createPlannerFixture, OPTIONS, olga, type PlannerFixture, SNAPSHOT } from './fixture.ts';

let fixture: PlannerFixture;
beforeAll(async () => {
  fixture = await createPlannerFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const prepare = (sql: string, principal = ana) => fixture.planner.prepare({ principal, sql, options: OPTIONS });

/** A table of one column per vector, named as ADBC names them. */
function rowsOf(...columns: readonly Vector[]): Table {
  const fields = columns.map((column, i) => new Field(String(i), column.type, true));
  const schema = new Schema(fields);
  const data = columns.map((column) => column.data[0] ?? makeData({ type: column.type }));
  return new Table([new RecordBatch(schema, makeData({ type: new Struct(fields), length: columns[0]?.length ?? 0, children: data }))]);
}

const column = (values: readonly unknown[], type: DataType): Vector => vectorFromArray(values as never, type as never) as Vector;
const text = (...values: readonly (string | null)[]): Vector => column(values, new Utf8());
const int = (...values: readonly (bigint | null)[]): Vector => column(values, new Int64());

/** The statements that run. */
async function bound(sql: string, rows: Table, principal = ana): Promise<readonly string[]> {
  const { handle } = await prepare(sql, principal);
  const plan = await fixture.planner.planPrepared(fixture.planner.bindParameters(handle, principal, rows), principal, OPTIONS);
  const { task } = fixture.open(plan.tickets[0]);
  if (task.kind === 'query') return task.statements;
  return task.kind === 'command' ? (task.query?.statements ?? []) : [];
}

const typesOf = async (sql: string, principal = ana): Promise<readonly string[]> =>
  (await prepare(sql, principal)).parameters.fields.map(({ name, type, nullable }) => `${name} ${type}${nullable ? '' : ' not null'}`);

describe('types of parameters', () => {
  test.each([
    ['SELECT name FROM people WHERE id = ?', ['1 Int64']],
    ['SELECT name FROM people WHERE id = $1 AND name = $2 OR id = $1', ['1 Int64', '2 Utf8']],
    ['SELECT name FROM people WHERE born > $since AND region = $where', ['since Date32<DAY>', 'where Utf8']],
    ['SELECT name FROM people WHERE id = ?2 AND name = ?1', ['1 Utf8', '2 Int64']],
    ['SELECT name FROM people WHERE id IN (?, ?) AND born BETWEEN ? AND ?', ['1 Int64', '2 Int64', '3 Date32<DAY>', '4 Date32<DAY>']],
    ['SELECT name FROM people LIMIT ? OFFSET ?', ['1 Int64', '2 Int64']],
    ['SELECT name FROM people OFFSET ? LIMIT ?', ['1 Int64', '2 Int64']],
    ['SELECT ?', ['1 Utf8']],
    ['SELECT ?, id FROM people WHERE id = ? AND born = ?', ['1 Utf8', '2 Int64', '3 Date32<DAY>']],
    ['SELECT ? + 1, substring(name, ?, 2) FROM people', ['1 Float64', '2 Int64']],
    ["SELECT repeat('x', ?), date_trunc(?, born), name || ? FROM people", ['1 Int64', '2 Utf8', '3 Utf8']],
    ['SELECT CAST(? AS DOUBLE), ?::DECIMAL(9,2)', ['1 Float64', '2 Decimal[9e+2]']],
    ['SELECT count(*) FROM people WHERE born > ? - INTERVAL 3 DAY', ['1 Timestamp<MILLISECOND>']],
    ['SELECT name FROM lake.demo.people WHERE lake.demo.people.id = ?', ['1 Int64']],
    ["SELECT '?', $$ ? $$, $q$ $1 $q$ /* ? /* $2 */ ? */ FROM people a$1 WHERE id = ? -- ?", ['1 Int64']],
    ['SELECT E\'it\\\'s ?\', "?" FROM (SELECT id AS "?" FROM people) WHERE "?" = ?', ['1 Int64']],
    ['SELECT quantile_cont(id, ?) FROM people', ['1 Float64']],
    ['VALUES (?, ?)', ['1 Utf8', '2 Utf8']],
    ['INSERT INTO scratch.notes VALUES (?, ?, ?), (?, upper(?), NULL)', ['1 Int64', '2 Utf8', '3 Date32<DAY>', '4 Int64', '5 Utf8']],
    ['INSERT INTO scratch.notes (day, id) SELECT ?, id FROM people WHERE id = ?', ['1 Date32<DAY>', '2 Int64']],
    ['EXPLAIN POLICY SELECT name FROM people WHERE id = ?', ['1 Int64']],
    ['SELECT name FROM people', []],
  ])('%s', async (sql, expected) => {
    expect(await typesOf(sql)).toEqual(expected);
  });

  test.each([
    ['SELECT ?, $1', 'sql.refused'],
    ['SELECT $1, $3', 'sql.refused'],
    ['SELECT * FROM ?', 'sql.syntax'],
    ['SELECT * FROM people AS ?', 'sql.syntax'],
    ['CREATE TABLE ? AS SELECT 1', 'sql.syntax'],
    ['CREATE TOKEN ?', 'sql.refused'],
    ['SELECT name FROM vault WHERE secret = ?', 'dataset.unknown'],
    ['SELECT salary FROM people WHERE id = ?', 'sql.binding'],
    ['SELECT name FROM people WHERE salary = ?', 'sql.binding'],
    ['SELECT getenv(?)', 'sql.refused'],
    ['SELECT * FROM read_parquet(?)', 'sql.refused'],
    ['SELECT printf(?, name) FROM people', 'sql.refused'],
  ])('%s is refused', async (sql, code) => {
    await expect(prepare(sql)).rejects.toMatchObject({ code });
  });

  test('of a statement that was not bound: it says so', async () => {
    const { handle } = await prepare('SELECT name FROM people WHERE id = ? AND name = ?');
    const call = fixture.planner.planPrepared(handle, ana, OPTIONS);
    await expect(call).rejects.toMatchObject({ code: 'sql.parameter', message: expect.stringContaining('2 parameters') });
  });
});

describe('bound values', () => {
  test.each<[string, Vector, string, string]>([
    ['a whole number', int(5n), 'SELECT name FROM people WHERE id = ?', 'CAST(5 AS BIGINT)'],
    ['a smaller integer', column([-5], new Int8()), 'SELECT name FROM people WHERE id = ?', 'CAST(-5 AS BIGINT)'],
    ['an unsigned integer', column([2n ** 64n - 1n], new Uint64()), 'SELECT ?::UBIGINT', 'CAST(18446744073709551615 AS UBIGINT)'],
    ['the least integer', int(-(2n ** 63n)), 'SELECT ?::BIGINT', 'CAST(-9223372036854775808 AS BIGINT)'],
    ['a text', text("O'Brien; --"), 'SELECT ?', "CAST('O''Brien; --' AS VARCHAR)"],
    ['control characters', text('a\x01\\n\x7f\t'), 'SELECT ?', "CAST(E'a\\x01\\\\n\\x7f\t' AS VARCHAR)"],
    ['no value', text(null), 'SELECT name FROM people WHERE id = ?', 'CAST(NULL AS BIGINT)'],
    ['nothing at all', column([null], new Null()), 'SELECT name FROM people WHERE id = ?', 'CAST(NULL AS BIGINT)'],
    ['a text for a number', text('42'), 'SELECT name FROM people WHERE id = ?', "CAST('42' AS BIGINT)"],
    ['a number for a text', int(42n), 'SELECT ?', 'CAST(42 AS VARCHAR)'],
    ['a boolean', column([true], new Bool()), 'SELECT name FROM people WHERE ?', 'CAST(true AS BOOLEAN)'],
    ['a float', column([-1.5e300], new Float64()), 'SELECT ?::DOUBLE', 'CAST(-1.5e+300 AS DOUBLE)'],
    ['a short float', column([0.5], new Float32()), 'SELECT ?::DOUBLE', 'CAST(5e-1 AS DOUBLE)'],
    ['an infinite float', column([-Infinity], new Float64()), 'SELECT ?::DOUBLE', "CAST('-Infinity' AS DOUBLE)"],
    ['not a number', column([NaN], new Float64()), 'SELECT ?::DOUBLE', "CAST('NaN' AS DOUBLE)"],
    ['a date', column([new Date('2024-02-29')], new DateDay()), 'SELECT name FROM people WHERE born = ?', "CAST('2024-02-29' AS DATE)"],
    [
      'a timestamp',
      column([new Date('1969-12-31T23:59:59.5Z').getTime()], new TimestampMillisecond()),
      'SELECT ?::TIMESTAMP',
      "CAST('1969-12-31 23:59:59.500' AS TIMESTAMP)",
    ],
    [
      'a timestamp with a zone',
      column([0], new TimestampMicrosecond('Europe/Berlin')),
      'SELECT ?::TIMESTAMPTZ',
      "CAST('1970-01-01 00:00:00+00' AS TIMESTAMP WITH TIME ZONE)",
    ],
    ['bytes', column([Uint8Array.of(0, 39, 255)], new Binary()), 'SELECT ?::BLOB', "CAST('\\x00\\x27\\xff' AS BLOB)"],
    ['a duration', column([1500n], new DurationMillisecond()), 'SELECT ?::INTERVAL', "CAST('1500000 microseconds' AS INTERVAL)"],
    ['a time', column([1_000_001n], new TimeMicrosecond()), 'SELECT ?::TIME', "CAST('00:00:01.000001' AS TIME)"],
    ['a dictionary', column(['x', 'y'], new Dictionary(new Utf8(), new Int32())).slice(0, 1), 'SELECT ?', "CAST('x' AS VARCHAR)"],
    ['a view', column(['long enough to stand outside'], new Utf8View()), 'SELECT ?', "CAST('long enough to stand outside' AS VARCHAR)"],
    ['a large text', column(['x'], new LargeUtf8()), 'SELECT ?', "CAST('x' AS VARCHAR)"],
    ['a list', column([[1, null]], new List(new Field('item', new Int32(), true))), 'SELECT ?::INTEGER[]', 'CAST([1, NULL] AS INTEGER[])'],
    [
      'a struct',
      column([{ 'a"b': 'x' }], new Struct([new Field('a"b', new Utf8(), true)])),
      'SELECT ?::STRUCT("a""b" VARCHAR)',
      'CAST({"a""b": \'x\'} AS STRUCT("a""b" VARCHAR))',
    ],
  ])('%s', async (_, vector, sql, literal) => {
    const [statement] = await bound(sql, rowsOf(vector));
    expect(statement).toContain(literal);
  });

  test('decimals keep every digit', async () => {
    const words = Uint32Array.of(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff);
    const type = new Decimal(2, 20, 128);
    const vector = new Vector([makeData({ type, length: 1, data: words })]);
    expect((await bound('SELECT ?::DECIMAL(20,2)', rowsOf(vector)))[0]).toContain('CAST(-0.01 AS DECIMAL(20,2))');
  });

  test('nanoseconds keep every digit', async () => {
    const vector = new Vector([makeData({ type: new TimestampNanosecond(), length: 1, data: BigInt64Array.of(1n) })]);
    expect((await bound('SELECT ?::TIMESTAMP_NS', rowsOf(vector)))[0]).toContain("CAST('1970-01-01 00:00:00.000000001' AS TIMESTAMP_NS)");
  });

  test('unions of flightsql-dbapi give their member', async () => {
    const type = new DenseUnion([0, 1], [new Field('s', new Utf8(), true), new Field('i', new Int64(), true)]);
    const children = [text('x').data[0], int(7n).data[0]].filter((data) => data !== undefined);
    const data = makeData({ type, length: 2, typeIds: Int8Array.of(1, 0), valueOffsets: Int32Array.of(0, 0), children });
    const statements = await bound('SELECT name FROM people WHERE name = ?', rowsOf(new Vector([data])));
    expect(statements.map((statement) => /CAST\(.*\)/.exec(statement)?.[0])).toEqual(['CAST(7 AS VARCHAR)', "CAST('x' AS VARCHAR)"]);
  });

  test('several rows are several statements under one catalog, in their order', async () => {
    const statements = await bound('SELECT name FROM people WHERE id = ? AND name = ?', rowsOf(int(1n, 2n, null), text('a', 'b', 'c')));
    expect(statements).toHaveLength(3);
    expect(statements[2]).toBe("SELECT name FROM people WHERE id =  CAST(NULL AS BIGINT)  AND name =  CAST('c' AS VARCHAR) ");
  });

  test('positions count in the order of the text, whatever the clause', async () => {
    const [statement] = await bound('SELECT name FROM people OFFSET ? LIMIT ?', rowsOf(int(1n), int(2n)));
    expect(statement).toMatch(/OFFSET\s+CAST\(1 AS BIGINT\)\s+LIMIT\s+CAST\(2 AS BIGINT\)/);
  });

  test('the result schema stays the one of the prepared statement', async () => {
    const { schema, handle } = await prepare('SELECT ? AS a, ? + 1 AS b, ?::DECIMAL(9,2) AS c');
    const rows = rowsOf(int(5n), int(7n), text('1.5'));
    const plan = await fixture.planner.planPrepared(fixture.planner.bindParameters(handle, ana, rows), ana, OPTIONS);
    expect(plan.schema.fields.map(String)).toEqual(schema?.fields.map(String));
    expect((await fixture.planner.schemaOfPrepared(handle, ana, OPTIONS))?.fields.map(String)).toEqual(schema?.fields.map(String));
  });

  test('can be bound again, by their principal only', async () => {
    const { handle } = await prepare('SELECT name FROM people WHERE id = ?');
    const once = fixture.planner.bindParameters(handle, ana, rowsOf(int(1n)));
    const twice = fixture.planner.bindParameters(once, ana, rowsOf(int(2n)));
    const { tickets } = await fixture.planner.planPrepared(twice, ana, OPTIONS);
    expect(JSON.stringify(fixture.open(tickets[0]).task)).toContain('CAST(2 AS BIGINT)');
    expect(() => fixture.planner.bindParameters(handle, boss, rowsOf(int(1n)))).toThrow('another principal');
  });

  test('meet the policy in force at execution', async () => {
    const { handle } = await prepare('SELECT name FROM people WHERE id = ?');
    const ready = fixture.planner.bindParameters(handle, ana, rowsOf(int(1n)));
    const { policy } = fixture;
    fixture.policy = await compilePolicy({ ...SNAPSHOT, epoch: 8, grants: SNAPSHOT.grants.filter(({ id }) => id !== 'a1') });
    await expect(fixture.planner.planPrepared(ready, ana, OPTIONS)).rejects.toMatchObject({ code: 'dataset.unknown' });
    fixture.policy = policy;
  });

  test('of ordinary types keep the statement leakproof', async () => {
    const { handle } = await prepare('SELECT name FROM people WHERE id = ? AND region = ? AND born > ? LIMIT ?');
    const rows = rowsOf(int(1n), text('EU'), column([new Date('2020-01-01')], new DateDay()), int(10n));
    const { audit } = await fixture.planner.planPrepared(fixture.planner.bindParameters(handle, ana, rows), ana, OPTIONS);
    expect(audit.decisions.map(({ path }) => path)).toEqual(['plain']);
  });

  test('one row that needs the barrier gives it to all', async () => {
    const { handle } = await prepare('SELECT substring(name, ?, 2) FROM people');
    const rows = rowsOf(int(1n, 100_000n));
    const { audit } = await fixture.planner.planPrepared(fixture.planner.bindParameters(handle, ana, rows), ana, OPTIONS);
    expect(audit.decisions.map(({ path }) => path)).toEqual(['barrier']);
  });
});

describe('values that do not fit', () => {
  test.each<[string, Vector, string, RegExp]>([
    ['a word for a number', text('abc'), 'SELECT name FROM people WHERE id = ?', /parameter 1 .*BIGINT/],
    ['a fraction for a whole number', column([3.5], new Float64()), 'SELECT name FROM people WHERE id = ?', /parameter 1 .*BIGINT/],
    ['a number that is too large', int(300n), 'SELECT ?::TINYINT', /parameter 1 .*TINYINT/],
    ['a time of day for a date', column([1], new TimestampMicrosecond()), 'SELECT ?::DATE', /parameter 1 .*DATE/],
    ['a duration for a number', column([1500n], new DurationMillisecond()), 'SELECT ?::INTEGER', /parameter 1 .*INTEGER/],
    ['a NUL', text('a\0b'), 'SELECT ?', /parameter 1.*NUL/],
    [
      'a far date',
      new Vector([makeData({ type: new DateDay(), length: 1, data: Int32Array.of(2 ** 31 - 1) })]),
      'SELECT ?::DATE',
      /parameter 1.*years/,
    ],
    ['a text beyond the limit', text('x'.repeat(300_000)), 'SELECT ?', /longer than/],
  ])('%s', async (_, vector, sql, message) => {
    const failure = await bound(sql, rowsOf(vector)).then(
      () => null,
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ message: expect.stringMatching(message) });
    expect(failure).toMatchObject({ code: expect.stringMatching(/^sql\.(parameter|limit)$/) });
    expect(String(failure)).not.toMatch(/abc|3\.5|300\b|1500|xxx/);
  });

  test.each<[string, Table, string]>([
    ['too few', rowsOf(int(1n)), 'sql.parameter'],
    ['too many', rowsOf(int(1n), int(1n), int(1n)), 'sql.parameter'],
    ['no row', rowsOf(int(), int()), 'sql.parameter'],
    ['too many rows', rowsOf(int(...Array<bigint>(1001).fill(1n)), int(...Array<bigint>(1001).fill(1n))), 'sql.limit'],
  ])('%s', async (_, rows, code) => {
    await expect(bound('SELECT name FROM people WHERE id = ? AND id > ?', rows)).rejects.toMatchObject({ code });
  });

  test('a size is judged by its value', async () => {
    const sql = "SELECT repeat('x', ?)";
    expect(await bound(sql, rowsOf(int(10n)))).toHaveLength(1);
    await expect(bound(sql, rowsOf(int(10n ** 9n)))).rejects.toMatchObject({ code: 'sql.limit' });
    await expect(bound(sql, rowsOf(text('1000000000')))).rejects.toMatchObject({ code: 'sql.limit' });
    await expect(bound(sql, rowsOf(column([1e9], new Float64())))).rejects.toMatchObject({ code: 'sql.limit' });
    await expect(bound("SELECT repeat('x', ?) FROM people WHERE id = ?", rowsOf(int(1n, 10n ** 9n), int(1n, 1n)))).rejects.toMatchObject({
      code: 'sql.limit',
    });
  });

  test('an endless list of nothing is refused before it is built', async () => {
    const type = new List(new Field('item', new Null(), true));
    const child = makeData({ type: new Null(), length: 2 ** 31 - 1 });
    const data = makeData({ type, length: 1, valueOffsets: Int32Array.of(0, 2 ** 31 - 1), child });
    await expect(bound('SELECT ?', rowsOf(new Vector([data])))).rejects.toMatchObject({ code: 'sql.parameter' });
  });
});

test('a statement has at most 1,000 parameters', async () => {
  await expect(prepare(`SELECT ${'?,'.repeat(1000)} ?`)).rejects.toMatchObject({ code: 'sql.limit' });
});

describe('statements that are no query', () => {
  test('EXPLAIN POLICY judges the values', async () => {
    const pathOf = async (place: bigint): Promise<unknown> => {
      const { handle } = await prepare('EXPLAIN POLICY SELECT substring(name, ?, 2) FROM people');
      const ready = fixture.planner.bindParameters(handle, ana, rowsOf(int(place)));
      const { audit, tickets } = await fixture.planner.planPrepared(ready, ana, OPTIONS);
      expect(fixture.open(tickets[0]).task.kind).toBe('inline');
      return audit.decisions[0]?.path;
    };
    expect(await pathOf(1n)).toBe('plain');
    expect(await pathOf(100_000n)).toBe('barrier');
  });

  test('INSERT takes many rows, all else one', async () => {
    const rows = rowsOf(int(1n, 2n), text('a', null));
    expect(await bound('INSERT INTO scratch.notes (id, note) VALUES (?, ?)', rows)).toEqual([
      "VALUES ( CAST(1 AS BIGINT) ,  CAST('a' AS VARCHAR) )",
      'VALUES ( CAST(2 AS BIGINT) ,  CAST(NULL AS VARCHAR) )',
    ]);
    await expect(bound('CREATE TABLE scratch.x AS SELECT ? AS a, ? AS b', rows)).rejects.toMatchObject({ code: 'sql.parameter' });
    await expect(bound('EXPLAIN POLICY SELECT ?, ?', rows)).rejects.toMatchObject({ code: 'sql.parameter' });
    expect(await bound('CREATE TABLE scratch.x AS SELECT ? AS a', rowsOf(text('one')))).toEqual(["SELECT  CAST('one' AS VARCHAR)  AS a"]);
  });

  test('EXPLAIN POLICY AS USER takes values too, under that user’s policy', async () => {
    const sql = "EXPLAIN POLICY AS USER 'ana' SELECT name FROM people WHERE name = ?";
    const { handle, parameters } = await prepare(sql, olga);
    expect(parameters.fields.map(({ type }) => String(type))).toEqual(['Utf8']);
    const ready = fixture.planner.bindParameters(handle, olga, rowsOf(text('x')));
    expect((await fixture.planner.planPrepared(ready, olga, OPTIONS)).audit.decisions[0]?.grants).toEqual(['a1']);
  });
});
