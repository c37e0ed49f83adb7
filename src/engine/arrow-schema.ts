/** Columns in their Arrow form. For the main thread alone: it loads the whole of apache-arrow. */
import {
  Binary,
  BinaryView,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  Dictionary,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  IntervalMonthDayNano,
  List,
  Map_,
  Message,
  Null,
  Schema,
  SparseUnion,
  Struct,
  TimeMicrosecond,
  TimeNanosecond,
  Timestamp,
  TimeUnit,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
  Utf8View,
} from 'apache-arrow';
import { type ColumnType, isPlainFormat, type PlainFormat, type ResultColumn } from './column-type.ts';

export function toSchema(columns: readonly ResultColumn[]): Schema {
  return new Schema(columns.map((column) => new Field(column.name, toArrow(column.wire), true)));
}

/** IPC Message flatbuffer of a schema. */
export function toSchemaHeader(schema: Schema): Uint8Array {
  return Message.encode(Message.from(schema));
}

const PLAIN: Readonly<Record<PlainFormat, () => DataType>> = {
  n: () => new Null(),
  b: () => new Bool(),
  c: () => new Int8(),
  C: () => new Uint8(),
  s: () => new Int16(),
  S: () => new Uint16(),
  i: () => new Int32(),
  I: () => new Uint32(),
  l: () => new Int64(),
  L: () => new Uint64(),
  f: () => new Float32(),
  g: () => new Float64(),
  u: () => new Utf8(),
  z: () => new Binary(),
  vu: () => new Utf8View(),
  vz: () => new BinaryView(),
  tdD: () => new DateDay(),
  ttu: () => new TimeMicrosecond(),
  ttn: () => new TimeNanosecond(),
  tin: () => new IntervalMonthDayNano(),
};

const TIMESTAMP_UNITS: Readonly<Record<string, TimeUnit>> = {
  s: TimeUnit.SECOND,
  m: TimeUnit.MILLISECOND,
  u: TimeUnit.MICROSECOND,
  n: TimeUnit.NANOSECOND,
};

function toArrow(type: ColumnType): DataType {
  const children = type.children.map((child) => new Field(child.name, toArrow(child), child.nullable));
  switch (type.layout) {
    case 'list':
      return new List(only(children));
    case 'map':
      return new Map_(only(children) as Field<Struct>);
    case 'array':
      return new FixedSizeList(type.width, only(children));
    case 'struct':
      return new Struct(children);
    case 'union':
      return new SparseUnion(
        children.map((_, index) => index),
        children,
      );
    default:
      return type.dictionary === null ? toPlainArrow(type.format) : toDictionary(type.format, type.dictionary);
  }
}

/** Index formats are the six integer ones of at most 32 bits. */
function toDictionary(format: string, id: number): DataType {
  return new Dictionary(new Utf8(), toPlainArrow(format) as Dictionary['indices'], id, false);
}

function only(children: readonly Field[]): Field {
  const [child] = children;
  if (child === undefined) throw new Error('nested type without a child');
  return child;
}

function toPlainArrow(format: string): DataType {
  if (isPlainFormat(format)) return PLAIN[format]();
  if (format.startsWith('d:')) {
    const [precision = 38, scale = 0] = format.slice(2).split(',').map(Number);
    return new Decimal(scale, precision, 128);
  }
  const unit = format.startsWith('ts') ? TIMESTAMP_UNITS[format[2] ?? ''] : undefined;
  if (unit === undefined) throw new Error(`no Arrow type for format ${format}`);
  const zone = format.slice(4);
  return zone === '' ? new Timestamp(unit) : new Timestamp(unit, zone);
}
