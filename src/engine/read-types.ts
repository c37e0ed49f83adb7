/**
 * Reads DuckDB's result types: logical type for the text and the vector layout, C data interface schema for the wire.
 * Runs on engine threads. A type without an Arrow form is an UnmappableType.
 */
import type { WireForm } from '../model.ts';
import type { ColumnType, DirectCopy, Layout, ResultColumn } from './column-type.ts';
import { isPlainFormat } from './column-type.ts';
import { type Address, addressOf, api, copyOut, destroy, readText, releaseStruct, takeErrorData, takeText } from './duckdb-c.ts';
import { dictionaryValues, TYPE, typeText } from './type-text.ts';

/** A result column that can not go on the wire; `column` is the user's own name for it. */
export class UnmappableType extends Error {
  readonly column: string;
  readonly type: string;

  constructor(column: string, type: string) {
    super(`no Arrow type for ${type}`);
    this.column = column;
    this.type = type;
  }
}

const SCHEMA_WORDS = 9;
const encoder = new TextEncoder();

/** What one statement's columns are read with. */
interface Reading {
  /** The connection's Arrow options. */
  readonly options: Address;
  readonly form: WireForm;
  /** The values of each dictionary, by id. */
  readonly dictionaries: (readonly string[])[];
  /** The top-level column, for the error. */
  readonly column: string;
}

export interface ReadColumns {
  readonly columns: readonly ResultColumn[];
  /** By id. */
  readonly dictionaries: readonly (readonly string[])[];
}

/** The columns of a prepared statement. `options` are the connection's Arrow options. */
export function readColumns(statement: Address, options: Address, form: WireForm): ReadColumns {
  const count = api.preparedColumnCount(statement);
  const types: Address[] = [];
  try {
    const columns: ResultColumn[] = [];
    const dictionaries: (readonly string[])[] = [];
    for (let index = 0; index < count; index++) {
      const type = api.preparedColumnType(statement, index);
      types.push(type);
      const name = takeText(api.preparedColumnName(statement, index));
      columns.push({ name, type: typeText(type), wire: readWireType(type, { options, form, dictionaries, column: name }) });
    }
    return { columns, dictionaries };
  } finally {
    for (const type of types) destroy(api.destroyType, type);
  }
}

/** Logical types of the columns that need DuckDB's own conversion, as a chunk to reference them in; 0 when none do. */
export function createConversionChunk(statement: Address, columns: readonly ResultColumn[]): Address {
  const types: bigint[] = [];
  columns.forEach((column, index) => {
    if (column.wire.direct === null) types.push(BigInt(api.preparedColumnType(statement, index)));
  });
  if (types.length === 0) return 0;
  try {
    return api.createChunk(new BigUint64Array(types), types.length);
  } finally {
    for (const type of types) destroy(api.destroyType, Number(type));
  }
}

function readWireType(type: Address, reading: Reading): ColumnType {
  const label = encoder.encode('c\0');
  const schema = new BigUint64Array(SCHEMA_WORDS);
  const typeList = new BigUint64Array([BigInt(type)]);
  const names = new BigUint64Array([BigInt(addressOf(label))]);
  const error = takeErrorData(api.toArrowSchema(reading.options, typeList, names, 1, schema));
  if (error !== null) throw new UnmappableType(reading.column, typeText(type));
  try {
    const [child = 0] = readAddresses(Number(schema[5]), 1);
    return toWireType(reading.column, child, type, reading);
  } finally {
    releaseStruct(Number(schema[7]), schema);
  }
}

interface CSchema {
  readonly format: string;
  readonly name: string;
  readonly nullable: boolean;
  readonly children: readonly Address[];
  readonly dictionary: Address;
}

function readSchema(address: Address): CSchema {
  const words = readAddresses(address, SCHEMA_WORDS);
  const [format = 0, name = 0, , flags = 0, childCount = 0, children = 0, dictionary = 0] = words;
  return {
    format: readText(format),
    name: readText(name),
    nullable: (flags & 2) !== 0,
    children: childCount === 0 ? [] : readAddresses(children, childCount),
    dictionary,
  };
}

function toWireType(name: string, address: Address, type: Address, reading: Reading): ColumnType {
  const schema = readSchema(address);
  const id = api.typeId(type);
  const layout = layoutOf(schema, id);
  if (layout === null) throw new UnmappableType(reading.column, typeText(type));
  const values = layout === 'enum' && reading.form.enums === 'dictionary' ? dictionaryValues(type) : null;
  if (values !== null) return dictionaryType(name, schema, values, reading);
  const children = readChildren(schema, layout, type, reading);
  const format = textFormat(layout, schema.format, reading.form);
  return {
    name,
    layout,
    format,
    width:
      layout === 'enum'
        ? fixedWidth(schema.format)
        : layout === 'array'
          ? api.arraySize(type)
          : layout === 'fixed'
            ? fixedWidth(format)
            : 0,
    dictionary: null,
    nullable: schema.nullable,
    bounds: id === TYPE.hugeint ? 'hugeint' : id === TYPE.uhugeint ? 'uhugeint' : null,
    children,
    direct: directCopy(id, type),
  };
}

