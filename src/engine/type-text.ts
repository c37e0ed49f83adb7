/** DuckDB's own text of a logical type, as `DESCRIBE` prints it. */
import { type Address, api, destroy, takeText } from './duckdb-c.ts';

/** Ids of `duckdb_type`. */
export const TYPE = {
  boolean: 1,
  tinyint: 2,
  smallint: 3,
  integer: 4,
  bigint: 5,
  utinyint: 6,
  usmallint: 7,
  uinteger: 8,
  ubigint: 9,
  float: 10,
  double: 11,
  timestamp: 12,
  date: 13,
  time: 14,
  interval: 15,
  hugeint: 16,
  varchar: 17,
  blob: 18,
  decimal: 19,
  timestampS: 20,
  timestampMs: 21,
  timestampNs: 22,
  enum: 23,
  list: 24,
  struct: 25,
  map: 26,
  uuid: 27,
  union: 28,
  bit: 29,
  timeTz: 30,
  timestampTz: 31,
  uhugeint: 32,
  array: 33,
  bignum: 35,
  sqlNull: 36,
  timeNs: 39,
  geometry: 40,
  variant: 41,
} as const;

const NAMES: Readonly<Record<number, string>> = {
  [TYPE.boolean]: 'BOOLEAN',
  [TYPE.tinyint]: 'TINYINT',
  [TYPE.smallint]: 'SMALLINT',
  [TYPE.integer]: 'INTEGER',
  [TYPE.bigint]: 'BIGINT',
  [TYPE.utinyint]: 'UTINYINT',
  [TYPE.usmallint]: 'USMALLINT',
  [TYPE.uinteger]: 'UINTEGER',
  [TYPE.ubigint]: 'UBIGINT',
  [TYPE.float]: 'FLOAT',
  [TYPE.double]: 'DOUBLE',
  [TYPE.timestamp]: 'TIMESTAMP',
  [TYPE.date]: 'DATE',
  [TYPE.time]: 'TIME',
  [TYPE.interval]: 'INTERVAL',
  [TYPE.hugeint]: 'HUGEINT',
  [TYPE.varchar]: 'VARCHAR',
  [TYPE.blob]: 'BLOB',
  [TYPE.timestampS]: 'TIMESTAMP_S',
  [TYPE.timestampMs]: 'TIMESTAMP_MS',
  [TYPE.timestampNs]: 'TIMESTAMP_NS',
  [TYPE.uuid]: 'UUID',
  [TYPE.bit]: 'BIT',
  [TYPE.timeTz]: 'TIME WITH TIME ZONE',
  [TYPE.timestampTz]: 'TIMESTAMP WITH TIME ZONE',
  [TYPE.uhugeint]: 'UHUGEINT',
  [TYPE.bignum]: 'BIGNUM',
  [TYPE.sqlNull]: '"NULL"',
  [TYPE.timeNs]: 'TIME_NS',
  [TYPE.geometry]: 'GEOMETRY',
  [TYPE.variant]: 'VARIANT',
};

export function typeText(type: Address): string {
  if (type === 0) return 'UNKNOWN';
  const alias = takeText(api.typeAlias(type));
  if (alias !== '') return alias;
  const id = api.typeId(type);
  switch (id) {
    case TYPE.decimal:
      return `DECIMAL(${api.decimalWidth(type)},${api.decimalScale(type)})`;
    case TYPE.enum:
      return `ENUM(${names(api.enumSize(type), (index) => quoteText(takeText(api.enumValue(type, index)))).join(', ')})`;
    case TYPE.list:
      return `${nested(api.listChild(type))}[]`;
    case TYPE.array:
      return `${nested(api.arrayChild(type))}[${api.arraySize(type)}]`;
    case TYPE.map:
      return `MAP(${nested(api.mapKey(type))}, ${nested(api.mapValue(type))})`;
    case TYPE.struct:
      return `STRUCT(${members(
        api.structCount(type),
        (i) => api.structName(type, i),
        (i) => api.structChild(type, i),
      )})`;
    case TYPE.union:
      return `UNION(${members(
        api.unionCount(type),
        (i) => api.unionName(type, i),
        (i) => api.unionChild(type, i),
      )})`;
    default:
      return NAMES[id] ?? 'UNKNOWN';
  }
}

/** More than this and the values travel as texts: a dictionary is one message. */
const DICTIONARY_VALUES = 32_768;
const DICTIONARY_CHARACTERS = 1024 * 1024;

/** An enum's values in order; null when they are too many or too long for one message. */
export function dictionaryValues(type: Address): readonly string[] | null {
  const size = api.enumSize(type);
  if (size > DICTIONARY_VALUES) return null;
  const values = names(size, (index) => takeText(api.enumValue(type, index)));
  return values.reduce((sum, value) => sum + value.length, 0) > DICTIONARY_CHARACTERS ? null : values;
}

function nested(type: Address): string {
  try {
    return typeText(type);
  } finally {
    destroy(api.destroyType, type);
  }
}

function members(count: number, name: (index: number) => Address, child: (index: number) => Address): string {
  return names(count, (index) => `${quoteName(takeText(name(index)))} ${nested(child(index))}`).join(', ');
}

function names(count: number, text: (index: number) => string): string[] {
  return Array.from({ length: count }, (_, index) => text(index));
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Always quoted where it could be needed: it has to parse back as a type. */
function quoteName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !RESERVED.has(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

const RESERVED: ReadonlySet<string> = new Set(
  (
    'all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create default deferrable desc ' +
    'describe distinct do else end except false fetch for foreign from group having in initially intersect into lambda lateral leading ' +
    'limit not null offset on only or order pivot pivot_longer pivot_wider placing primary qualify references returning select show some ' +
    'summarize symmetric table then to trailing true union unique unpivot using variadic when where window with'
  ).split(' '),
);
