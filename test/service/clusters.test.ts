/** Two clusters over one metadata database: what is granted in one only, cancels over all nodes, health, and nodes for a while. */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { PostgresSession } from '#src/catalog/index.js';
import { flightsDirectory } from '#src/demo.js';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { decode, encode, encodeAny, type FlightInfo } from '../support/flight-messages.ts';
import { parseMetrics, type Scrape } from '../support/metrics.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { STATE_DIRECTORY, startTestServer, type TestServer } from '../support/server.ts';
import { MAIN } from '../support/server-process.ts';
import { ServiceClient } from '../support/service-client.ts';
import { pushPolicies } from '../support/shared-policies.ts';

const QUICKSTART = fileURLToPath(new URL('../../policies/quickstart', import.meta.url));
const KEY = Buffer.alloc(32, 3).toString('base64');
const ADBC = 'ADBC Flight SQL Driver v1.13.0';
const COUNT = 'SELECT count(*) AS n FROM demo.orders';
/** Hours of work, and no row before its end. */
const ENDLESS = 'SELECT count(*) FROM demo.orders a, demo.orders b WHERE a.amount < b.amount AND a.order_id % 7 <> b.order_id % 11';
const PATIENCE = { timeout: 60_000 };

let postgres: Postgres;
let directory: string;
let planner: TestServer;
let elsewhere: TestServer;
let workers: readonly TestServer[];
const clients: RawClient[] = [];

function startNode(role: 'planner' | 'worker', settings: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  return startTestServer({
    SLUICE_ROLE: role,
    SLUICE_METADATA: postgres.url,
    SLUICE_CLUSTER_KEY: KEY,
    SLUICE_CLUSTER: 'adhoc-1',
    SLUICE_HTTP_LISTEN: '127.0.0.1:0',
    SLUICE_HEARTBEAT: '500ms',
    SLUICE_HEALTH_INTERVAL: '200ms',
    SLUICE_METADATA_GRACE: '1s',
    ...settings,
  });
}

async function connect(port: number, user: string, userAgent?: string): Promise<RawClient> {
  const client = await connectFlight({ port, user, ...(userAgent === undefined ? {} : { userAgent }) });
  clients.push(client);
  return client;
}

beforeAll(async () => {
  postgres = await startPostgres();
  directory = mkdtempSync(join(tmpdir(), 'clusters-'));
  cpSync(QUICKSTART, join(directory, 'policies'), { recursive: true });
  // A storage of its own, which a test takes away.
  const shelf = join(directory, 'shelf');
  mkdirSync(shelf);
  const catalog = join(directory, 'policies', 'catalog.yaml');
  // Places that every node has, whatever its state directory.
  const places = readFileSync(catalog, 'utf8')
    .replace(/\$\{data\}/g, join(STATE_DIRECTORY, 'demo'))
    .replace(/\$\{flights\}/g, flightsDirectory());
  const text = places.replace('connections:\n', `connections:\n  shelf: { kind: local, directory: "${shelf}" }\n`);
  writeFileSync(
    catalog,
    `${text.trimEnd()}\n  demo.shelf:\n    connection: shelf\n    parquet: none\n    columns: { id: { type: BIGINT } }\n`,
  );
  const policy = join(directory, 'policies', 'policy.csv');
  writeFileSync(policy, readFileSync(policy, 'utf8').replace('allow, guest-reads-flights', 'allow, guest-reads-flights, adhoc-*'));
  appendFileSync(policy, 'p, auditor, demo.products, describe, deny, no-products-there, other\n');
  await pushPolicies(postgres.url, join(directory, 'policies'));
  planner = await startNode('planner');
  elsewhere = await startNode('planner', { SLUICE_CLUSTER: 'other' });
  workers = await Promise.all([startNode('worker'), startNode('worker')]);
  await vi.waitFor(async () => expect((await scrape(planner)).value('sluice_fleet_workers')).toBe(2), PATIENCE);
});

afterAll(async () => {
  for (const client of clients) client.close();
  for (const node of [planner, elsewhere, ...(workers ?? [])]) await node?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function http(node: TestServer, path: string): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`http://127.0.0.1:${node.server.httpPort}${path}`);
  return { status: response.status, text: await response.text() };
}

async function scrape(node: TestServer): Promise<Scrape> {
  return parseMetrics((await http(node, '/metrics')).text);
}

async function planOf(client: RawClient, query: string): Promise<{ readonly info: FlightInfo; readonly ticket: Uint8Array }> {
  const info = await client.info('CommandStatementQuery', { query });
  return { info, ticket: info.endpoint[0]?.ticket.ticket ?? new Uint8Array() };
}

