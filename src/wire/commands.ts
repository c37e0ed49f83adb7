/** Flight SQL commands, tickets and action bodies: Any-packed protobufs ↔ plain values. Faults fail with request.malformed. */
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
  | { readonly kind: 'primaryKeys' }
  /** Exported, imported and cross-reference keys share one result schema. */
  | { readonly kind: 'foreignKeys' }
  | { readonly kind: 'xdbcTypes'; readonly dataType: number | undefined };

/** Absent = no filter; an empty catalog or schema asks for objects without one. */
export interface TableFilter {
  readonly catalog: string | undefined;
  readonly schemaPattern: string | undefined;
  readonly tablePattern: string | undefined;
  /** Empty = all. */
  readonly types: readonly string[];
}

export interface PreparedStatement {
  readonly handle: Uint8Array;
  /** Encapsulated IPC schemas. */
  readonly datasetSchema: Uint8Array;
  readonly parameterSchema: Uint8Array;
}

const PACKAGE = 'arrow.flight.protocol.sql';
const URL_PREFIX = `type.googleapis.com/${PACKAGE}.`;

const any: Codec = codec('google.protobuf.Any');
const statementQuery: Codec = codec(`${PACKAGE}.CommandStatementQuery`);
const createRequest: Codec = codec(`${PACKAGE}.ActionCreatePreparedStatementRequest`);
const createResult: Codec = codec(`${PACKAGE}.ActionCreatePreparedStatementResult`);
const taskTicket: Codec = codec(`${PACKAGE}.TicketStatementQuery`);

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
  CommandGetPrimaryKeys: reader('CommandGetPrimaryKeys', () => ({ kind: 'primaryKeys' })),
  CommandGetExportedKeys: reader('CommandGetExportedKeys', () => ({ kind: 'foreignKeys' })),
  CommandGetImportedKeys: reader('CommandGetImportedKeys', () => ({ kind: 'foreignKeys' })),
  CommandGetCrossReference: reader('CommandGetCrossReference', () => ({ kind: 'foreignKeys' })),
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

export function decodeCreatePrepared(body: Uint8Array): { sql: string; transaction: boolean } {
  const { name, value } = unpack(body, 'request.malformed');
  if (name !== 'ActionCreatePreparedStatementRequest') fail('request.malformed', 'not a valid CreatePreparedStatement body');
  const fields = createRequest.decode(value);
  return { sql: fields.string('query'), transaction: fields.bytes('transactionId').length > 0 };
}

/** `is_update` stays false: the server only reads. */
export function encodePreparedStatement(prepared: PreparedStatement): Uint8Array {
  const { handle, datasetSchema, parameterSchema } = prepared;
  const result = createResult.encode({ preparedStatementHandle: handle, datasetSchema, parameterSchema });
  return pack('ActionCreatePreparedStatementResult', result);
}

function unpack(bytes: Uint8Array, code: ErrorCode): { name: string; value: Uint8Array } {
  const packed = any.decode(bytes, code);
  const url = packed.string('type_url');
  // The text after the prefix reaches the client in errors: only an identifier passes.
  const name = url.startsWith(URL_PREFIX) ? url.slice(URL_PREFIX.length) : '';
  if (!/^\w{1,64}$/.test(name)) fail(code, 'not a valid Flight SQL command');
  return { name, value: packed.bytes('value') };
}

function pack(name: string, value: Uint8Array): Uint8Array {
  return any.encode({ type_url: URL_PREFIX + name, value });
}

function reader(name: string, read: (fields: Fields) => SqlCommand): { codec: Codec; read: (fields: Fields) => SqlCommand } {
  return { codec: codec(`${PACKAGE}.${name}`), read };
}

function readStatement(fields: Fields): SqlCommand {
  return { kind: 'statement', sql: fields.string('query'), transaction: fields.bytes('transactionId').length > 0 };
}

function readFilter(fields: Fields): TableFilter {
  return {
    catalog: fields.optionalString('catalog'),
    schemaPattern: fields.optionalString('dbSchemaFilterPattern'),
    tablePattern: fields.optionalString('tableNameFilterPattern'),
    types: fields.strings('tableTypes'),
  };
}
