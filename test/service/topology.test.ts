/** The fleet as it is deployed: planners behind a load balancer, workers, PostgreSQL and S3, all as processes, with the clients that people use. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TESTBED } from '#testbed';
import { type Answer, ClientError, demoUser, JdbcClient, PythonClients } from '../support/clients.ts';
import { awaitWhole } from '../support/fleet-checks.ts';
import { connectFlight, failureOf } from '../support/flight-client.ts';
import { CLUSTER_KEY, QUICKSTART_QUERIES, QUICKSTART_SETTINGS } from '../support/quickstart.ts';
import { expectSameAnswer, expectSameText } from '../support/same-answer.ts';
import { STATE_DIRECTORY, startTestServer, type TestServer } from '../support/server.ts';
import { startTopology, type Topology } from '../support/topology.ts';

const USERS = ['steward', 'analyst_eu', 'analyst_us', 'auditor', 'guest'] as const;
const ADBC = 'ADBC Flight SQL Driver v1.13.0';
const SCAN = 'SELECT order_id, amount, region, card_number FROM demo.orders WHERE amount > 990';
const PATIENCE = { timeout: 60_000, interval: 100 };

const python = new PythonClients();
const jdbc = new JdbcClient();
let directory: string;
let topology: Topology;
/** One process over local files: what the fleet must agree with. */
let single: TestServer;

beforeAll(async () => {
  directory = mkdtempSync(join(TESTBED, 'topology-'));
  single = await startTestServer(QUICKSTART_SETTINGS);
  topology = await startTopology({
    directory,
    demoDirectory: join(STATE_DIRECTORY, 'demo'),
    clusterKey: CLUSTER_KEY,
    shaped: true,
    settings: { SLUICE_DRAIN: '1s' },
  });
  await awaitWhole(topology);
}, 300_000);

