/**
 * How a DuckDB column looks on the wire: plain values that cross threads, and their Arrow form.
 * Both the planner's schema and the worker's batches come from here, so they agree byte for byte.
 */
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

/** How values lie in the Arrow buffers: what the gatherer does with them. */
export type Layout = 'null' | 'bool' | 'fixed' | 'text' | 'binary' | 'bits' | 'enum' | 'list' | 'map' | 'array' | 'struct' | 'union';

export interface ColumnType {
  readonly name: string;
  readonly layout: Layout;
  /** Format string of the Arrow C data interface for what goes on the wire. */
  readonly format: string;
  /** Fixed: bytes per value. Enum: bytes per index. Array: values per row. Otherwise 0. */
  readonly width: number;
  /** Id of the Arrow dictionary that the values are indices of; null = plain values. */
  readonly dictionary: number | null;
  readonly nullable: boolean;
  /** 128-bit integers may have more digits than decimal128(38, 0) holds. */
  readonly bounds: 'hugeint' | 'uhugeint' | null;
  readonly children: readonly ColumnType[];
  /** How to copy it straight from DuckDB's vector; null = through DuckDB's own Arrow conversion. */
  readonly direct: DirectCopy | null;
}

/** `width`: bytes in DuckDB's vector; `widen`: integers become 128-bit decimals; `strings`: text. */
export interface DirectCopy {
  readonly kind: 'copy' | 'widen' | 'bool' | 'strings';
  readonly width: number;
}

/** A result column; `type` is DuckDB's text for it. */
export interface ResultColumn {
  readonly name: string;
  readonly type: string;
  readonly wire: ColumnType;
}

export function toSchema(columns: readonly ResultColumn[]): Schema {
  return new Schema(columns.map((column) => new Field(column.name, toArrow(column.wire), true)));
}

/** IPC Message flatbuffer of a schema. */
export function toSchemaHeader(schema: Schema): Uint8Array {
  return Message.encode(Message.from(schema));
}

const PLAIN: Readonly<Record<string, () => DataType>> = {
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

/** The format strings of fixed-width values that have an Arrow type here, other than `d:` and `ts`. */
export function isPlainFormat(format: string): boolean {
  return format in PLAIN;
}

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

/** Views take 16 bytes a row, offsets 4. */
export function isView(type: ColumnType): boolean {
  return type.format === 'vu' || type.format === 'vz';
}

function toPlainArrow(format: string): DataType {
  const plain = PLAIN[format];
  if (plain !== undefined) return plain();
  if (format.startsWith('d:')) {
    const [precision = 38, scale = 0] = format.slice(2).split(',').map(Number);
    return new Decimal(scale, precision, 128);
  }
  const unit = format.startsWith('ts') ? TIMESTAMP_UNITS[format[2] ?? ''] : undefined;
  if (unit === undefined) throw new Error(`no Arrow type for format ${format}`);
  const zone = format.slice(4);
  return zone === '' ? new Timestamp(unit) : new Timestamp(unit, zone);
}
