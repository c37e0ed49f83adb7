/** FlightData streams of rows that a client sends, valid and broken: headers, bodies, lengths, orders. For fuzzing. */
import {
  Binary,
  Bool,
  type DataType,
  DateDay,
  DurationMicrosecond,
  Field,
  Float64,
  Int32,
  Int64,
  List,
  Null,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Table,
  TimeNanosecond,
  Timestamp,
  tableFromArrays,
  Uint8,
  Utf8,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import fc from 'fast-check';
import { encode } from '../flight-messages.ts';
import { mutated } from './protobuf-bytes.ts';

export interface Part {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}

/** Cuts an IPC stream into its messages. */
export function partsOf(table: Table): Part[] {
  const stream = Buffer.from(RecordBatchStreamWriter.writeAll(table).toUint8Array(true));
  const parts: Part[] = [];
  for (let at = 0; at + 8 <= stream.length; ) {
    const length = stream.readInt32LE(at + 4);
    if (length === 0) break;
    const header = stream.subarray(at + 8, at + 8 + length);
    const bodyAt = at + 8 + length;
    const bodyLength = bodyLengthOf(header);
    parts.push({ header, body: stream.subarray(bodyAt, bodyAt + bodyLength) });
    at = bodyAt + bodyLength;
  }
  return parts;
}

/** Message.bodyLength, field 3 of the flatbuffer's root table. */
function bodyLengthOf(header: Buffer): number {
  const root = header.readInt32LE(0);
  const vtable = root - header.readInt32LE(root);
  const slot = vtable + 4 + 3 * 2;
  const offset = slot < vtable + header.readUInt16LE(vtable) ? header.readUInt16LE(slot) : 0;
  return offset === 0 ? 0 : Number(header.readBigInt64LE(root + offset));
}

export const SAMPLE_TABLES: readonly Table[] = [
  tableFromArrays({ '0': Int32Array.of(1, 2, 3) }),
  tableFromArrays({ '0': ['a', 'b', null], '1': Float64Array.of(1, 2, 3) }),
  new Table({ '0': vectorFromArray(['x', 'y', 'x']) }),
  new Table({ '0': vectorFromArray([[1, 2], [], null], new List(new Field('item', new Int32(), true))) }),
  new Table({
    '0': vectorFromArray([{ a: 1n, b: true }, null], new Struct([new Field('a', new Int64(), true), new Field('b', new Bool(), true)])),
  }),
  new Table(new Schema([new Field('0', new Utf8(), true), new Field('1', new Float64(), true)])),
];

/** FlightData messages; the first carries the descriptor. */
export function frames(parts: readonly Part[], descriptor: Fields | undefined): Buffer[] {
  return parts.map(({ header, body }, index) => {
    const first = index === 0 && descriptor !== undefined ? { flight_descriptor: descriptor } : {};
    return Buffer.from(encode('FlightData', { ...first, data_header: header, data_body: body }));
  });
}

type Fields = Readonly<Record<string, unknown>>;

/** A stream with one thing or more wrong: a header, a body, the order, the frame around it. */
export function brokenStream(descriptors: readonly Fields[]): fc.Arbitrary<Buffer[]> {
  const descriptor = fc.constantFrom(...descriptors);
  const table = fc.constantFrom(...SAMPLE_TABLES).map(partsOf);
  const inside = table.chain((parts) =>
    fc
      .array(fc.tuple(fc.nat(parts.length - 1), fc.constantFrom<'header' | 'body'>('header', 'body')), { minLength: 1, maxLength: 2 })
      .chain((places) =>
        fc.tuple(
          ...places.map(([index, side]) =>
            mutated(fc.constant(parts[index]?.[side] ?? new Uint8Array())).map((bytes) => ({ index, side, bytes })),
          ),
        ),
      )
      .map((changes) =>
        changes.reduce<Part[]>(
          (now, { index, side, bytes }) => now.map((part, i) => (i === index ? { ...part, [side]: bytes } : part)),
          parts,
        ),
      ),
  );
  const shuffled = fc.tuple(table, table).chain(([a, b]) => fc.shuffledSubarray([...a, ...b], { minLength: 0 }));
  return fc.oneof(
    { weight: 5, arbitrary: fc.tuple(inside, descriptor).map(([parts, one]) => frames(parts, one)) },
    fc.tuple(shuffled, descriptor).map(([parts, one]) => frames(parts, one)),
    fc
      .tuple(table, descriptor)
      .chain(([parts, one]) => fc.tuple(...frames(parts, one).map((frame) => fc.oneof(fc.constant(frame), mutated(fc.constant(frame)))))),
    fc.tuple(table, descriptor).map(([parts]) => frames(parts, undefined)),
  );
}

const nasty = fc.oneof(
  fc.constantFrom('', "'", '"', "';--", '\0', '\u{1f642}', '?', '$1', 'NaN', '1e400', '%', 'x'.repeat(100_000)),
  fc.string({ unit: 'binary', maxLength: 30 }),
);
const limits = fc.constantFrom(0n, 1n, -1n, 2n ** 31n, -(2n ** 31n) - 1n, 2n ** 63n - 1n, -(2n ** 63n));
const reals = fc.oneof(fc.double(), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, -0, 5e-324, Number.MAX_VALUE));
const int64 = (values: (bigint | null)[], type: DataType): Vector =>
  vectorFromArray(values, new Int64()).data.map((data) => new Vector([data.clone(type)]))[0] ?? new Vector([]);