describe('grants of some clusters', () => {
  const FLIGHTS = 'SELECT count(*) AS n FROM demo.flights';

  test('hold there and nowhere else', async () => {
    const [here, there] = [await connect(planner.port, 'guest'), await connect(elsewhere.port, 'guest')];
    expect(await here.rows(FLIGHTS)).toHaveLength(1);
    expect(await failureOf(there.rows(FLIGHTS))).toMatchObject({ status: 'NOT_FOUND' });
  });

  test('show in EXPLAIN POLICY, whose clusters they are to the auditor only', async () => {
    const own = await (await connect(planner.port, 'guest')).rows(`EXPLAIN POLICY ${FLIGHTS}`);
    expect(own[0]?.['grants']).toBe('guest-reads-flights (not in all clusters)');
    const audited = await (await connect(planner.port, 'auditor')).rows(`EXPLAIN POLICY AS USER 'guest' ${FLIGHTS}`);
    expect(audited[0]?.['grants']).toBe('guest-reads-flights (in clusters adhoc-* only)');
  });

  test('a ticket of one cluster is none in another, at planner and worker', async () => {
    const { ticket } = await planOf(await connect(planner.port, 'guest'), FLIGHTS);
    const foreign = await connect(elsewhere.port, 'guest');
    expect(await failureOf(foreign.get(ticket))).toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: expect.stringContaining('another cluster'),
    });
    await using worker = await startNode('worker', { SLUICE_CLUSTER: 'other' });
    const client = await connect(worker.port, 'guest');
    expect(await failureOf(client.get(ticket))).toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: expect.stringContaining('another cluster'),
    });
  });

  test('workers of another cluster get no tasks', async () => {
    await using other = await startNode('worker', { SLUICE_CLUSTER: 'other' });
    await expect.poll(async () => (await scrape(elsewhere)).value('sluice_fleet_workers'), PATIENCE).toBe(1);
    const { info } = await planOf(await connect(planner.port, 'steward', ADBC), COUNT);
    const uris = info.endpoint.flatMap(({ location }) => location.map(({ uri }) => uri));
    expect(uris).not.toContain(other.uri);
    expect(uris).toContain(planner.uri);
  });

  test('a worker with another cluster key does not start; one that came before the check fails nobody whose rows the planner passes on', async () => {
    const known = async (): Promise<number | undefined> => (await scrape(planner)).value('sluice_fleet_workers');
    const stranger = { SLUICE_CLUSTER_KEY: Buffer.alloc(32, 4).toString('base64') };
    const forget = (): Promise<unknown> => session.query("UPDATE sluice.worker SET key_check = ''");
    await using session = await PostgresSession.open({ url: postgres.url, pollMs: 1000, onProblems: () => {} });
    await expect(startNode('worker', stranger)).rejects.toMatchObject({ code: 'config.invalid' });
    await forget();
    {
      await using _stranger = await startNode('worker', stranger);
      await expect.poll(known, PATIENCE).toBe(3);
      const client = await connect(planner.port, 'steward');
      // Some of them are its turn first.
      for (const name of ['orders', 'customers', 'products', 'flights', 'customer_orders'])
        expect(await client.rows(`SELECT count(*) AS n FROM demo.${name}`)).toHaveLength(1);
    }
    await expect.poll(known, PATIENCE).toBe(2);
  });
});

