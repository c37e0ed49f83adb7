import { describe, expect, test } from 'vitest';
import { SluiceError } from '#src/errors.js';
import { commandName, decodeCommand, encodeTaskTicket } from '#src/wire/index.js';
import { encode, encodeAny } from '../../support/flight-messages.ts';

const noFilter = { catalog: undefined, schemaPattern: undefined, tablePattern: undefined, types: [] };

describe('commands', () => {
  test.each([
    ['CommandStatementQuery', { query: 'SELECT 1' }, { kind: 'statement', sql: 'SELECT 1', transaction: false }],
    [
      'CommandStatementQuery',
      { query: 'SELECT 1', transaction_id: Buffer.from('t') },
      { kind: 'statement', sql: 'SELECT 1', transaction: true },
    ],
    ['CommandPreparedStatementQuery', { prepared_statement_handle: Buffer.from('h') }, { kind: 'prepared', handle: Buffer.from('h') }],
    ['CommandGetSqlInfo', { info: [0, 500, 8] }, { kind: 'sqlInfo', codes: [0, 500, 8] }],
    ['CommandGetSqlInfo', {}, { kind: 'sqlInfo', codes: [] }],
    ['CommandGetCatalogs', {}, { kind: 'catalogs' }],
    ['CommandGetDbSchemas', {}, { kind: 'schemas', filter: noFilter }],
    [
      'CommandGetDbSchemas',
      { catalog: '', db_schema_filter_pattern: 'd%' },
      { kind: 'schemas', filter: { ...noFilter, catalog: '', schemaPattern: 'd%' } },
    ],
    ['CommandGetTables', { include_schema: true }, { kind: 'tables', filter: noFilter, withSchema: true }],
    [
      'CommandGetTables',
      { catalog: 'c', db_schema_filter_pattern: 's', table_name_filter_pattern: 't', table_types: ['VIEW'] },
      { kind: 'tables', filter: { catalog: 'c', schemaPattern: 's', tablePattern: 't', types: ['VIEW'] }, withSchema: false },
    ],
    ['CommandGetTableTypes', {}, { kind: 'tableTypes' }],
    ['CommandGetPrimaryKeys', { table: 't' }, { kind: 'primaryKeys', table: { catalog: undefined, schema: undefined, table: 't' } }],
    [
      'CommandGetExportedKeys',
      { catalog: 'c', db_schema: 's', table: 't' },
      { kind: 'foreignKeys', primary: { catalog: 'c', schema: 's', table: 't' }, foreign: undefined },
    ],
    [
      'CommandGetImportedKeys',
      { catalog: '', table: 't' },
      { kind: 'foreignKeys', primary: undefined, foreign: { catalog: '', schema: undefined, table: 't' } },
    ],
    [
      'CommandGetCrossReference',
      { pk_db_schema: 'a', pk_table: 'p', fk_catalog: 'c', fk_table: 'f' },
      {
        kind: 'foreignKeys',
        primary: { catalog: undefined, schema: 'a', table: 'p' },
        foreign: { catalog: 'c', schema: undefined, table: 'f' },
      },
    ],
    ['CommandGetXdbcTypeInfo', {}, { kind: 'xdbcTypes', dataType: undefined }],
    ['CommandGetXdbcTypeInfo', { data_type: -5 }, { kind: 'xdbcTypes', dataType: -5 }],
    ['CommandStatementUpdate', { query: 'DELETE' }, { kind: 'unsupported', name: 'CommandStatementUpdate' }],
  ])('%s %o', (name, fields, expected) => {
    const bytes = encodeAny(name, fields);
    expect(decodeCommand(bytes)).toEqual(expected);
    expect(commandName(bytes)).toBe(name);
  });

  test('a task ticket is a TicketStatementQuery', () => {
    const ticket = encodeTaskTicket(Buffer.from('sealed'));
    expect(decodeCommand(ticket)).toEqual({ kind: 'task', sealed: Buffer.from('sealed') });
    expect(commandName(ticket)).toBe('TicketStatementQuery');
  });

  test('cut at any byte give a command or request.malformed', () => {
    const bytes = encodeAny('CommandGetTables', { catalog: 'c', table_types: ['VIEW', 'TABLE'], include_schema: true });
    for (let length = 0; length < bytes.length; length++)
      expect(codeOf(() => decodeCommand(bytes.subarray(0, length)))).toBeOneOf([null, 'request.malformed']);
  });

  test('of other packages, or with a name that is no identifier, are malformed', () => {
    for (const type_url of [
      '',
      'x',
      'type.googleapis.com/google.protobuf.Empty',
      'type.googleapis.com/arrow.flight.protocol.sql.',
      'type.googleapis.com/arrow.flight.protocol.sql.A\nB',
    ]) {
      expect(codeOf(() => decodeCommand(encode('Any', { type_url })))).toBe('request.malformed');
    }
    expect(codeOf(() => decodeCommand(Buffer.from('SELECT 1')))).toBe('request.malformed');
    expect(codeOf(() => decodeCommand(Buffer.from([0xff, 0xff]), 'ticket.invalid'))).toBe('ticket.invalid');
  });

  test('names of the prototype are no commands', () => {
    const bytes = encode('Any', { type_url: 'type.googleapis.com/arrow.flight.protocol.sql.constructor' });
    expect(decodeCommand(bytes)).toEqual({ kind: 'unsupported', name: 'constructor' });
  });

  test('deep groups in garbage do not end the process', () => {
    expect(codeOf(() => decodeCommand(Buffer.alloc(200_000, 0x0b)))).toBe('request.malformed');
  });
});

function codeOf(run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (error) {
    return error instanceof SluiceError ? error.code : String(error);
  }
}
