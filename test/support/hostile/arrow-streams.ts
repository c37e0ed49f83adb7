/** FlightData streams of rows that a client sends, valid and broken: headers, bodies, lengths, orders. For fuzzing. */
import {
  Bool,
  Field,
  Float64,
  Int32,
  Int64,
  List,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Table,
  tableFromArrays,
  Utf8,
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
