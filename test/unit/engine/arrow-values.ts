/** Reads batches back with apache-arrow into plain values that DuckDB's own rows can be compared with. */

import {
  DuckDBArrayValue,
  DuckDBBitValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBIntervalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeTZValue,
  DuckDBTimeValue,
  DuckDBUnionValue,
  DuckDBUUIDValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import { type Data, type RecordBatch, type Schema, Type, tableFromIPC } from 'apache-arrow';
import type { BatchSource } from '#src/model.js';

export interface Collected {
  readonly schema: Schema;
  readonly batches: readonly RecordBatch[];
  readonly rows: unknown[][];
  /** Bytes of header and body of each batch. */
  readonly sizes: readonly number[];
}

/** Drains and disposes a source. */
export async function collect(source: BatchSource): Promise<Collected> {
  const messages: { header: Uint8Array; body: Uint8Array }[] = [];
  const counts: number[] = [];
  try {
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      messages.push({ header: batch.header, body: Uint8Array.from(batch.body) });
      counts.push(batch.rows);
      batch.release();
    }
  } finally {
    await source[Symbol.asyncDispose]();
  }
  const table = tableFromIPC(ipcStream(source.schemaHeader, messages));
  const batches = messages.length === 0 ? [] : table.batches;
  const rows = batches.flatMap(readRows);
  if (rows.length !== counts.reduce((sum, count) => sum + count, 0)) throw new Error('row counts differ from the batches');
  return { schema: table.schema, batches, rows, sizes: messages.map(({ header, body }) => header.length + body.length) };
}

export function ipcStream(schema: Uint8Array, messages: readonly { header: Uint8Array; body: Uint8Array }[]): Uint8Array {
  const parts = [
    frame(schema),
    ...messages.flatMap(({ header, body }) => [frame(header), body]),
    new Uint8Array([255, 255, 255, 255, 0, 0, 0, 0]),
  ];
  return Buffer.concat(parts);
}

function frame(header: Uint8Array): Uint8Array {
  const padded = Math.ceil(header.length / 8) * 8;
  const framed = Buffer.alloc(8 + padded);
  framed.writeUInt32LE(0xffffffff, 0);
  framed.writeInt32LE(padded, 4);
  framed.set(header, 8);
  return framed;
}

function readRows(batch: RecordBatch): unknown[][] {
  return Array.from({ length: batch.numRows }, (_, row) => batch.data.children.map((child) => readValue(child, row)));
}

function readValue(data: Data, row: number): unknown {
  const type = data.type;
  if (type.typeId !== Type.Union && (type.typeId === Type.Null || !data.getValid(row))) return null;
  const at = row + data.offset;
  switch (type.typeId) {
    case Type.Bool:
      return ((data.values[at >> 3] ?? 0) & (1 << (at & 7))) !== 0;
    case Type.Utf8:
      return new TextDecoder().decode(bytesAt(data, at));
    case Type.Binary:
      return `x${Buffer.from(bytesAt(data, at)).toString('hex')}`;
    case Type.Decimal:
      return readInteger(data.values, at);
    case Type.Interval: {
      const [months, days, low, high] = data.values.subarray(4 * at, 4 * at + 4) as Int32Array;
      const nanos = (BigInt(high ?? 0) << 32n) | BigInt((low ?? 0) >>> 0);
      return { months, days, micros: nanos / 1000n };
    }
    case Type.Float:
      return data.values[at];
    case Type.List:
      return readChildren(data, row);
    case Type.Map:
      return readChildren(data, row);
    case Type.FixedSizeList: {
      const size = (type as unknown as { listSize: number }).listSize;
      return Array.from({ length: size }, (_, index) => readValue(child(data, 0), at * size + index));
    }
    case Type.Struct:
      return data.children.map((member) => readValue(member, row));
    case Type.Union: {
      const tag = data.typeIds[at] ?? 0;
      const value = readValue(child(data, tag), at);
      // Arrow's unions have no bitmap: a NULL is a NULL in a member.
      return value === null ? null : { tag: data.type.children[tag]?.name, value };
    }
    default:
      return BigInt(data.values[at]);
  }
}

function child(data: Data, index: number): Data {
  const found = data.children[index];
  if (found === undefined) throw new Error('missing child');
  return found;
}

function readChildren(data: Data, row: number): unknown[] {
  const start = data.valueOffsets[row] ?? 0;
  const end = data.valueOffsets[row + 1] ?? 0;
  return Array.from({ length: end - start }, (_, index) => readValue(child(data, 0), start + index));
}

function bytesAt(data: Data, at: number): Uint8Array {
  return data.values.subarray(data.valueOffsets[at], data.valueOffsets[at + 1]);
}

function readInteger(words: Uint32Array, at: number): bigint {
  let value = 0n;
  for (let word = 3; word >= 0; word--) value = (value << 32n) | BigInt((words[4 * at + word] ?? 0) >>> 0);
  return BigInt.asIntN(128, value);
}

/** A class, whatever its constructor takes. */
interface Class<T> {
  readonly prototype: T;
  [Symbol.hasInstance](value: unknown): boolean;
}

interface Form {
  readonly type: Class<unknown>;
  readonly plain: (value: object) => unknown;
}

function form<T extends object>(type: Class<T>, plain: (value: T) => unknown): Form {
  // Looked up by instanceof below, so the value has the type.
  return { type, plain: plain as Form['plain'] };
}

const FORMS: readonly Form[] = [
  form(DuckDBDecimalValue, ({ value }) => value),
  form(DuckDBDateValue, ({ days }) => BigInt(days)),
  form(DuckDBTimeValue, ({ micros }) => micros),
  form(DuckDBTimeTZValue, ({ micros }) => micros),
  form(DuckDBTimestampValue, ({ micros }) => micros),
  form(DuckDBTimestampTZValue, ({ micros }) => micros),
  form(DuckDBTimestampSecondsValue, ({ seconds }) => seconds),
  form(DuckDBTimestampMillisecondsValue, ({ millis }) => millis),
  form(DuckDBTimestampNanosecondsValue, ({ nanos }) => nanos),
  form(DuckDBIntervalValue, ({ months, days, micros }) => ({ months, days, micros })),
  form(DuckDBBlobValue, ({ bytes }) => hex(bytes)),
  form(DuckDBBitValue, String),
  form(DuckDBUUIDValue, String),
  form(DuckDBListValue, ({ items }) => items.map(plainValue)),
  form(DuckDBArrayValue, ({ items }) => items.map(plainValue)),
  form(DuckDBStructValue, ({ entries }) => Object.values(entries).map(plainValue)),
  form(DuckDBMapValue, ({ entries }) => entries.map(({ key, value }) => [plainValue(key), plainValue(value)])),
  form(DuckDBUnionValue, ({ tag, value }) => (value === null ? null : { tag, value: plainValue(value) })),
];

/** A value of the DuckDB client in the same form. */
export function plainValue(value: DuckDBValue): unknown {
  if (value === null || typeof value !== 'object') return value;
  const known = FORMS.find(({ type }) => value instanceof type);
  if (known !== undefined) return known.plain(value);
  // Geometry and TIME_NS have classes that only hold the value.
  if ('nanos' in value) return value.nanos;
  if ('bytes' in value) return hex(value.bytes as Uint8Array);
  return value;
}

function hex(bytes: Uint8Array): string {
  return `x${Buffer.from(bytes).toString('hex')}`;
}
