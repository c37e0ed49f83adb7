/**
 * Values as oracles: each statement asks about one customer by a bound key. A customer whom the row filter hides and one who does not exist
 * must get the same answer, the same error included, whatever else the statement does with the row (I5).
 */
import { readFileSync } from 'node:fs';
import { Float64, Int64, Table, tableToIPC, Utf8, type Vector, vectorFromArray } from 'apache-arrow';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { encodeAny } from '../support/flight-messages.ts';
import { ipcMessages, put } from '../support/put.ts';
import { CLUSTER_KEY } from '../support/quickstart.ts';
import { plainRows } from '../support/rows.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

interface Case {
  readonly sql: string;
  /** `$id` stands for the customer's key. */
  readonly values: readonly (string | number)[];
}

const CASES: readonly Case[] = JSON.parse(readFileSync(new URL('../cases/parameter-oracles.json', import.meta.url), 'utf8'));
const MISSING = 88_888_801;

let server: TestServer;
let analyst: RawClient;
let hidden: number;
let seen: number;
beforeAll(async () => {
  server = await startTestServer({ SLUICE_CLUSTER_KEY: CLUSTER_KEY, SLUICE_THREADS: '1' });
  const steward = await connectFlight({ port: server.port, user: 'steward' });
  analyst = await connectFlight({ port: server.port, user: 'analyst_eu' });
  const keyOf = async (client: RawClient, region: string): Promise<number> =>
    Number((await client.rows(`SELECT max(customer_id) AS id FROM demo.customers WHERE region = '${region}'`))[0]?.['id']);
  hidden = await keyOf(steward, 'US');
  seen = await keyOf(analyst, 'EU');
  steward.close();
});
afterAll(async () => {
  analyst?.close();
  await server?.[Symbol.asyncDispose]();
});

function vectorOf(value: string | number): Vector {
  if (typeof value === 'string') return vectorFromArray([value], new Utf8());
  if (Number.isInteger(value) && Math.abs(value) < 1e19) return vectorFromArray([BigInt.asIntN(64, BigInt(value))], new Int64());
  return vectorFromArray([value], new Float64());
}

async function answer({ sql, values }: Case, id: number): Promise<unknown> {
  let rows: unknown = null;
  const failure = await failureOf(
    (async () => {
      const { prepared_statement_handle } = await analyst.prepare(sql);
      const handle = { prepared_statement_handle };
      const table = new Table(Object.fromEntries(values.map((value, i) => [`p${i}`, vectorOf(value === '$id' ? id : value)])));
      await put(analyst, encodeAny('CommandPreparedStatementQuery', handle), ipcMessages(tableToIPC(table, 'stream')));
      rows = plainRows(await analyst.run('CommandPreparedStatementQuery', handle));
    })(),
  );
  expect(failure.status).not.toMatch(/INTERNAL|UNKNOWN|UNAVAILABLE|NONE/);
  // Names of result columns quote the statement with its values.
  return JSON.parse(JSON.stringify({ failure, rows }).replaceAll(String(id), 'id')) as unknown;
}

test.each(CASES)('$sql', async (one) => {
  expect(await answer(one, hidden)).toEqual(await answer(one, MISSING));
});

test('the customer in question is hidden, and another one is not', async () => {
  const count: Case = { sql: 'SELECT count(*) AS n FROM demo.customers WHERE customer_id = ?', values: ['$id'] };
  expect(await answer(count, hidden)).toMatchObject({ rows: [{ n: 0 }] });
  expect(await answer(count, seen)).toMatchObject({ rows: [{ n: 1 }] });
});
