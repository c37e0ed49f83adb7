/**
 * Attacks through parameters, bound by DoPut as drivers do: a value is never more than a value. What may be answered is answered as the same
 * statement with the value written into it, and no answer or message holds what an analyst may not read (I1, I2, I5).
 */
import { readFileSync } from 'node:fs';
import { Bool, type DataType, Float64, Int64, Null, Table, tableToIPC, Utf8, type Vector, vectorFromArray } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call } from '../support/flight-call.ts';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { decode, encode, encodeAny } from '../support/flight-messages.ts';
import { ipcMessages } from '../support/put.ts';
import { CLUSTER_KEY } from '../support/quickstart.ts';
import { plainRows } from '../support/rows.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { leaksIn } from '../unit/sql/leak-oracle.ts';

interface Case {
  readonly id: string;
  readonly sql: string;
  readonly rows: readonly (readonly unknown[])[];
  readonly expect: 'refused' | 'same' | 'no-leak' | 'governed';
  /** The statement with the values in it. */
  readonly literal?: string;
  readonly why: string;
}

const CASES: readonly Case[] = JSON.parse(readFileSync(new URL('../cases/parameters.json', import.meta.url), 'utf8'));
const REFUSALS = ['INVALID_ARGUMENT', 'NOT_FOUND', 'PERMISSION_DENIED'];

let server: TestServer;
let client: RawClient;
beforeAll(async () => {
  server = await startTestServer({ SLUICE_CLUSTER_KEY: CLUSTER_KEY, SLUICE_THREADS: '1' });
  client = await connectFlight({ port: server.port, user: 'analyst_eu' });
});
afterAll(async () => {
  client?.close();
  await server?.[Symbol.asyncDispose]();
});

/** Columns named `0`, `1`, …, as ADBC names them, of the type of their first value. */
function tableOf(rows: Case['rows']): Table {
  const columns = (rows[0] ?? []).map((_, i): [string, Vector] => [String(i), column(rows.map((row) => row[i] ?? null))]);
  return new Table(Object.fromEntries(columns));
}

function column(values: readonly unknown[]): Vector {
  const wide = values.map((value) => (typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value));
  return vectorFromArray(wide as never, typeOf(wide[0]) as never) as Vector;
}

function typeOf(value: unknown): DataType {
  switch (typeof value) {
    case 'string':
      return new Utf8();
    case 'bigint':
      return new Int64();
    case 'number':
      return new Float64();
    default:
      return value === null ? new Null() : new Bool();
  }
}

async function bind(prepared: Uint8Array, table: Table): Promise<Uint8Array> {
  const flight_descriptor = { type: 2, cmd: encodeAny('CommandPreparedStatementQuery', { prepared_statement_handle: prepared }) };
  const [first = {}, ...rest] = ipcMessages(tableToIPC(table, 'stream'));
  const sent = [encode('FlightData', { flight_descriptor, ...first }), ...rest.map((message) => encode('FlightData', message))];
  const { code, details, messages } = await call(client, 'DoPut', sent);
  if (code !== 0) throw Object.assign(new Error(details), { code, details });
  const { app_metadata } = decode<{ app_metadata: Uint8Array }>('PutResult', messages[0] ?? Buffer.alloc(0));
  return decode<{ prepared_statement_handle: Uint8Array }>('DoPutPreparedStatementResult', app_metadata).prepared_statement_handle;
}

async function rowsBound(sql: string, table: Table): Promise<readonly unknown[]> {
  const { prepared_statement_handle } = await client.prepare(sql);
  const bound = await bind(prepared_statement_handle, table);
  return plainRows(await client.run('CommandPreparedStatementQuery', { prepared_statement_handle: bound }));
}

const written = (rows: readonly unknown[]): readonly string[] =>
  rows.map((row) => JSON.stringify(row, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))).sort();

test.each(CASES)('$id: $why', async ({ sql, rows, expect: expected, literal }) => {
  let answer: readonly string[] = [];
  const { status, message } = await failureOf(
    rowsBound(sql, tableOf(rows)).then((found) => {
      answer = written(found);
    }),
  );
  expect(leaksIn(`${message}\n${answer.join('\n')}`, `${sql} ${JSON.stringify(rows)}`)).toEqual([]);
  if (expected === 'refused') expect(REFUSALS, message).toContain(status);
  if (expected === 'governed') expect(status, message).toBe('OK');
  if (expected === 'no-leak') expect([...REFUSALS, 'OK'], message).toContain(status);
  if (expected === 'same')
    expect({ status, message, answer }).toEqual({ status: 'OK', message: '', answer: written(await client.rows(literal ?? '')) });
});

describe('a value comes back as it went in', () => {
  test.each<[string, unknown]>([
    ['quotes', "a'b''c\"d`e"],
    ['control characters', 'a\u0001b\u001f\u007f\t\n\rc'],
    ['backslashes', '\\x41\\n\\\\'],
    ['beyond ASCII', 'é中😀\u200b\ufeff'],
    ['nothing', ''],
    ['what looks like SQL', '-- /* $$ ?'],
  ])('%s', async (_, value) => {
    expect(await rowsBound('SELECT ? AS x', tableOf([[value]]))).toEqual([{ x: value }]);
  });
});

test('a statement with parameters that nobody bound says so', async () => {
  const { prepared_statement_handle } = await client.prepare('SELECT name FROM demo.customers WHERE customer_id = ?');
  const failure = await failureOf(client.run('CommandPreparedStatementQuery', { prepared_statement_handle }));
  expect(failure).toMatchObject({ status: 'INVALID_ARGUMENT', message: expect.stringContaining('1 parameter') });
  expect(await failureOf(client.rows('SELECT ?'))).toMatchObject({
    status: 'INVALID_ARGUMENT',
    message: expect.stringContaining('1 parameter'),
  });
});

test('many rows are one result, in their order', async () => {
  const ids = Array.from({ length: 200 }, (_, i) => [200 - i]);
  const found = await rowsBound('SELECT ? AS id', tableOf(ids));
  expect(found).toEqual(ids.map(([id]) => ({ id: String(id) })));
});
