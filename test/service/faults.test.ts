/**
 * A fleet in which things break while real clients read from it: workers, planners, PostgreSQL, S3, the network, disks, credentials, clocks.
 * Every answer is the right one or an error that says to try again; afterwards the fleet serves everybody, and nothing stays behind.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { TESTBED } from '#testbed';
import { demoUser, JdbcClient, PythonClients } from '../support/clients.ts';
import { FaultClients, isRetryable, report } from '../support/fault-load.ts';
import { awaitAtRest, awaitWhole } from '../support/fleet-checks.ts';
import type { FleetNode } from '../support/fleet-node.ts';
import { CLUSTER_KEY, QUICKSTART_SETTINGS } from '../support/quickstart.ts';
import { STATE_DIRECTORY, startTestServer, type TestServer } from '../support/server.ts';
import { CLEAR } from '../support/shaping-proxy.ts';
import { startTopology, type Topology } from '../support/topology.ts';

const PATIENCE = { timeout: 60_000, interval: 100 };
const SETTINGS = {
  SLUICE_DRAIN: '1s',
  SLUICE_MEMORY_LIMIT: '384MB',
  SLUICE_TEMP_LIMIT: '32MB',
  SLUICE_THREADS: '2',
  // Little is read ahead of a reader: what breaks in the middle of a stream matters to it.
  SLUICE_STREAMING_BUFFER: '2MB',
};
/** What a worker keeps of answers and datasets would hide the faults; the third keeps it, as most do. */
const NO_CACHES = { SLUICE_RESULT_CACHE: '0', SLUICE_RESULT_CACHE_DISK: '0', SLUICE_HOT_TABLES: '0' };
/** Of one node: the engine's limit and the process itself. */
const RESIDENT_MB_MAX = 1500;
const SCAN = 'SELECT order_id, customer_id, order_date, amount, region, card_number, status FROM demo.orders';

const python = new PythonClients();
const jdbc = new JdbcClient();
const clients = new FaultClients(python, jdbc);
let directory: string;
let fleet: Topology;
let single: TestServer;
let scanDigest: string;

beforeAll(async () => {
  directory = mkdtempSync(join(TESTBED, 'faults-'));
  single = await startTestServer(QUICKSTART_SETTINGS);
  await clients.learn(single.port);
  await clients.expected(single.port, { user: 'steward', sql: SCAN });
  await jdbc.connect(single.port, demoUser('steward'));
  scanDigest = await jdbc.digest(SCAN);
  const demoDirectory = join(STATE_DIRECTORY, 'demo');
  const settingsOf = (name: string): Record<string, string> => (name === 'worker-3' ? {} : NO_CACHES);
  fleet = await startTopology({ directory, demoDirectory, clusterKey: CLUSTER_KEY, shaped: true, settings: SETTINGS, settingsOf });
  await awaitWhole(fleet);
}, 300_000);

