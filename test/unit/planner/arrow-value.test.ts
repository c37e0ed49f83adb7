import {
  Binary,
  BinaryView,
  type Data,
  type DataType,
  DateDay,
  DateMillisecond,
  Decimal,
  DenseUnion,
  Dictionary,
  DurationNanosecond,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float16,
  Float32,
  Int8,
  Int16,
  Int32,
  Int64,
  Interval,
  IntervalUnit,
  LargeBinary,
  LargeUtf8,
  List,
  Map_,
  makeData,
  Null,
  SparseUnion,
  Struct,
  TimeNanosecond,
  TimeSecond,
  TimestampNanosecond,
  TimestampSecond,
  Uint8,
  Utf8,
  Utf8View,
  vectorFromArray,
} from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import { readValue } from '#src/planner/arrow-value.js';
import { literalOf } from '#src/sql/index.js';

const budget = () => ({ values: 1000, bytes: 1000 });
const first = (values: readonly unknown[], type: DataType): Data => {
  const [data] = vectorFromArray(values as never, type as never).data;
  return data ?? expect.fail('no data');
};
/** The first value as a constant of a type. */
const literal = (data: Data, type: string, row = 0): string => literalOf(readValue(data, row, budget()), type).text;

describe('every type of Arrow becomes a constant, exactly', () => {
  test.each<[string, Data, string, string]>([
    ['int8', first([-128], new Int8()), 'TINYINT', 'CAST(-128 AS TINYINT)'],
    ['uint8', first([255], new Uint8()), 'UTINYINT', 'CAST(255 AS UTINYINT)'],
    ['int16', first([-5], new Int16()), 'BIGINT', 'CAST(-5 AS BIGINT)'],
    ['int64', first([2n ** 63n - 1n], new Int64()), 'BIGINT', 'CAST(9223372036854775807 AS BIGINT)'],
    ['float16', first([1.5], new Float16()), 'DOUBLE', 'CAST(1.5e+0 AS DOUBLE)'],
    ['float32', first([0.25], new Float32()), 'FLOAT', 'CAST(2.5e-1 AS FLOAT)'],
    ['utf8', first(['é'], new Utf8()), 'VARCHAR', "CAST('é' AS VARCHAR)"],
    ['large_utf8', first(['é'], new LargeUtf8()), 'VARCHAR', "CAST('é' AS VARCHAR)"],
    ['binary', first([Uint8Array.of(1, 92)], new Binary()), 'BLOB', "CAST('\\x01\\x5c' AS BLOB)"],
    ['large_binary', first([Uint8Array.of(1)], new LargeBinary()), 'BLOB', "CAST('\\x01' AS BLOB)"],
    ['fixed_size_binary', first([Uint8Array.of(1, 2)], new FixedSizeBinary(2)), 'BLOB', "CAST('\\x01\\x02' AS BLOB)"],
    ['date32', makeData({ type: new DateDay(), length: 1, data: Int32Array.of(-719_162) }), 'DATE', "CAST('0001-01-01' AS DATE)"],
    [
      'date64',
      makeData({ type: new DateMillisecond(), length: 1, data: BigInt64Array.of(86_400_000n) }),
      'DATE',
      "CAST('1970-01-02' AS DATE)",
    ],
    [
      'timestamp[s]',
      makeData({ type: new TimestampSecond(), length: 1, data: BigInt64Array.of(-1n) }),
      'TIMESTAMP',
      "CAST('1969-12-31 23:59:59' AS TIMESTAMP)",
    ],
    [
      'timestamp[ns, tz]',
      makeData({ type: new TimestampNanosecond('Asia/Tokyo'), length: 1, data: BigInt64Array.of(1_000n) }),
      'TIMESTAMP WITH TIME ZONE',
      "CAST('1970-01-01 00:00:00.000001+00' AS TIMESTAMP WITH TIME ZONE)",
    ],
    ['time32[s]', makeData({ type: new TimeSecond(), length: 1, data: Int32Array.of(86_399) }), 'TIME', "CAST('23:59:59' AS TIME)"],
    [
      'time64[ns]',
      makeData({ type: new TimeNanosecond(), length: 1, data: BigInt64Array.of(1n) }),
      'TIME',
      "CAST(CAST('00:00:00.000000001' AS TIME_NS) AS TIME)",
    ],
    [
      'duration[ns]',
      makeData({ type: new DurationNanosecond(), length: 1, data: BigInt64Array.of(-5_000n) }),
      'INTERVAL',
      "CAST('-5 microseconds' AS INTERVAL)",
    ],
    [
      'interval months',
      makeData({ type: new Interval(IntervalUnit.YEAR_MONTH), length: 1, data: Int32Array.of(-13) }),
      'INTERVAL',
      "CAST('-13 months' AS INTERVAL)",
    ],
    [
      'interval days',
      makeData({ type: new Interval(IntervalUnit.DAY_TIME), length: 1, data: Int32Array.of(2, -3) }),
      'INTERVAL',
      "CAST('2 days -3 milliseconds' AS INTERVAL)",
    ],
    [
      'interval all',
      makeData({ type: new Interval(IntervalUnit.MONTH_DAY_NANO), length: 1, data: Int32Array.of(1, 2, -1000, -1) }),
      'INTERVAL',
      "CAST('1 months 2 days -1 microseconds' AS INTERVAL)",
    ],
    [
      'decimal256',
      makeData({ type: new Decimal(3, 10, 256), length: 1, data: Uint32Array.of(5, 0, 0, 0, 0, 0, 0, 0) }),
      'DECIMAL(10,3)',
      'CAST(0.005 AS DECIMAL(10,3))',
    ],
    ['null', makeData({ type: new Null(), length: 1 }), 'DATE', 'CAST(NULL AS DATE)'],
    [
      'fixed_size_list',
      first([[1, 2]], new FixedSizeList(2, new Field('item', new Int32(), true))),
      'INTEGER[2]',
      'CAST([1, 2] AS INTEGER[2])',
    ],
    [
      'list of structs',
      first([[{ a: 'x' }, null]], new List(new Field('item', new Struct([new Field('a', new Utf8(), true)]), true))),
      'STRUCT(a VARCHAR)[]',
      'CAST([{"a": \'x\'}, NULL] AS STRUCT(a VARCHAR)[])',
    ],
    ['an empty list', first([[]], new List(new Field('item', new Int32(), true))), 'INTEGER[]', 'CAST([] AS INTEGER[])'],
  ])('%s', (_, data, type, expected) => {
    expect(literal(data, type)).toBe(expected);
  });

  test('views', () => {
    for (const [type, value, expected] of [
      [new Utf8View(), 'a text longer than what fits inline', "CAST('a text longer than what fits inline' AS VARCHAR)"],
      [new BinaryView(), Uint8Array.of(7), "CAST(CAST('\\x07' AS BLOB) AS VARCHAR)"],
    ] as const)
      expect(literal(first([value], type), 'VARCHAR')).toBe(expected);
  });

  test('unions give their member, dense or sparse', () => {
    const fields = [new Field('s', new Utf8(), true), new Field('i', new Int32(), true)];
    const dense = makeData({
      type: new DenseUnion([5, 7], fields),
      length: 2,
      typeIds: Int8Array.of(7, 5),
      valueOffsets: Int32Array.of(0, 0),
      children: [first(['x'], new Utf8()), first([3], new Int32())],
    });
    expect([0, 1].map((row) => literal(dense, 'VARCHAR', row))).toEqual(['CAST(3 AS VARCHAR)', "CAST('x' AS VARCHAR)"]);
    const sparse = makeData({
      type: new SparseUnion([0, 1], fields),
      length: 2,
      typeIds: Int8Array.of(1, 0),
      children: [first(['', 'x'], new Utf8()), first([3, 0], new Int32())],
    });
    expect([0, 1].map((row) => literal(sparse, 'VARCHAR', row))).toEqual(['CAST(3 AS VARCHAR)', "CAST('x' AS VARCHAR)"]);
  });
});

