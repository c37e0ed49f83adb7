/** A planner and two workers over one PostgreSQL, with clients that follow locations and clients that do not. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '#src/config.js';
import { createLogger } from '#src/log.js';
import { runPolicyCommand } from '#src/policy-cli.js';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import type { FlightInfo } from '../support/flight-messages.ts';
import { scrape } from '../support/metrics.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { plainRows } from '../support/rows.ts';
import { STATE_DIRECTORY, startTestServer, type TestServer } from '../support/server.ts';

const QUICKSTART = fileURLToPath(new URL('../../policies/quickstart', import.meta.url));
const KEY = Buffer.alloc(32, 9).toString('base64');
const ADBC = 'ADBC Flight SQL Driver v1.13.0';
const SCAN = 'SELECT order_id, amount, region, card_number FROM demo.orders WHERE amount > 990';
const COUNT = 'SELECT region, count(*) AS n FROM demo.orders GROUP BY region';

let postgres: Postgres;
let directory: string;
let planner: TestServer;
let workers: TestServer[];
let naive: RawClient;
let following: RawClient;

function startNode(role: 'planner' | 'worker'): Promise<TestServer> {
  return startTestServer({ SLUICE_ROLE: role, SLUICE_METADATA: postgres.url, SLUICE_CLUSTER_KEY: KEY, SLUICE_HTTP_LISTEN: '127.0.0.1:0' });
}

beforeAll(async () => {
  postgres = await startPostgres();
  directory = mkdtempSync(join(tmpdir(), 'fleet-'));
  cpSync(QUICKSTART, directory, { recursive: true });
  const { SLUICE_METADATA: before } = process.env;
  process.env['SLUICE_METADATA'] = postgres.url;
  await runPolicyCommand(['push', directory, '--state-dir', STATE_DIRECTORY], { logger: createLogger('silent') }, () => {});
  if (before === undefined) delete process.env['SLUICE_METADATA'];
  planner = await startNode('planner');
  workers = await Promise.all([startNode('worker'), startNode('worker')]);
  naive = await connectFlight({ port: planner.port, user: 'analyst_eu' });
  following = await connectFlight({ port: planner.port, user: 'analyst_eu', userAgent: ADBC });
});

afterAll(async () => {
  for (const client of [naive, following]) client?.close();
  for (const node of [planner, ...(workers ?? [])]) await node?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function locationsOf(client: RawClient, query: string): Promise<readonly (readonly string[])[]> {
  const { endpoint } = await client.info('CommandStatementQuery', { query });
  return endpoint.map(({ location }) => location.map(({ uri }) => uri));
}

async function readAll(client: RawClient, endpoints: FlightInfo['endpoint']): Promise<readonly Record<string, unknown>[]> {
  const parts = await Promise.all(endpoints.map(async ({ ticket }) => plainRows(await client.get(ticket.ticket))));
  return parts.flat();
}

async function hotTables(node: TestServer): Promise<number> {
  return (await scrape(node)).sum('sluice_hot_tables');
}

function byOrder(rows: readonly Record<string, unknown>[]): readonly string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

describe('endpoints', () => {
  test('a client that follows locations is sent to the workers, and to the planner last', async () => {
    await expect.poll(async () => new Set((await locationsOf(following, SCAN)).flat()).size).toBe(3);
    for (const locations of await locationsOf(following, SCAN)) {
      expect(locations).toHaveLength(3);
      expect(locations[2]).toBe(planner.uri);
      expect(new Set(locations.slice(0, 2))).toEqual(new Set(workers.map(({ uri }) => uri)));
    }
  });

  test('any other client gets one endpoint without a location', async () => {
    expect(await locationsOf(naive, SCAN)).toEqual([[]]);
  });

  test('what reads the same files goes to the same worker, whoever asks', async () => {
    await using steward = await connectFlight({ port: planner.port, user: 'steward', userAgent: ADBC });
    const query = 'SELECT count(*) AS n FROM demo.flights';
    expect(await locationsOf(steward, query)).toEqual(await locationsOf(following, query));
  });
});

describe('the same rows', () => {
  test.each([SCAN, COUNT, 'SELECT 1 AS one', 'EXPLAIN POLICY SELECT 1'])('from every place: %s', async (query) => {
    const expected = byOrder(await naive.rows(query));
    const { endpoint } = await following.info('CommandStatementQuery', { query });
    for (const { port } of [...workers, planner]) {
      await using client = await connectFlight({ port, authorization: following.authorization ?? '' });
      expect(byOrder(await readAll(client, endpoint))).toEqual(expected);
    }
  });
});

test('a worker serves tickets and plans nothing', async () => {
  await using client = await connectFlight({ port: workers[0]?.port ?? 0, user: 'analyst_eu' });
  expect(await failureOf(client.rows('SELECT 1'))).toMatchObject({ status: 'UNIMPLEMENTED', message: expect.stringContaining('planner') });
});

test("somebody else's ticket is refused at the planner and at a worker alike", async () => {
  const { endpoint } = await following.info('CommandStatementQuery', { query: SCAN });
  for (const { port } of [planner, ...workers]) {
    await using other = await connectFlight({ port, user: 'analyst_us' });
    expect(await failureOf(other.get(endpoint[0]?.ticket.ticket ?? new Uint8Array()))).toMatchObject({ status: 'PERMISSION_DENIED' });
  }
});

test('a node with another key does not start', async () => {
  const settings = { SLUICE_METADATA: postgres.url, SLUICE_CLUSTER_KEY: Buffer.alloc(32, 8).toString('base64') };
  for (const role of ['planner', 'worker'])
    await expect(startTestServer({ ...settings, SLUICE_ROLE: role })).rejects.toMatchObject({
      code: 'config.invalid',
      message: expect.stringContaining('SLUICE_CLUSTER_KEY'),
    });
});

test('scratch tables, which one node alone could read, are off', async () => {
  const outcome = await failureOf(naive.rows('CREATE TABLE scratch.mine AS SELECT 1 AS one'));
  expect(outcome.status).not.toBe('OK');
});

test('a dataset that is pinned through the planner is taken into memory by the worker that reads it', async () => {
  const steward = await connectFlight({ port: planner.port, user: 'steward' });
  try {
    await steward.rows('PIN DATASET demo.customers');
    let asked = 0;
    await expect
      .poll(async () => {
        await naive.rows(`SELECT count(*) AS n FROM demo.customers WHERE customer_id > ${asked++}`);
        const kept = await Promise.all(workers.map(hotTables));
        return kept.reduce((sum, tables) => sum + tables, 0);
      })
      .toBe(1);
    await steward.rows('UNPIN DATASET demo.customers');
  } finally {
    steward.close();
  }
});

test('a worker that leaves gets nothing new, and what it had goes on elsewhere', async () => {
  const { endpoint } = await following.info('CommandStatementQuery', { query: SCAN });
  const expected = byOrder(await naive.rows(SCAN));
  const [gone, stays] = workers as [TestServer, TestServer];
  await gone[Symbol.asyncDispose]();
  workers = [stays];
  expect(byOrder(await readAll(naive, endpoint))).toEqual(expected);
  expect(byOrder(await naive.rows(SCAN))).toEqual(expected);
  await expect.poll(async () => (await locationsOf(following, SCAN)).flat().includes(gone.uri)).toBe(false);
});

test('without any worker a query may be tried again later', async () => {
  await workers[0]?.[Symbol.asyncDispose]();
  workers = [];
  expect(await failureOf(naive.rows(SCAN))).toMatchObject({ status: 'UNAVAILABLE' });
  workers = [await startNode('worker')];
  await expect.poll(async () => (await failureOf(naive.rows(COUNT))).status).toBe('OK');
});

test('a role of a fleet needs what a fleet shares', () => {
  expect(() => readConfig([], { SLUICE_ROLE: 'worker' })).toThrow(/SLUICE_METADATA[\s\S]*SLUICE_CLUSTER_KEY/);
});
