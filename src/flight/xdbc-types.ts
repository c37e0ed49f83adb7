/** GetXdbcTypeInfo: the types of this engine in ODBC/JDBC terms, one row each. */
import type { IpcMessages } from '../wire/index.ts';
import { type Cell, rowsToIpc } from './arrow-rows.ts';
import { XDBC_TYPES } from './metadata-schemas.ts';

interface XdbcType {
  readonly name: string;
  /** XdbcDataType. */
  readonly type: number;
  /** Digits, bits, characters or text length, by kind; null where it does not apply. */
  readonly size: number | null;
  readonly kind: 'exact' | 'unsigned' | 'float' | 'text' | 'time' | 'other';
  readonly params?: readonly string[];
  /** Smallest and largest. */
  readonly scale?: readonly [number, number];
  /** XdbcDatetimeSubcode of a `time`. */
  readonly subcode?: number;
}

const XDBC_DATETIME = 9;
const NULLABLE = 1;
const SEARCHABLE_BASIC = 2;
const SEARCHABLE_FULL = 3;

const TYPES: readonly XdbcType[] = [
  { name: 'BOOLEAN', type: -7, size: 1, kind: 'other' },
  { name: 'TINYINT', type: -6, size: 3, kind: 'exact', scale: [0, 0] },
  { name: 'UTINYINT', type: -6, size: 3, kind: 'unsigned', scale: [0, 0] },
  { name: 'BIGINT', type: -5, size: 19, kind: 'exact', scale: [0, 0] },
  { name: 'UBIGINT', type: -5, size: 20, kind: 'unsigned', scale: [0, 0] },
  { name: 'BLOB', type: -3, size: null, kind: 'other' },
  { name: 'DECIMAL', type: 3, size: 38, kind: 'exact', params: ['precision', 'scale'], scale: [0, 38] },
  { name: 'INTEGER', type: 4, size: 10, kind: 'exact', scale: [0, 0] },
  { name: 'UINTEGER', type: 4, size: 10, kind: 'unsigned', scale: [0, 0] },
  { name: 'SMALLINT', type: 5, size: 5, kind: 'exact', scale: [0, 0] },
  { name: 'USMALLINT', type: 5, size: 5, kind: 'unsigned', scale: [0, 0] },
  { name: 'FLOAT', type: 7, size: 24, kind: 'float' },
  { name: 'DOUBLE', type: 8, size: 53, kind: 'float' },
  { name: 'VARCHAR', type: 12, size: null, kind: 'text' },
  { name: 'DATE', type: 91, size: 10, kind: 'time', subcode: 1 },
  { name: 'TIME', type: 92, size: 15, kind: 'time', scale: [6, 6], subcode: 2 },
  { name: 'TIMESTAMP', type: 93, size: 26, kind: 'time', scale: [6, 6], subcode: 3 },
  { name: 'TIMESTAMP WITH TIME ZONE', type: 93, size: 32, kind: 'time', scale: [6, 6], subcode: 5 },
];

/** Ordered by data type, then by name; `dataType` (XdbcDataType) picks one. */
export function xdbcTypes(dataType: number | undefined): IpcMessages {
  const wanted = TYPES.filter((type) => dataType === undefined || type.type === dataType);
  return rowsToIpc(XDBC_TYPES, wanted.map(rowOf));
}

function rowOf({ name, type, size, kind, params, scale, subcode }: XdbcType): Cell[] {
  const numeric = kind === 'exact' || kind === 'unsigned' || kind === 'float';
  const quote = kind === 'text' || kind === 'time' ? "'" : null;
  return [
    name,
    type,
    size,
    quote,
    quote,
    params ?? null,
    NULLABLE,
    kind === 'text',
    kind === 'text' ? SEARCHABLE_FULL : SEARCHABLE_BASIC,
    numeric ? kind === 'unsigned' : null,
    false,
    numeric ? false : null,
    name,
    scale?.[0] ?? null,
    scale?.[1] ?? null,
    kind === 'time' ? XDBC_DATETIME : type,
    subcode ?? null,
    numeric ? (kind === 'float' ? 2 : 10) : null,
    null,
  ];
}