describe('what can not be bound says why, and not what', () => {
  test.each<[string, Data, RegExp]>([
    [
      'a map',
      first(
        [new Map([['a', 1]])],
        new Map_(
          new Field(
            'entries',
            new Struct<{ key: Utf8; value: Int32 }>([new Field('key', new Utf8()), new Field('value', new Int32(), true)]),
            false,
          ),
        ),
      ),
      /Arrow type Map/,
    ],
    ['a decimal of 39 digits', makeData({ type: new Decimal(0, 39, 256), length: 1, data: new Uint32Array(8) }), /38 digits/],
    ['a decimal of a negative scale', makeData({ type: new Decimal(-2, 10, 128), length: 1, data: new Uint32Array(4) }), /negative scale/],
    ['a far date', makeData({ type: new DateDay(), length: 1, data: Int32Array.of(2_932_897) }), /years 1 to 9999/],
    ['a time beyond midnight', makeData({ type: new TimeSecond(), length: 1, data: Int32Array.of(86_401) }), /outside of a day/],
    [
      'a union without its member',
      makeData({
        type: new DenseUnion([0], [new Field('s', new Utf8(), true)]),
        length: 1,
        typeIds: Int8Array.of(3),
        valueOffsets: Int32Array.of(0),
        children: [first(['x'], new Utf8())],
      }),
      /member/,
    ],
    [
      'a list beyond its values',
      makeData({
        type: new List(new Field('item', new Int32(), true)),
        length: 1,
        valueOffsets: Int32Array.of(0, 9),
        child: makeData({ type: new Int32(), length: 1, data: Int32Array.of(1) }),
      }),
      /longer/,
    ],
    [
      'a dictionary without its value',
      makeData({
        type: new Dictionary(new Utf8(), new Int32()),
        length: 1,
        data: Int32Array.of(4),
        dictionary: vectorFromArray(['x'], new Utf8()),
      }),
      /dictionary/,
    ],
    ['a nameless member', first([{ '': 1 }], new Struct([new Field('', new Int32(), true)])), /readable name/],
    ['a NUL', first(['a\0'], new Utf8()), /NUL/],
    ['too many values', first([Array(1001).fill(1)], new List(new Field('item', new Int32(), true))), /too much/],
    ['too long a text', first(['x'.repeat(1001)], new Utf8()), /too much/],
  ])('%s', (_, data, message) => {
    expect(() => literal(data, 'VARCHAR')).toThrow(message);
  });

  test('one text many times over counts each time', () => {
    const dictionary = makeData({
      type: new Dictionary(new Utf8(), new Int32()),
      length: 3,
      data: Int32Array.of(0, 0, 0),
      dictionary: vectorFromArray(['x'.repeat(400)], new Utf8()),
    });
    const shared = budget();
    readValue(dictionary, 0, shared);
    readValue(dictionary, 1, shared);
    expect(() => readValue(dictionary, 2, shared)).toThrow('too much');
  });
});

describe('whether a type keeps a value', () => {
  const keeps = (data: Data, type: string): string | null => literalOf(readValue(data, 0, budget()), type).keeps;

  test('is asked where a cast could change or refuse it', () => {
    expect(keeps(first([5], new Int32()), 'INTEGER')).toBeNull();
    expect(keeps(first([5], new Int32()), 'VARCHAR')).toBeNull();
    expect(keeps(first([null], new Int32()), 'DATE')).toBeNull();
    expect(keeps(first([5], new Int32()), 'TINYINT')).toBe('TRY_CAST(5 AS TINYINT) = 5');
    expect(keeps(first([5], new Int32()), 'FLOAT')).toBe('TRY_CAST(5 AS FLOAT) IS NOT NULL');
    expect(keeps(first(["it's"], new Utf8()), 'DATE')).toBe("TRY_CAST('it''s' AS DATE) IS NOT NULL");
    expect(keeps(makeData({ type: new TimestampSecond(), length: 1, data: BigInt64Array.of(1n) }), 'DATE')).toBe(
      "TRY_CAST(CAST('1970-01-01 00:00:01' AS TIMESTAMP) AS DATE) = CAST('1970-01-01 00:00:01' AS TIMESTAMP)",
    );
  });
});
