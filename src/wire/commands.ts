/** Flight SQL commands and tickets: Any-packed protobufs ↔ plain values. Faults fail with request.malformed. */
import { type ErrorCode, fail } from '../errors.ts';
import { type Codec, codec, type Fields } from './protos.ts';

/** A command of a FlightDescriptor or Ticket. `unsupported` carries the message's own name. */
export type SqlCommand =
  | { readonly kind: 'statement'; readonly sql: string; readonly transaction: boolean }
  | { readonly kind: 'prepared'; readonly handle: Uint8Array }
  /** Only in tickets: the sealed task. */
  | { readonly kind: 'task'; readonly sealed: Uint8Array }
  | MetadataCommand
  | { readonly kind: 'unsupported'; readonly name: string };

/** Asks about the catalog or the server, never about rows. */
export type MetadataCommand =
  | { readonly kind: 'sqlInfo'; readonly codes: readonly number[] }
  | { readonly kind: 'catalogs' }
  | { readonly kind: 'schemas'; readonly filter: TableFilter }
  | { readonly kind: 'tables'; readonly filter: TableFilter; readonly withSchema: boolean }
  | { readonly kind: 'tableTypes' }
  | { readonly kind: 'primaryKeys'; readonly table: TableReference }
  /** Exported keys name the side that is referenced, imported keys the side that refers, a cross reference both. */
  | { readonly kind: 'foreignKeys'; readonly primary: TableReference | undefined; readonly foreign: TableReference | undefined }
  | { readonly kind: 'xdbcTypes'; readonly dataType: number | undefined };

/** Exact names; absent = no filter, an empty catalog or schema asks for tables without one. */
export interface TableReference {
  readonly catalog: string | undefined;
  readonly schema: string | undefined;
  readonly table: string;
}

/** Absent = no filter; an empty catalog or schema asks for objects without one. */
export interface TableFilter {
  readonly catalog: string | undefined;
  readonly schemaPattern: string | undefined;
  readonly tablePattern: string | undefined;
  /** Empty = all. */
  readonly types: readonly string[];
}

export const SQL_PACKAGE = 'arrow.flight.protocol.sql';
const URL_PREFIX = `type.googleapis.com/${SQL_PACKAGE}.`;

const any: Codec = codec('google.protobuf.Any');
const statementQuery: Codec = codec(`${SQL_PACKAGE}.CommandStatementQuery`);
const taskTicket: Codec = codec(`${SQL_PACKAGE}.TicketStatementQuery`);

const READERS: Readonly<Record<string, { readonly codec: Codec; readonly read: (fields: Fields) => SqlCommand }>> = {
  CommandStatementQuery: { codec: statementQuery, read: readStatement },
  CommandPreparedStatementQuery: reader('CommandPreparedStatementQuery', (fields) => ({
    kind: 'prepared',
    handle: fields.bytes('preparedStatementHandle'),
  })),
  TicketStatementQuery: { codec: taskTicket, read: (fields) => ({ kind: 'task', sealed: fields.bytes('statementHandle') }) },
  CommandGetSqlInfo: reader('CommandGetSqlInfo', (fields) => ({ kind: 'sqlInfo', codes: fields.numbers('info') })),
  CommandGetCatalogs: reader('CommandGetCatalogs', () => ({ kind: 'catalogs' })),
  CommandGetDbSchemas: reader('CommandGetDbSchemas', (fields) => ({ kind: 'schemas', filter: readFilter(fields) })),
  CommandGetTables: reader('CommandGetTables', (fields) => ({
    kind: 'tables',
    filter: readFilter(fields),
    withSchema: fields.boolean('includeSchema'),
  })),
  CommandGetTableTypes: reader('CommandGetTableTypes', () => ({ kind: 'tableTypes' })),
  CommandGetPrimaryKeys: reader('CommandGetPrimaryKeys', (fields) => ({ kind: 'primaryKeys', table: readTable(fields) })),
  CommandGetExportedKeys: reader('CommandGetExportedKeys', (fields) => ({
    kind: 'foreignKeys',
    primary: readTable(fields),
    foreign: undefined,
  })),
  CommandGetImportedKeys: reader('CommandGetImportedKeys', (fields) => ({
    kind: 'foreignKeys',
    primary: undefined,
    foreign: readTable(fields),
  })),
  CommandGetCrossReference: reader('CommandGetCrossReference', (fields) => ({
    kind: 'foreignKeys',
    primary: readTable(fields, ['pkCatalog', 'pkDbSchema', 'pkTable']),
    foreign: readTable(fields, ['fkCatalog', 'fkDbSchema', 'fkTable']),
  })),
  CommandGetXdbcTypeInfo: reader('CommandGetXdbcTypeInfo', (fields) => ({
    kind: 'xdbcTypes',
    dataType: fields.optionalNumber('dataType'),
  })),
};

/** Reads `FlightDescriptor.cmd` (request.malformed) or, with its own code, `Ticket.ticket`. */
export function decodeCommand(bytes: Uint8Array, code: ErrorCode = 'request.malformed'): SqlCommand {
  const { name, value } = unpack(bytes, code);
  const known = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
  return known === undefined ? { kind: 'unsupported', name } : known.read(known.codec.decode(value, code));
}

/** The message's own name, e.g. `CommandStatementQuery`: letters, digits and underscores only. */
export function commandName(bytes: Uint8Array, code: ErrorCode = 'request.malformed'): string {
  return unpack(bytes, code).name;
}

/** Wraps a sealed task so that it reads like every other Flight SQL ticket. */
export function encodeTaskTicket(sealed: Uint8Array): Uint8Array {
  return pack('TicketStatementQuery', taskTicket.encode({ statementHandle: sealed }));
}

/** A Flight SQL message in its Any. */
export function unpack(bytes: Uint8Array, code: ErrorCode): { name: string; value: Uint8Array } {
  const packed = any.decode(bytes, code);
  const url = packed.string('type_url');
  // The text after the prefix reaches the client in errors: only an identifier passes.
  const name = url.startsWith(URL_PREFIX) ? url.slice(URL_PREFIX.length) : '';
  if (!/^\w{1,64}$/.test(name)) fail(code, 'not a valid Flight SQL command');
  return { name, value: packed.bytes('value') };
}

export function pack(name: string, value: Uint8Array): Uint8Array {
  return any.encode({ type_url: URL_PREFIX + name, value });
}

function reader(name: string, read: (fields: Fields) => SqlCommand): { codec: Codec; read: (fields: Fields) => SqlCommand } {
  return { codec: codec(`${SQL_PACKAGE}.${name}`), read };
}

function readStatement(fields: Fields): SqlCommand {
  return { kind: 'statement', sql: fields.string('query'), transaction: fields.bytes('transactionId').length > 0 };
}

function readTable(fields: Fields, names: readonly [string, string, string] = ['catalog', 'dbSchema', 'table']): TableReference {
  const [catalog, schema, table] = names;
  return { catalog: fields.optionalString(catalog), schema: fields.optionalString(schema), table: fields.string(table) };
}

function readFilter(fields: Fields): TableFilter {
  return {
    catalog: fields.optionalString('catalog'),
    schemaPattern: fields.optionalString('dbSchemaFilterPattern'),
    tablePattern: fields.optionalString('tableNameFilterPattern'),
    types: fields.strings('tableTypes'),
  };
}