/** A column of one type, with values at its edges and nulls. */
const flatColumn: fc.Arbitrary<Vector> = fc.oneof(
  fc.array(fc.option(nasty), { maxLength: 4 }).map((values) => vectorFromArray(values, new Utf8())),
  fc.array(fc.option(nasty), { maxLength: 4 }).map((values) => vectorFromArray(values)),
  fc.array(fc.option(fc.uint8Array({ maxLength: 20 })), { maxLength: 4 }).map((values) => vectorFromArray(values, new Binary())),
  fc.array(fc.option(limits), { maxLength: 4 }).map((values) => vectorFromArray(values, new Int64())),
  fc.array(fc.option(fc.nat(255)), { maxLength: 4 }).map((values) => vectorFromArray(values, new Uint8())),
  fc.array(fc.option(reals), { maxLength: 4 }).map((values) => vectorFromArray(values, new Float64())),
  fc.array(fc.option(fc.boolean()), { maxLength: 4 }).map((values) => vectorFromArray(values, new Bool())),
  fc.array(fc.option(fc.integer()), { maxLength: 4 }).map((values) => vectorFromArray(values, new DateDay())),
  fc
    .tuple(fc.array(fc.option(limits), { maxLength: 4 }), fc.constantFrom(0, 1, 2, 3))
    .map(([values, unit]) => int64(values, new Timestamp(unit))),
  fc
    .tuple(fc.array(fc.option(limits), { maxLength: 4 }), fc.constantFrom('UTC', 'Europe/Berlin', 'Nowhere/At_All', "'"))
    .map(([values, zone]) => int64(values, new Timestamp(2, zone))),
  fc.array(fc.option(limits), { maxLength: 4 }).map((values) => int64(values, new TimeNanosecond())),
  fc.array(fc.option(limits), { maxLength: 4 }).map((values) => int64(values, new DurationMicrosecond())),
  fc.array(fc.constant(null), { maxLength: 4 }).map((values) => vectorFromArray(values, new Null())),
);
const listColumn: fc.Arbitrary<Vector> = fc
  .array(fc.option(fc.array(fc.integer(), { maxLength: 3 })), { maxLength: 4 })
  .map((values) => vectorFromArray([[0], ...values], new List(new Field('item', new Int32(), true))));

/** One column of any kind, or up to three flat ones. */
export const anyRows: fc.Arbitrary<Table> = fc.oneof(
  { weight: 4, arbitrary: fc.oneof({ weight: 12, arbitrary: flatColumn }, listColumn).map((column) => new Table({ '0': column })) },
  fc
    .array(flatColumn, { maxLength: 3 })
    .map((columns) => new Table(Object.fromEntries(columns.map((column, index) => [String(index), column])))),
);