describe('a cancel at the planner', () => {
  async function cancel(client: RawClient, info: FlightInfo): Promise<number> {
    const [body] = await client.action('CancelFlightInfo', encode('CancelFlightInfoRequest', { info }));
    return decode<{ status: number }>('CancelFlightInfoResult', body ?? Buffer.alloc(0)).status;
  }
  const running = async (): Promise<number> => {
    const counts = await Promise.all(workers.map(async (node) => (await scrape(node)).value('sluice_queries_running') ?? 0));
    return counts.reduce((sum, count) => sum + count, 0);
  };

  test('ends the query on every worker and the stream that passes through, and again is the same', async () => {
    const client = await connect(planner.port, 'steward');
    const { info, ticket } = await planOf(client, ENDLESS);
    const direct = await Promise.all(workers.map(({ port }) => connectFlight({ port, authorization: client.authorization ?? '' })));
    clients.push(...direct);
    const streams = [client, ...direct].map((each) => failureOf(each.get(ticket)));
    await expect.poll(running, PATIENCE).toBe(2);
    await expect.poll(async () => (await scrape(planner)).value('sluice_proxy_streams'), PATIENCE).toBe(1);
    await expect.poll(() => cancel(client, info)).toBe(1);
    for (const outcome of await Promise.all(streams)) expect(outcome).toEqual({ status: 'CANCELLED', message: 'the query was cancelled' });
    await expect.poll(running, PATIENCE).toBe(0);
    expect((await scrape(planner)).value('sluice_proxy_streams')).toBe(0);
    await expect.poll(() => cancel(client, info)).toBe(1);
    for (const each of [client, ...direct]) expect(await failureOf(each.get(ticket))).toMatchObject({ status: 'CANCELLED' });
  });

  test('of a query that was polled for does the same', async () => {
    const client = await connect(planner.port, 'steward');
    const descriptor = encode('FlightDescriptor', { type: 2, cmd: encodeAny('CommandStatementQuery', { query: ENDLESS }) });
    const { info } = decode<{ info: FlightInfo }>('PollInfo', await client.unary('PollFlightInfo', descriptor));
    const stream = failureOf(client.get(info.endpoint[0]?.ticket.ticket ?? new Uint8Array()));
    await expect.poll(running, PATIENCE).toBe(1);
    await expect.poll(() => cancel(client, info)).toBe(1);
    expect(await stream).toMatchObject({ status: 'CANCELLED' });
    await expect.poll(running, PATIENCE).toBe(0);
  });

  test('a client that leaves the planner ends the query on its worker', async () => {
    const client = await connect(planner.port, 'steward');
    const { ticket } = await planOf(client, ENDLESS);
    const stream = client.openStream(ticket);
    stream.on('error', () => {}).on('data', () => {});
    await expect.poll(running, PATIENCE).toBe(1);
    stream.cancel();
    await expect.poll(running, PATIENCE).toBe(0);
    await expect.poll(async () => (await scrape(planner)).value('sluice_proxy_streams'), PATIENCE).toBe(0);
  });

  test("somebody else's query is not touched", async () => {
    const [steward, analyst] = [await connect(planner.port, 'steward'), await connect(planner.port, 'analyst_eu')];
    const { info } = await planOf(steward, COUNT);
    expect(await failureOf(cancel(analyst, info))).toMatchObject({ status: 'PERMISSION_DENIED' });
    expect(await steward.get(info.endpoint[0]?.ticket.ticket ?? new Uint8Array())).toMatchObject({ numRows: 1 });
  });
});

describe('health', () => {
  test('storage that goes away makes workers NOT_SERVING, in words; they serve what they can, and recover', {
    timeout: 180_000,
  }, async () => {
    const [worker] = workers as readonly [TestServer];
    using health = new ServiceClient(worker.port);
    expect(await health.check()).toBe('SERVING');
    renameSync(join(directory, 'shelf'), join(directory, 'away'));
    try {
      await expect.poll(() => health.check(), PATIENCE).toBe('NOT_SERVING');
      expect(await http(worker, '/readyz')).toMatchObject({
        status: 503,
        text: expect.stringContaining('storage of 1 connection does not answer'),
      });
      expect((await http(worker, '/readyz')).text).not.toContain('shelf');
      const numbers = await scrape(worker);
      expect([numbers.value('sluice_serving'), numbers.value('sluice_storage_unreachable')]).toEqual([0, 1]);
      await expect.poll(async () => (await scrape(planner)).value('sluice_fleet_workers'), PATIENCE).toBe(0);
      // Nobody serves all: better than nobody.
      expect(await (await connect(planner.port, 'steward')).rows(COUNT)).toHaveLength(1);
    } finally {
      renameSync(join(directory, 'away'), join(directory, 'shelf'));
    }
    await expect.poll(() => health.check(), PATIENCE).toBe('SERVING');
    await expect.poll(async () => (await scrape(planner)).value('sluice_fleet_workers'), PATIENCE).toBe(2);
    expect((await http(worker, '/readyz')).status).toBe(200);
  });

  test('without metadata for longer than the grace nobody serves, and all do when it is back', async () => {
    const nodes = [planner, ...workers];
    const checks = nodes.map(({ port }) => new ServiceClient(port));
    const states = (): Promise<readonly string[]> => Promise.all(checks.map((check) => check.check()));
    await postgres.stop();
    try {
      await expect.poll(states, PATIENCE).toEqual(nodes.map(() => 'NOT_SERVING'));
      expect(await http(planner, '/readyz')).toMatchObject({
        status: 503,
        text: expect.stringContaining('metadata service has been out of reach'),
      });
      const numbers = await scrape(planner);
      expect(numbers.value('sluice_metadata_reachable')).toBe(0);
      expect(numbers.value('sluice_metadata_outage_seconds')).toBeGreaterThan(1);
      expect(numbers.value('sluice_policy_epoch')).toBe(1);
    } finally {
      await postgres.start();
    }
    await expect.poll(states, PATIENCE).toEqual(nodes.map(() => 'SERVING'));
    for (const check of checks) check[Symbol.dispose]();
    expect(await (await connect(planner.port, 'steward')).rows(COUNT)).toHaveLength(1);
    const [worker] = workers as readonly [TestServer];
    expect((await scrape(worker)).value('sluice_heartbeat_age_seconds')).toBeGreaterThanOrEqual(0);
  });
});

