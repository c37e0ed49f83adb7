/** Types, through the thread itself: what Parquet keeps, what is read differently, what is refused. */
import {
  type DataType,
  DateMillisecond,
  Decimal,
  Dictionary,
  Duration,
  Field,
  Int32,
  IntervalYearMonth,
  List,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimeSecond,
  Timestamp,
  TimeUnit,
  Utf8,
} from 'apache-arrow';
import { afterAll, expect, test } from 'vitest';
import { createIpcConverter } from '#src/worker/ipc-parquet.js';

const converter = createIpcConverter(60_000);

afterAll(async () => {
  await converter[Symbol.asyncDispose]();
});

function convert(type: DataType) {
  const writer = new RecordBatchStreamWriter();
  writer.reset(undefined, new Schema([new Field('v', type, true)]));
  writer.finish();
  return converter.convert(writer.toUint8Array(true), new AbortController().signal);
}

const seconds = new Timestamp(TimeUnit.SECOND);

test.each([
  ['same', new Utf8()],
  ['same', new Decimal(2, 10, 128)],
  ['same', new Dictionary(new Utf8(), new Int32())],
  ['same', new List(new Field('item', new Struct([new Field('a', new Int32(), true)]), true))],
  ['seconds', seconds],
  ['time of seconds', new TimeSecond()],
  ['date of milliseconds', new DateMillisecond()],
] as const)('read as %s: %s', async (reading, type) => {
  expect((await convert(type)).columns).toEqual([{ name: 'v', reading }]);
});

test.each([
  new Duration(TimeUnit.SECOND),
  new IntervalYearMonth(),
  new Decimal(2, 50, 256),
  new List(new Field('item', seconds, true)),
  new Struct([new Field('a', new DateMillisecond(), true)]),
  new Dictionary(seconds, new Int32()),
])('refused, and the thread goes on: %s', async (type) => {
  await expect(convert(type)).rejects.toMatchObject({ code: 'sql.type', message: expect.stringContaining('"v"') });
});

test('a file too large for its memory ends the thread, not the process', async () => {
  const large = createIpcConverter(60_000);
  const huge = Buffer.alloc(600 * 1024 ** 2);
  await expect(large.convert(huge, new AbortController().signal)).rejects.toMatchObject({ code: 'request.malformed' });
  await large[Symbol.asyncDispose]();
});
