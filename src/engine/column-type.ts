/** How a DuckDB column looks on the wire: plain values that cross threads. Planner's schemas and worker's batches both come from here, so they agree byte for byte. */

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

/** Format strings of values without parameters, other than `d:` and `ts`. */
const PLAIN_FORMATS = [
  'n',
  'b',
  'c',
  'C',
  's',
  'S',
  'i',
  'I',
  'l',
  'L',
  'f',
  'g',
  'u',
  'z',
  'vu',
  'vz',
  'tdD',
  'ttu',
  'ttn',
  'tin',
] as const;
export type PlainFormat = (typeof PLAIN_FORMATS)[number];
const PLAIN: ReadonlySet<string> = new Set(PLAIN_FORMATS);

export function isPlainFormat(format: string): format is PlainFormat {
  return PLAIN.has(format);
}

/** Views take 16 bytes a row, offsets 4. */
export function isView(type: ColumnType): boolean {
  return type.format === 'vu' || type.format === 'vz';
}
