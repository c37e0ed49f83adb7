import {
  Bool,
  type Data,
  DenseUnion,
  Dictionary,
  Field,
  Int32,
  List,
  Map_,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimestampMicrosecond,
  tableFromIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { END_OF_STREAM, encapsulate, encapsulatedSchema } from '#src/wire/index.js';
import { checkMessage } from '#src/wire/ipc-check.js';
import { SEED } from '../../support/seed.ts';

const malformed = expect.objectContaining({ code: 'request.malformed' });

const utf8 = new Utf8();
const wide: Schema = new Schema(
  [
    new Field('n', new Int32(), false, new Map([['k', 'v']])),
    new Field('t', new TimestampMicrosecond('Europe/Zurich')),
    new Field('l', new List(new Field('item', new Struct([new Field('s', utf8)])))),
    new Field('d', new Dictionary(utf8, new Int32())),
    new Field('u', new DenseUnion([0, 1], [new Field('a', new Int32()), new Field('b', utf8)])),
    new Field(
      'm',
      new Map_(
        new Field('entries', new Struct<{ key: Utf8; value: Utf8 }>([new Field('key', utf8, false), new Field('value', utf8)]), false),
      ),
    ),
  ],
  new Map([['schema', 'metadata']]),
);

/** Messages as FlightData carries them. */
function messagesOf(stream: Uint8Array): { header: Uint8Array; body: Uint8Array }[] {
  const messages = [];
  for (let at = 0; at + 8 <= stream.length; ) {
    const view = new DataView(stream.buffer, stream.byteOffset + at);
    const length = view.getInt32(4, true);
    if (length === 0) break;
    const header = stream.subarray(at + 8, at + 8 + length);
    const bodyBytes = bodyLengthOf(header);
    messages.push({ header, body: stream.subarray(at + 8 + length, at + 8 + length + bodyBytes) });
    at += 8 + length + bodyBytes;
  }
  return messages;
}

function bodyLengthOf(header: Uint8Array): number {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const root = view.getUint32(0, true);
  const list = root - view.getInt32(root, true);
  const offset = view.getUint16(list, true) > 10 ? view.getUint16(list + 10, true) : 0;
  return offset === 0 ? 0 : Number(view.getBigInt64(root + offset, true));
}

const column = vectorFromArray(['a', 'b', null, 'a'], new Dictionary(utf8, new Int32()));
const texts = vectorFromArray(['x', 'y', null, 'z'], utf8);
const flags = vectorFromArray([true, null, false, true], new Bool());
const schema: Schema = new Schema([new Field('d', column.type), new Field('s', utf8), new Field('b', new Bool())]);
const children: Data[] = [column, texts, flags].flatMap(({ data: [data] }) => (data === undefined ? [] : [data]));
const rows: Data<Struct> = makeData({ type: new Struct(schema.fields), length: 4, nullCount: 0, children });
const batch = new RecordBatch(schema, rows);
const stream = RecordBatchStreamWriter.writeAll([batch]).toUint8Array(true);
const messages = messagesOf(stream);

describe('what clients send', () => {
  test('passes, and reads back as it was', () => {
    expect(messages.length).toBeGreaterThanOrEqual(3);
    const again = Buffer.concat([...messages.map(({ header, body }) => encapsulate(header, body)), END_OF_STREAM]);
    expect(
      tableFromIPC(again)
        .toArray()
        .map((row) => row.toJSON()),
    ).toEqual(
      tableFromIPC(stream)
        .toArray()
        .map((row) => row.toJSON()),
    );
  });

  test('schemas of every shape pass', () => {
    expect(checkMessage(encapsulatedSchema(wide).subarray(8), 0)).toBe(0);
    expect(checkMessage(encapsulatedSchema(new Schema([])).subarray(8), 0)).toBe(0);
  });

  test('a body may lack its padding, but not more', () => {
    const last = messages.at(-1);
    if (last === undefined) throw new Error('no message');
    expect(encapsulate(last.header, last.body.subarray(0, -7)).length).toBe(encapsulate(last.header, last.body).length);
    expect(() => encapsulate(last.header, last.body.subarray(0, -8))).toThrow(malformed);
    expect(() => encapsulate(last.header, Buffer.concat([last.body, Buffer.alloc(1)]))).toThrow(malformed);
  });
});

describe('what attackers send', () => {
  test('a header cut at any byte passes whole or is malformed', () => {
    for (const { header, body } of messages) {
      for (let length = 0; length < header.length; length++)
        expect(outcome(header.subarray(0, length), body.length)).toBeOneOf(['ok', 'malformed']);
    }
  });

  test('any byte changed: never another error, and a reader never runs away', () => {
    const indexes = messages.flatMap(({ header }, index) => Array.from(header, (_, at) => [index, at] as const));
    for (const [index, at] of indexes) {
      for (const value of [0, 0x7f, 0xff]) {
        const changed = messages.map(({ header, body }, own) => ({ header: own === index ? withByte(header, at, value) : header, body }));
        readAll(changed);
      }
    }
  });

  test('random changes: the same', () => {
    const change = fc.tuple(fc.nat({ max: messages.length - 1 }), fc.nat(), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const changed = messages.map(({ header, body }) => ({ header: Uint8Array.from(header), body }));
        for (const [index, at, value] of changes) {
          const target = changed[index]?.header;
          if (target !== undefined) target[at % target.length] = value;
        }
        readAll(changed);
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  test('garbage is malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(outcome(bytes, 0)).toBeOneOf(['ok', 'malformed']);
      }),
      { seed: SEED, numRuns: 2000 },
    );
    expect(outcome(new Uint8Array(0), 0)).toBe('malformed');
    expect(outcome(new Uint8Array(5 * 1024 ** 2), 0)).toBe('malformed');
  });
});

function outcome(header: Uint8Array, bodyBytes: number): string {
  try {
    checkMessage(header, bodyBytes);
    return 'ok';
  } catch (error) {
    expect(error).toEqual(malformed);
    return 'malformed';
  }
}

/** What passes the check is handed to the reader, which may refuse it but must come back soon. */
function readAll(changed: readonly { header: Uint8Array; body: Uint8Array }[]): void {
  let parts: Uint8Array[];
  try {
    parts = changed.map(({ header, body }) => encapsulate(header, body));
  } catch (error) {
    expect(error).toEqual(malformed);
    return;
  }
  try {
    void tableFromIPC(Buffer.concat([...parts, END_OF_STREAM])).numRows;
  } catch {
    // The reader's own refusal; `put.ts` turns it into request.malformed.
  }
}

function withByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[at] = value;
  return changed;
}