afterAll(async () => {
  await Promise.all([python[Symbol.asyncDispose](), jdbc[Symbol.asyncDispose]()]);
  await fleet?.[Symbol.asyncDispose]();
  await single?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

afterEach(async () => {
  await awaitWhole(fleet);
  await awaitAtRest([...fleet.planners, ...fleet.workers], RESIDENT_MB_MAX);
});

function nodeAt(nodes: readonly FleetNode[], index: number): FleetNode {
  const node = nodes[index];
  if (node === undefined) throw new Error(`there is no node ${index}`);
  return node;
}

/** Runs the clients around a fault: served before it, in its presence or not as `meanwhile` says, and after it. */
async function underLoad(fault: string, meanwhile: (load: Awaited<ReturnType<FaultClients['load']>>) => Promise<void>): Promise<number> {
  const load = await clients.load(fleet.balancer.port);
  let failures = {};
  try {
    await meanwhile(load);
    await load.everybodyIsServed();
  } finally {
    ({ failures } = await load.stop(fault));
  }
  return Object.keys(failures).length;
}

/** Large results of ADBC and JDBC, opened and read in part; then the fault; then the rest of them. */
async function midStream(fault: string, happen: () => Promise<unknown>): Promise<readonly string[]> {
  const uri = `grpc://127.0.0.1:${fleet.balancer.port}`;
  const stream = { ...demoUser('steward'), sql: SCAN };
  await jdbc.connect(fleet.balancer.port, demoUser('steward'));
  expect(await python.call<number>('stream_open', { id: fault, uri, streams: [stream, stream, stream] })).toBeGreaterThan(0);
  expect(await jdbc.hold(SCAN, 1000)).toBe(1000);
  await happen();
  const ends = await python.call<string[]>('stream_rest', { id: fault });
  ends.push(await jdbc.rest().then((digest) => (digest === scanDigest ? 'right' : 'wrong'), String));
  const count = (wanted: string): number => ends.filter((end) => end === wanted).length;
  const errors = ends.filter((end) => end !== 'right' && end !== 'wrong');
  report(fault, { right: [count('right')], wrong: count('wrong'), failures: Object.fromEntries(errors.map((end) => [end, count(end)])) });
  expect(ends.filter((end) => end !== 'right' && !isRetryable(end))).toEqual([]);
  return ends;
}

describe('workers', () => {
  test('one is killed and comes back', async () => {
    const worker = nodeAt(fleet.workers, 0);
    await underLoad('kill -9 a worker', async (load) => {
      await worker.kill();
      await load.everybodyIsServed();
      await worker.start();
    });
  });

  test('one is killed between plan and read: the next location has the answer', async () => {
    const stream = { id: 'partitions', uri: `grpc://127.0.0.1:${fleet.balancer.port}`, ...demoUser('steward'), sql: SCAN };
    expect(await python.call<number>('partitions_open', stream)).toBeGreaterThan(1);
    await nodeAt(fleet.workers, 1).kill();
    expect(await python.call<string>('partitions_read', stream)).toBe('right');
    await nodeAt(fleet.workers, 1).start();
  });

  test('all are killed in the middle of streams', async () => {
    await midStream('kill -9 all workers in mid-stream', () => Promise.all(fleet.workers.map((worker) => worker.kill())));
    await Promise.all(fleet.workers.map((worker) => worker.start()));
  });

  test('each is replaced in turn, as an upgrade does', async () => {
    await underLoad('drain and replace each worker', async (load) => {
      for (const worker of fleet.workers) {
        await worker.stop();
        await worker.start();
      }
      await load.everybodyIsServed();
    });
  });
});

describe('planners', () => {
  test('one is killed and comes back', async () => {
    const planner = nodeAt(fleet.planners, 0);
    await underLoad('kill -9 a planner', async (load) => {
      await planner.kill();
      await load.everybodyIsServed();
      await planner.start();
      fleet.balance();
    });
  });

  test('each is replaced in turn', async () => {
    await underLoad('drain and replace each planner', async (load) => {
      for (const planner of fleet.planners) {
        await planner.stop();
        await planner.start();
        fleet.balance();
        await vi.waitFor(() => expect(fleet.balancer.healthy()).toHaveLength(2), PATIENCE);
      }
      await load.everybodyIsServed();
    });
  });
});

describe('the network between clients and workers', () => {
  afterEach(() => {
    for (const { link } of fleet.workers) link.shape(CLEAR);
  });

  test('every connection is cut in the middle of streams', async () => {
    const ends = await midStream('cut clients from workers in mid-stream', async () => {
      for (const { link } of fleet.workers) link.cut();
    });
    expect(ends).not.toContain('wrong');
  });

  test('connections break again and again', async () => {
    await underLoad('cut each connection to a worker after 300 kB', async (load) => {
      for (const { link } of fleet.workers) link.shape({ cutAfterBytes: 300_000 });
      await load.somebodyFails();
      for (const { link } of fleet.workers) link.shape(CLEAR);
    });
  });

  test('a worker that answers nothing and closes nothing', async () => {
    const { link } = nodeAt(fleet.workers, 2);
    await underLoad('stall a worker', async () => {
      link.shape({ stall: true });
      await vi.waitFor(() => expect(link.stats().open).toBeGreaterThan(0), PATIENCE);
      link.shape({ stall: false });
    });
  });
});

describe('PostgreSQL', () => {
  test('is away for five seconds: nobody notices', async () => {
    await underLoad('PostgreSQL crashes, back after 5 s', async (load) => {
      await fleet.postgres.stop();
      const back = Date.now() + 5000;
      while (Date.now() < back) await load.everybodyIsServed();
      await fleet.postgres.start();
    });
  });

  test('is away for longer than the grace: nothing is planned, until it is back', async () => {
    await restartPlanners({ SLUICE_METADATA_GRACE: '2s' });
    await underLoad('PostgreSQL away for longer than the grace', async (load) => {
      await fleet.postgres.stop();
      await load.somebodyFails();
      // They say so themselves, and nobody is sent to them any more.
      await vi.waitFor(() => expect(fleet.balancer.healthy()).toEqual([]), PATIENCE);
      await fleet.postgres.start();
    });
    await restartPlanners({});
  });
});

async function restartPlanners(extra: Readonly<Record<string, string>>): Promise<void> {
  await Promise.all(
    fleet.planners.map(async (planner) => {
      await planner.stop();
      await planner.start(extra);
    }),
  );
  fleet.balance();
  await awaitWhole(fleet);
}

/** New processes, which have read nothing yet. */
async function coldWorkers(): Promise<void> {
  await Promise.all(
    fleet.workers.map(async (worker) => {
      await worker.kill();
      await worker.start();
    }),
  );
}

describe('S3', () => {
  afterEach(() => fleet.s3Link.shape(CLEAR));

  test('is away for ten seconds', async () => {
    await underLoad('S3 away for 10 s', async () => {
      await fleet.s3.stop();
      fleet.s3Link.cut();
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      await fleet.s3.start();
    });
  });

  test('goes away in the middle of streams', async () => {
    await coldWorkers();
    await awaitWhole(fleet);
    await midStream('S3 goes away in mid-stream, new workers', async () => {
      await fleet.s3.stop();
      fleet.s3Link.cut();
    });
    await fleet.s3.start();
  });

  test('is slow and far', async () => {
    await underLoad('S3 with 50 ms and 10 MB/s, new workers', async (load) => {
      fleet.s3Link.shape({ latencyMs: 50, bytesPerSecond: 10_000_000 });
      await coldWorkers();
      await load.everybodyIsServed();
    });
  });

  test('loses every connection in the middle of an object', async () => {
    await underLoad('cut each connection to S3 after 100 kB, new workers', async (load) => {
      fleet.s3Link.shape({ cutAfterBytes: 100_000 });
      await coldWorkers();
      await load.somebodyFails();
      fleet.s3Link.shape(CLEAR);
    });
  });

  test('takes no connection', async () => {
    await underLoad('S3 refuses connections', async (load) => {
      fleet.s3Link.shape({ refuse: true });
      fleet.s3Link.cut();
      await load.somebodyFails();
      fleet.s3Link.shape(CLEAR);
    });
  });

  test('the account is removed and made again', async () => {
    await underLoad('the S3 account is gone', async (load) => {
      await fleet.s3.deleteAccount(fleet.s3Account.accessKeyId);
      await load.somebodyFails();
      await fleet.s3.createAccount(fleet.s3Account);
    });
  });
});

describe('a node itself', () => {
  test('the temporary directory is full: the query that needs it is refused, the others are served', async () => {
    const sql = 'SELECT a.*, i FROM demo.orders a, range(10) AS r(i) ORDER BY a.card_number, i DESC';
    await underLoad('temporary directory full', async (load) => {
      const failure = await python.query('adbc_query', fleet.balancer.port, demoUser('steward'), sql).then(() => 'no failure', String);
      expect(failure).toMatch(/ResourceExhausted/);
      await load.everybodyIsServed();
    });
  });

  test('clocks that are a minute apart change nothing', async () => {
    await withClocks([60_000, -60_000], async () => {
      expect(await underLoad('clocks of workers a minute ahead and behind', (load) => load.everybodyIsServed())).toBe(0);
    });
  });

  test('a worker whose clock is a day ahead says what is wrong, and the others answer', async () => {
    await withClocks([86_400_000], async () => {
      const load = await clients.load(fleet.balancer.port);
      await load.everybodyIsServed();
      await load.stop('the clock of a worker a day ahead');
    });
  });
});

/** Workers whose clocks are wrong by so many milliseconds, for a while. */
async function withClocks(skewsMs: readonly number[], work: () => Promise<void>): Promise<void> {
  const preload = fileURLToPath(new URL('../support/clock-skew.mjs', import.meta.url));
  const restart = async (index: number, extra: Readonly<Record<string, string>>): Promise<void> => {
    const worker = nodeAt(fleet.workers, index);
    await worker.stop();
    await worker.start(extra);
  };
  await Promise.all(skewsMs.map((ms, index) => restart(index, { NODE_OPTIONS: `--import ${preload}`, CLOCK_SKEW_MS: String(ms) })));
  await awaitWhole(fleet);
  try {
    await work();
  } finally {
    await Promise.all(skewsMs.map((_, index) => restart(index, {})));
  }
}
