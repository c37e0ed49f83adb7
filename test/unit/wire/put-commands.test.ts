import { describe, expect, test } from 'vitest';
import { decodePutCommand, encodeBindResult, encodeUpdateResult } from '#src/wire/index.js';
import { decode, encodeAny } from '../../support/flight-messages.ts';

const malformed = expect.objectContaining({ code: 'request.malformed' });
const handle = Buffer.from('h');
const ingest = {
  kind: 'ingest',
  table: 't',
  schema: undefined,
  catalog: undefined,
  temporary: false,
  transaction: false,
  ifExists: 'fail',
  ifMissing: 'create',
  options: [],
};

describe('commands', () => {
  test.each([
    ['CommandPreparedStatementQuery', { prepared_statement_handle: handle }, { kind: 'bind', handle }],
    ['CommandPreparedStatementUpdate', { prepared_statement_handle: handle }, { kind: 'updatePrepared', handle }],
    ['CommandStatementUpdate', { query: 'DROP TABLE t' }, { kind: 'update', sql: 'DROP TABLE t', transaction: false }],
    ['CommandStatementUpdate', { query: 'x', transaction_id: handle }, { kind: 'update', sql: 'x', transaction: true }],
    ['CommandStatementIngest', { table: 't', table_definition_options: { if_not_exist: 1, if_exists: 1 } }, ingest],
    [
      'CommandStatementIngest',
      {
        table: 't',
        schema: 's',
        catalog: 'c',
        temporary: true,
        transaction_id: handle,
        options: { a: 'b' },
        table_definition_options: { if_not_exist: 2, if_exists: 3 },
      },
      {
        ...ingest,
        schema: 's',
        catalog: 'c',
        temporary: true,
        transaction: true,
        options: ['a'],
        ifExists: 'replace',
        ifMissing: 'fail',
      },
    ],
    [
      'CommandStatementIngest',
      { table: 't', schema: '', table_definition_options: { if_not_exist: 2, if_exists: 2 } },
      { ...ingest, schema: '', ifExists: 'append', ifMissing: 'fail' },
    ],
    ['CommandGetCatalogs', {}, { kind: 'unsupported', name: 'CommandGetCatalogs' }],
  ])('%s %o', (name, fields, expected) => {
    expect(decodePutCommand(encodeAny(name, fields))).toEqual(expected);
  });

  test.each([
    [{ table: 't' }, 'the ingest does not say what to do in the case if_exists'],
    [{ table: 't', table_definition_options: { if_not_exist: 1 } }, 'the ingest does not say what to do in the case if_exists'],
    [{ table: 't', table_definition_options: { if_exists: 1 } }, 'the ingest does not say what to do in the case if_not_exist'],
    [
      { table: 't', table_definition_options: { if_exists: 9, if_not_exist: 9 } },
      'the ingest does not say what to do in the case if_exists',
    ],
  ])('an ingest %o is refused', (fields, message) => {
    expect(() => decodePutCommand(encodeAny('CommandStatementIngest', fields))).toThrow(message);
  });

  test('cut at any byte give a command or request.malformed', () => {
    const options = { table_definition_options: { if_not_exist: 1, if_exists: 2 }, options: { a: 'b' } };
    const bytes = encodeAny('CommandStatementIngest', { table: 't', schema: 's', ...options });
    for (let length = 0; length < bytes.length; length++) {
      try {
        decodePutCommand(bytes.subarray(0, length));
      } catch (error) {
        expect(error).toEqual(malformed);
      }
    }
  });
});

test('answers', () => {
  expect(decode('DoPutUpdateResult', encodeUpdateResult(10_000_000_000))).toEqual({ record_count: '10000000000' });
  expect(decode('DoPutUpdateResult', encodeUpdateResult(0))).toEqual({ record_count: '0' });
  expect(decode('DoPutPreparedStatementResult', encodeBindResult(handle))).toEqual({ prepared_statement_handle: handle });
});