test('a change is known on every node within moments', async () => {
  const nodes = [planner, elsewhere, ...workers];
  // A node whose grace of a second passed on a busy machine knows nothing for a moment.
  const epochOf = ({ server }: TestServer): number | null => {
    try {
      return server.snapshot().epoch;
    } catch {
      return null;
    }
  };
  const epochs = (): readonly (number | null)[] => nodes.map(epochOf);
  await expect.poll(epochs, PATIENCE).not.toContain(null);
  const before = epochOf(planner) ?? 0;
  appendFileSync(join(directory, 'policies', 'policy.csv'), '# one more line\n');
  const push = pushPolicies(postgres.url, join(directory, 'policies'));
  const known = nodes.map(
    (node) =>
      new Promise<number>((resolve) => {
        const timer = setInterval(() => {
          if (epochOf(node) !== before + 1) return;
          clearInterval(timer);
          resolve(Date.now());
        }, 1);
      }),
  );
  const times = await Promise.all(known);
  await push;
  // Printed, for how long it takes is the machine's. One clock: the database is on this machine.
  await using session = await PostgresSession.open({ url: postgres.url, pollMs: 1000, onProblems: () => {} });
  const { rows } = await session.query<{ at: Date }>('SELECT max(created_at) AS at FROM sluice.policy_revision', []);
  const [first, last] = [Math.min(...times), Math.max(...times)].map((time) => time - Number(rows[0]?.at));
  process.stdout.write(`${nodes.length} nodes knew a change ${first} to ${last} ms after its transaction began\n`);
  await expect.poll(epochs, PATIENCE).toEqual(nodes.map(() => before + 1));
});

test('SHOW WORKERS lists them as they are', async () => {
  const steward = await connect(planner.port, 'steward');
  const shown = async (): Promise<readonly unknown[]> => {
    const rows = await steward.rows('SHOW WORKERS');
    return rows.filter(({ cluster }) => cluster === 'adhoc-1').map(({ location, alive }) => [location, alive]);
  };
  await expect.poll(async () => [...(await shown())].sort()).toEqual(workers.map(({ uri }) => [uri, true]).sort());
});

describe('a node for a while', () => {
  interface Brief {
    readonly child: ChildProcess;
    readonly ended: Promise<number | null>;
    readonly lines: readonly string[];
  }

  /** Its temporary files go where the test can see them. */
  function joinCluster(...more: string[]): Brief {
    const env = { ...process.env, SLUICE_CLUSTER_KEY: KEY, SLUICE_CLUSTER: 'brief', TMPDIR: directory };
    const args = [MAIN, 'worker', '--join', postgres.url, '--drain', '1s', ...more];
    const child = spawn(process.execPath, args, { env, cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', (line) => lines.push(line));
    return { child, lines, ended: new Promise((resolve) => child.once('exit', resolve)) };
  }
  const left = (): readonly string[] => readdirSync(directory).filter((name) => name.startsWith('sluice-worker-'));

  test('joins with an address and the key alone, serves, and leaves nothing behind', async () => {
    await using other = await startNode('planner', { SLUICE_CLUSTER: 'brief' });
    const { child, lines, ended } = joinCluster();
    try {
      await expect.poll(async () => (await scrape(other)).value('sluice_fleet_workers'), PATIENCE).toBe(1);
      expect(await (await connect(other.port, 'steward')).rows(COUNT)).toHaveLength(1);
      expect(left()).toHaveLength(1);
      child.kill('SIGTERM');
      expect(await ended, lines.join('\n')).toBe(0);
      expect(left()).toEqual([]);
      await expect.poll(async () => (await scrape(other)).value('sluice_fleet_workers'), PATIENCE).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('ends by itself when its time is over', async () => {
    const { lines, ended } = joinCluster('--ttl', '1s');
    expect(await ended, lines.join('\n')).toBe(0);
    expect(lines).toContain('Draining …');
    expect(left()).toEqual([]);
  });
});