afterAll(async () => {
  await Promise.all([python[Symbol.asyncDispose](), jdbc[Symbol.asyncDispose]()]);
  await topology?.[Symbol.asyncDispose]();
  await single?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** The answer, or what the driver says went wrong. */
async function outcomeOf(port: number, user: string, sql: string): Promise<Answer | string> {
  try {
    return await python.query('adbc_query', port, demoUser(user), sql);
  } catch (error) {
    if (error instanceof ClientError) return error.message;
    throw error;
  }
}

function expectSameOutcome(actual: Answer | string, expected: Answer | string, what: string): void {
  if (typeof actual === 'string' || typeof expected === 'string') expect(actual, what).toEqual(expected);
  else expectSameAnswer(actual, expected, what);
}

describe.each(USERS)('ADBC as %s gets what one process gives', (user) => {
  test.each(Object.entries(QUICKSTART_QUERIES))('%s', async (what, sql) => {
    expectSameOutcome(await outcomeOf(topology.balancer.port, user, sql), await outcomeOf(single.port, user, sql), what);
  });
});

describe.each(['steward', 'analyst_eu'] as const)('JDBC as %s gets what one process gives', (user) => {
  beforeAll(() => jdbc.connect(topology.balancer.port, demoUser(user)));

  test.each(Object.entries(QUICKSTART_QUERIES))('%s', async (what, sql) => {
    expectSameText(await jdbc.statement(sql), await python.query('adbc_query', single.port, demoUser(user), sql), what);
  });
});

describe('pyarrow reads each endpoint at each of its locations', () => {
  test.each(['steward', 'analyst_us'])('as %s', async (user) => {
    const options = {
      uri: `grpc://127.0.0.1:${topology.balancer.port}`,
      ...demoUser(user),
      sql: SCAN,
      headers: { 'x-sluice-endpoints': 'parallel' },
    };
    const { locations, answers } = await python.call<{ locations: string[][]; answers: Answer[] }>('flight_everywhere', options);
    const expected = await python.query('adbc_query', single.port, demoUser(user), SCAN);
    const workers = topology.workers.map(({ location }) => location);
    const planners = topology.planners.map(({ location }) => location);
    for (const [chosen, second, last, ...more] of locations) {
      expect(workers).toContain(chosen);
      expect(workers).toContain(second);
      expect(second).not.toBe(chosen);
      expect(planners).toContain(last);
      expect(more).toEqual([]);
    }
    expect(answers).toHaveLength(3);
    for (const [place, answer] of answers.entries()) expectSameAnswer(answer, expected, `place ${place}`);
  });
});

test('a scan of many files is spread over the workers', async () => {
  await using client = await connectFlight({ port: topology.balancer.port, user: 'steward', userAgent: ADBC });
  const { endpoint } = await client.info('CommandStatementQuery', { query: 'SELECT order_id, card_number FROM demo.orders' });
  expect(endpoint.length).toBeGreaterThan(1);
  expect(new Set(endpoint.map(({ location }) => location[0]?.uri)).size).toBeGreaterThan(1);
});

test('EXPLAIN POLICY says the same as one process', async () => {
  const sql = `EXPLAIN POLICY ${SCAN}`;
  const [fleet, one] = await Promise.all(
    [topology.balancer.port, single.port].map((port) => python.query('adbc_query', port, demoUser('analyst_eu'), sql)),
  );
  expect(fleet?.columns).toEqual(one?.columns);
  expect(fleet?.rows.length).toBeGreaterThan(0);
});

test('SHOW WORKERS lists the three, to whoever operates the fleet', async () => {
  const { columns, rows } = await python.query('adbc_query', topology.balancer.port, demoUser('steward'), 'SHOW WORKERS');
  const at = columns.findIndex(([name]) => name === 'location');
  expect(rows.map((row) => row[at]).sort()).toEqual(topology.workers.map(({ location }) => location).sort());
  expect(await outcomeOf(topology.balancer.port, 'analyst_eu', 'SHOW WORKERS')).toMatch(/PermissionDenied/);
});

test('new connections go to the planners in turns', async () => {
  const served = (): Promise<number[]> =>
    Promise.all(
      topology.planners.map(
        async (planner) => (await planner.scrape()).value('sluice_request_seconds_count', { method: 'Handshake', code: 'OK' }) ?? 0,
      ),
    );
  const before = await served();
  const idle = async (): Promise<number> => {
    (await connectFlight({ port: topology.balancer.port, user: 'guest' })).close();
    return (await served()).filter((count, index) => count === before[index]).length;
  };
  await expect.poll(idle, PATIENCE).toBe(0);
});

test('a handle prepared at one planner runs at the other when the first is dead', async () => {
  const [first, second] = topology.planners;
  const expected = await python.query('adbc_query', single.port, demoUser('analyst_eu'), SCAN);
  topology.balancer.use([first?.port ?? 0]);
  await expect.poll(() => topology.balancer.healthy(), PATIENCE).toEqual([first?.port]);
  const options = { id: 'handle', uri: `grpc://127.0.0.1:${topology.balancer.port}`, ...demoUser('analyst_eu'), sql: SCAN };
  await python.call('adbc_handle_open', options);
  topology.balance();
  await first?.kill();
  await expect.poll(() => topology.balancer.healthy(), PATIENCE).toEqual([second?.port]);
  // The driver may find out that its connection is gone by using it.
  await expect
    .poll(() => python.call<Answer>('adbc_handle_run', options).then(({ rows }) => rows.length, String), PATIENCE)
    .toBe(expected.rows.length);
  expectSameAnswer(await python.call<Answer>('adbc_handle_run', options), expected, 'the handle at the other planner');
  await first?.start();
  topology.balance();
  await awaitWhole(topology);
});

test('a planner that drains gets no new connections', async () => {
  const [, second] = topology.planners;
  const port = second?.port ?? 0;
  const stopped = second?.stop();
  await expect.poll(() => topology.balancer.healthy(), PATIENCE).not.toContain(port);
  expect(await outcomeOf(topology.balancer.port, 'guest', 'SELECT 1 AS one')).toMatchObject({ rows: [[1]] });
  await stopped;
  await second?.start();
  topology.balance();
  await awaitWhole(topology);
});

test('a policy change is in force at every node, also for what was planned before', async () => {
  await using client = await connectFlight({ port: topology.planners[0]?.port ?? 0, user: 'analyst_eu', userAgent: ADBC });
  const { endpoint } = await client.info('CommandStatementQuery', { query: SCAN });
  const ticket = endpoint[0]?.ticket.ticket ?? new Uint8Array();
  await client.get(ticket);
  await topology.changePolicies('policy.csv', 'p, analyst, demo.*, select, allow', 'p, analyst, demo.flights, select, allow');
  const nodes = [...topology.planners, ...topology.workers];
  const epochs = (): Promise<unknown[]> => Promise.all(nodes.map(async (node) => (await node.scrape()).value('sluice_policy_epoch')));
  await expect.poll(epochs, PATIENCE).toEqual(nodes.map(() => 2));
  for (const { port } of topology.planners) {
    await using other = await connectFlight({ port, user: 'analyst_eu' });
    expect(await failureOf(other.rows(SCAN))).toMatchObject({ status: 'NOT_FOUND' });
  }
  for (const { port } of nodes) {
    await using other = await connectFlight({ port, authorization: client.authorization ?? '' });
    expect(await failureOf(other.get(ticket))).toMatchObject({ status: 'ABORTED' });
  }
  expect(await outcomeOf(topology.balancer.port, 'analyst_eu', SCAN)).toMatch(/NotFound/);
});
