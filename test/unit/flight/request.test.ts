import { describe, expect, test } from 'vitest';
import { readRequest } from '#src/flight/request.js';
import type { Rpc } from '#src/flight/rpc.js';
import { encodeTaskTicket } from '#src/wire/index.js';
import { encodeAny } from '../../support/flight-messages.ts';
import { cpuMsOf } from '../../support/patience.ts';

const facts: unknown[] = [];
const rpc = { audit: { add: (more: unknown) => facts.push(more) } } as unknown as Rpc; // only its audit entry is used

const command = (bytes: Uint8Array) => readRequest(rpc, { kind: 'command', bytes });
const path = (...parts: string[]) => readRequest(rpc, { kind: 'path', path: parts });
const statement = (sql: string) => ({ kind: 'statement', sql, transaction: false });

describe('a command', () => {
  test('is what it says', () => {
    facts.length = 0;
    expect(command(encodeAny('CommandStatementQuery', { query: 'SELECT 1' }))).toEqual(statement('SELECT 1'));
    expect(command(encodeAny('CommandGetCatalogs', {}))).toEqual({ kind: 'catalogs' });
    expect(facts).toEqual([{ command: 'CommandStatementQuery' }, { command: 'CommandGetCatalogs' }]);
  });

  test.each([
    [encodeAny('CommandStatementUpdate', { query: 'x' }), 'CommandStatementUpdate is sent by DoPut'],
    [encodeTaskTicket(Buffer.from('t')), 'TicketStatementQuery is not supported'],
    [
      encodeAny('CommandStatementQuery', { query: 'x', transaction_id: Buffer.from('t') }),
      'a transaction is not supported: each statement is its own; leave the transaction out',
    ],
    [Buffer.from('garbage'), 'not a valid Any message'],
  ])('%#: is refused', (bytes, message) => {
    expect(() => command(bytes)).toThrow(message);
  });
});

describe('a statement without a command around it', () => {
  test.each([
    'SELECT 1',
    ' \n\t((select 1',
    'WITH a AS (SELECT 1) SELECT 1',
    'FROM t',
    'VALUES (1)',
    'explain policy select 1',
    'CREATE TABLE a AS SELECT 1',
    'drop table a',
    'INSERT INTO a VALUES (1)',
    'SHOW TOKENS',
    'refresh dataset a.b',
    "REGISTER DATASET a.b FROM lake 'x'",
    'PIN DATASET a',
    'UNPIN DATASET a',
  ])('%j', (sql) => {
    expect(command(Buffer.from(sql))).toEqual(statement(sql));
  });

  test.each(['UPDATE t SET a = 1', 'selected', '-- SELECT', '', '\0SELECT 1', 'ATTACH x'])('%j is none', (text) => {
    expect(() => command(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'request.malformed' }));
  });

  test('a long one is looked at once', async () => {
    // Anything quadratic would take hours.
    expect(await cpuMsOf(() => expect(() => command(Buffer.alloc(4_000_000, '( '))).toThrow())).toBeLessThan(20_000);
  });
});

describe('a path', () => {
  test('is a dataset, each part one name', () => {
    expect(path('t')).toEqual(statement('SELECT * FROM "t"'));
    expect(path('c', 's', 't')).toEqual(statement('SELECT * FROM "c"."s"."t"'));
    expect(path('a"b; DROP TABLE x --')).toEqual(statement('SELECT * FROM "a""b; DROP TABLE x --"'));
  });

  test.each([[[]], [['a', 'b', 'c', 'd']], [['']], [['a', '']], [['a\0']]])('%j is refused', (parts) => {
    expect(() => path(...parts)).toThrow(expect.objectContaining({ code: 'request.malformed' }));
  });
});
