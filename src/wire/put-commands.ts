/** The commands of a DoPut and their answers, which travel in PutResult without Any. Faults fail with request.malformed. */
import { fail } from '../errors.ts';
import { SQL_PACKAGE, unpack } from './commands.ts';
import { type Codec, codec, type Fields } from './protos.ts';

/** What a client puts. `unsupported` carries the message's own name. */
export type PutCommand =
  | { readonly kind: 'bind'; readonly handle: Uint8Array }
  | { readonly kind: 'updatePrepared'; readonly handle: Uint8Array }
  | { readonly kind: 'update'; readonly sql: string; readonly transaction: boolean }
  | IngestCommand
  | { readonly kind: 'unsupported'; readonly name: string };

export interface IngestCommand {
  readonly kind: 'ingest';
  readonly table: string;
  /** Absent = the server's choice. */
  readonly schema: string | undefined;
  readonly catalog: string | undefined;
  readonly temporary: boolean;
  readonly transaction: boolean;
  readonly ifExists: 'fail' | 'append' | 'replace';
  readonly ifMissing: 'create' | 'fail';
  /** Names of options for one kind of server. */
  readonly options: readonly string[];
}

/** By their numbers; 0 is an error, as the specification asks. */
const IF_EXISTS = [undefined, 'fail', 'append', 'replace'] as const;
const IF_MISSING = [undefined, 'create', 'fail'] as const;

const updateResult: Codec = codec(`${SQL_PACKAGE}.DoPutUpdateResult`);
const bindResult: Codec = codec(`${SQL_PACKAGE}.DoPutPreparedStatementResult`);

const READERS: Readonly<Record<string, { readonly codec: Codec; readonly read: (fields: Fields) => PutCommand }>> = {
  CommandPreparedStatementQuery: reader('CommandPreparedStatementQuery', (fields) => ({ kind: 'bind', handle: handleOf(fields) })),
  CommandPreparedStatementUpdate: reader('CommandPreparedStatementUpdate', (fields) => ({
    kind: 'updatePrepared',
    handle: handleOf(fields),
  })),
  CommandStatementUpdate: reader('CommandStatementUpdate', (fields) => ({
    kind: 'update',
    sql: fields.string('query'),
    transaction: fields.bytes('transactionId').length > 0,
  })),
  CommandStatementIngest: reader('CommandStatementIngest', readIngest),
};

/** Reads the command of a DoPut's descriptor. */
export function decodePutCommand(bytes: Uint8Array): PutCommand {
  const { name, value } = unpack(bytes, 'request.malformed');
  const known = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
  return known === undefined ? { kind: 'unsupported', name } : known.read(known.codec.decode(value));
}

export function encodeUpdateResult(rows: number): Uint8Array {
  return updateResult.encode({ recordCount: rows });
}

export function encodeBindResult(handle: Uint8Array): Uint8Array {
  return bindResult.encode({ preparedStatementHandle: handle });
}

function reader(name: string, read: (fields: Fields) => PutCommand): { codec: Codec; read: (fields: Fields) => PutCommand } {
  return { codec: codec(`${SQL_PACKAGE}.${name}`), read };
}

function handleOf(fields: Fields): Uint8Array {
  return fields.bytes('preparedStatementHandle');
}

function readIngest(fields: Fields): PutCommand {
  const definition = fields.message('tableDefinitionOptions');
  return {
    kind: 'ingest',
    table: fields.string('table'),
    schema: fields.optionalString('schema'),
    catalog: fields.optionalString('catalog'),
    temporary: fields.boolean('temporary'),
    transaction: fields.bytes('transactionId').length > 0,
    ifExists: IF_EXISTS[definition?.number('ifExists') ?? 0] ?? unspecified('if_exists'),
    ifMissing: IF_MISSING[definition?.number('ifNotExist') ?? 0] ?? unspecified('if_not_exist'),
    options: Object.keys(fields.texts('options')),
  };
}

function unspecified(option: string): never {
  return fail('request.malformed', `the ingest does not say what to do in the case ${option}`);
}
