/** Two nodes over one PostgreSQL: one policy set, one epoch, handles and tickets that either of them takes. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { plainRows } from '../support/rows.ts';
import { STATE_DIRECTORY, startTestServer, type TestServer } from '../support/server.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const QUICKSTART = fileURLToPath(new URL('../../policies/quickstart', import.meta.url));
const KEY = Buffer.alloc(32, 7).toString('base64');
const ORDERS = 'SELECT count(*) AS n FROM demo.orders';

let postgres: Postgres;
let directory: string;
let nodes: TestServer[] = [];
let clients: RawClient[] = [];

function sluice(...args: string[]): { readonly status: number | null; readonly output: string } {
  const env = { ...process.env, SLUICE_METADATA: postgres.url, SLUICE_STATE_DIR: STATE_DIRECTORY };
  const { status, stdout, stderr } = spawnSync(execPath, [MAIN, ...args], { env, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

beforeAll(async () => {
  postgres = await startPostgres();
  directory = mkdtempSync(join(tmpdir(), 'shared-'));
  cpSync(QUICKSTART, directory, { recursive: true });
});

afterAll(async () => {
  for (const client of clients) client.close();
  for (const node of nodes) await node[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function ticketOf(client: RawClient): Promise<Uint8Array> {
  const { endpoint } = await client.info('CommandStatementQuery', { query: ORDERS });
  return endpoint[0]?.ticket.ticket ?? new Uint8Array();
}

test('a node does not start before there is a policy set, and says how to write one', () => {
  expect(sluice('start', '--flight-listen', '127.0.0.1:0')).toMatchObject({
    status: 1,
    output: expect.stringContaining('sluice policy push'),
  });
});

test('a set is pushed by hand and two nodes serve it', async () => {
  expect(sluice('policy', 'push', directory, '--comment', 'first')).toEqual({ status: 0, output: 'revision 1 is in force\n' });
  const settings = { SLUICE_METADATA: postgres.url, SLUICE_CLUSTER_KEY: KEY, SLUICE_STATE_DIR: STATE_DIRECTORY };
  nodes = [await startTestServer(settings), await startTestServer(settings)];
  clients = await Promise.all(nodes.map(({ port }) => connectFlight({ port, user: 'analyst_eu' })));
  const [first, second] = await Promise.all(clients.map((client) => client.rows(ORDERS)));
  expect(first).toEqual(second);
  expect(nodes.map(({ server }) => server.snapshot().epoch)).toEqual([1, 1]);
});

test('a ticket and a prepared handle of one node work on the other', async () => {
  const [a, b] = clients as [RawClient, RawClient];
  const rows = await a.rows(ORDERS);
  expect(plainRows(await b.get(await ticketOf(a)))).toEqual(rows);
  const { prepared_statement_handle } = await a.prepare(ORDERS);
  expect(plainRows(await b.run('CommandPreparedStatementQuery', { prepared_statement_handle }))).toEqual(rows);
});

test('a change is in force on every node, also for tickets that were not redeemed', async () => {
  const [a] = clients as [RawClient, RawClient];
  const ticket = await ticketOf(a);
  const policy = join(directory, 'policy.csv');
  writeFileSync(
    policy,
    readFileSync(policy, 'utf8').replace('p, analyst, demo.*, select, allow', 'p, analyst, demo.flights, select, allow'),
  );
  expect(sluice('policy', 'push', directory).output).toBe('revision 2 is in force\n');
  await expect.poll(() => nodes.map(({ server }) => server.snapshot().epoch)).toEqual([2, 2]);
  for (const client of clients) expect(await failureOf(client.rows(ORDERS))).toMatchObject({ status: 'NOT_FOUND' });
  expect(await failureOf(a.get(ticket))).toMatchObject({ status: 'ABORTED' });
});

test('a steward who did not see the last change is told', () => {
  writeFileSync(join(directory, '.epoch'), '1\n');
  expect(sluice('policy', 'push', directory)).toMatchObject({ status: 1, output: expect.stringContaining('pull, merge and push again') });
  expect(sluice('policy', 'log').output).toMatch(/^2 .*\n1 .* {2}first\n$/);
});

test('without the database nodes go on with the set they have', async () => {
  await postgres.stop();
  try {
    for (const client of clients) await expect(client.rows('SELECT count(*) FROM demo.flights')).resolves.toHaveLength(1);
  } finally {
    await postgres.start();
  }
});