function textFormat(layout: Layout, format: string, form: WireForm): string {
  const view = form.strings === 'view' ? 'v' : '';
  if (layout === 'binary') return `${view}z`;
  return layout === 'text' || layout === 'bits' || layout === 'enum' ? `${view}u` : format;
}

const LAYOUTS: Readonly<Record<string, Layout>> = {
  n: 'null',
  b: 'bool',
  u: 'text',
  z: 'binary',
  '+l': 'list',
  '+m': 'map',
  '+s': 'struct',
  '+w': 'array',
  '+us': 'union',
};

/** null = no wire form. */
function layoutOf(schema: CSchema, id: number): Layout | null {
  if (id === TYPE.bignum || id === TYPE.variant || id === 0) return null;
  if (schema.dictionary !== 0) return id === TYPE.enum ? 'enum' : null;
  if (id === TYPE.bit) return 'bits';
  const layout = LAYOUTS[schema.format.split(':', 1)[0] ?? ''];
  if (layout !== undefined) return layout;
  return isPlainFormat(schema.format) || /^(d:\d+,\d+(,128)?$|ts[smun]:)/.test(schema.format) ? 'fixed' : null;
}

function readChildren(schema: CSchema, layout: Layout, type: Address, reading: Reading): ColumnType[] {
  const [first = 0] = schema.children;
  switch (layout) {
    case 'list':
      return [withType(api.listChild(type), (child) => toWireType('item', first, child, reading))];
    case 'array':
      return [withType(api.arrayChild(type), (child) => toWireType('item', first, child, reading))];
    case 'map':
      return [mapEntries(first, type, reading)];
    case 'struct':
    case 'union': {
      const child = layout === 'struct' ? api.structChild : api.unionChild;
      return schema.children.map((address, index) =>
        withType(child(type, index), (member) => toWireType(readSchema(address).name, address, member, reading)),
      );
    }
    default:
      return [];
  }
}

function mapEntries(address: Address, type: Address, reading: Reading): ColumnType {
  const entries = readSchema(address);
  const [key = 0, value = 0] = entries.children;
  const children = [
    withType(api.mapKey(type), (child) => toWireType('key', key, child, reading)),
    withType(api.mapValue(type), (child) => toWireType('value', value, child, reading)),
  ];
  return {
    name: 'entries',
    layout: 'struct',
    format: '+s',
    width: 0,
    dictionary: null,
    nullable: false,
    bounds: null,
    children,
    direct: null,
  };
}

/** An enum whose values are sent once, ahead of the rows: the indices lie in the vector as they go on the wire. */
function dictionaryType(name: string, schema: CSchema, values: readonly string[], reading: Reading): ColumnType {
  const width = fixedWidth(schema.format);
  // Signed where it fits, as the Arrow format recommends.
  const format = values.length <= 2 ** (8 * width - 1) ? schema.format.toLowerCase() : schema.format;
  const dictionary = reading.dictionaries.push(values) - 1;
  return {
    name,
    layout: 'fixed',
    format,
    width,
    dictionary,
    nullable: schema.nullable,
    bounds: null,
    children: [],
    direct: { kind: 'copy', width },
  };
}

function withType<T>(type: Address, read: (type: Address) => T): T {
  try {
    return read(type);
  } finally {
    destroy(api.destroyType, type);
  }
}

const WIDTHS: Readonly<Record<string, number>> = { c: 1, C: 1, s: 2, S: 2, i: 4, I: 4, f: 4, tdD: 4, tin: 16 };

function fixedWidth(format: string): number {
  return format.startsWith('d:') ? 16 : (WIDTHS[format] ?? 8);
}

/** Vectors whose values are Arrow's, or become so by widening. */
function directCopy(id: number, type: Address): DirectCopy | null {
  if (id === TYPE.boolean) return { kind: 'bool', width: 1 };
  if (id === TYPE.varchar) return { kind: 'strings', width: 16 };
  if (id === TYPE.decimal) {
    const width = VECTOR_WIDTHS[api.decimalStorage(type)] ?? 16;
    return { kind: width === 16 ? 'copy' : 'widen', width };
  }
  const width = VECTOR_WIDTHS[id];
  return width === undefined ? null : { kind: 'copy', width };
}

const VECTOR_WIDTHS: Readonly<Record<number, number>> = {
  [TYPE.tinyint]: 1,
  [TYPE.smallint]: 2,
  [TYPE.integer]: 4,
  [TYPE.bigint]: 8,
  [TYPE.utinyint]: 1,
  [TYPE.usmallint]: 2,
  [TYPE.uinteger]: 4,
  [TYPE.ubigint]: 8,
  [TYPE.float]: 4,
  [TYPE.double]: 8,
  [TYPE.timestamp]: 8,
  [TYPE.date]: 4,
  [TYPE.time]: 8,
  [TYPE.hugeint]: 16,
  [TYPE.uhugeint]: 16,
  [TYPE.timestampS]: 8,
  [TYPE.timestampMs]: 8,
  [TYPE.timestampNs]: 8,
  [TYPE.timestampTz]: 8,
  [TYPE.timeNs]: 8,
};

function readAddresses(address: Address, count: number): number[] {
  const words = new BigUint64Array(count);
  copyOut(words, address, 8 * count);
  return Array.from(words, Number);
}
