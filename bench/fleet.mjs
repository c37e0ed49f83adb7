/**
 * `npm run bench:fleet [-- rounds [part…]]`: the fleet over S3 against DuckDB with httpfs, one worker against three, many clients at once, and what a
 * plan costs by the number of files. One run, contenders interleaved round by round; prints progress and writes its table in README.md.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureTestbed, PYTHON } from '../test/support/testbed.mjs';
import { indexLineitem, pinned, startLake, startMetadata, startNode, writePolicies } from './fleet-services.mjs';
import { clientsTable, filesTable, lakeTable, memoryTable, scalingTable } from './fleet-tables.mjs';
import { measurePlans } from './plan-latency.mjs';
import { BENCH_USERS, CLUSTER_KEY } from './policies.mjs';
import { cpuSeconds, measure, peakMb, resetPeak, startClient, startProcess } from './servers.mjs';
import { factsOf, file, makeData, readArguments, say, scratchDirectory, THREADS, warnOfLoad, writeTable } from './workspace.mjs';

const NAMES = ['s3', 'scaling', 'clients', 'files'];
const { rounds: ROUNDS, tiny: TINY, chosen: CHOSEN } = readArguments(NAMES);
const PYARROW = 'pyarrow + DuckDB';
const CLIENTS = TINY ? 4 : 64;
const LOAD_SECONDS = TINY ? 1 : 5;
const FILE_COUNTS = TINY ? [10] : [10, 1000, 100_000];
const PLANS = TINY ? 3 : 200;

const SCAN = 'SELECT * FROM lineitem';
const REPORT = `
SELECT l_returnflag, l_linestatus, sum(l_quantity) AS quantity, sum(l_extendedprice * (1 - l_discount)) AS price, avg(l_discount) AS discount, count(*) AS n
FROM lineitem WHERE l_shipdate <= DATE '1998-09-02' GROUP BY ALL ORDER BY ALL`;
/** One result may take an eighth of the result cache, 32 MB by default: the second and the third fit, the first does when it is told so. */
const LAKE_QUERIES = [
  { title: '`SELECT *` of TPC-H lineitem SF1 from S3 (24 files), 1.04 GB of Arrow', sql: SCAN, resultCache: '12GB' },
  {
    title: 'All columns of one month of the same files, 13 MB of Arrow',
    sql: "SELECT * FROM lineitem WHERE l_shipdate >= DATE '1995-03-01' AND l_shipdate < DATE '1995-04-01'",
  },
  { title: 'A report over the same files: TPC-H query 1', sql: REPORT },
];
/** Of orders anywhere in the data: 1.5 M of them at scale 1. */
const LOOKUP = 'SELECT count(*) AS n, sum(l_quantity) AS quantity FROM lineitem WHERE l_orderkey BETWEEN {key} AND {end}';
const KEYS = TINY ? 60_000 : 6_000_000;

await ensureTestbed(['clients']);
const DATA = makeData(TINY);
const SCRATCH = scratchDirectory();
const LAKE = await startLake(DATA.parts);
const POLICIES = writePolicies(SCRATCH, LAKE);
const running = new Set([LAKE]);

/** Ends with the run, whatever happens. */
async function start(starting) {
  const started = await starting;
  running.add(started);
  return started;
}

async function stop(...parts) {
  await Promise.all(parts.map((part) => part.stop()));
  for (const part of parts) running.delete(part);
}

/** The order turns, so that none always follows the same other. */
async function interleaved(contenders, work) {
  const samples = new Map(contenders.map(({ label }) => [label, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (let place = 0; place < contenders.length; place++) {
      const contender = contenders[(place + round) % contenders.length];
      samples.get(contender.label).push(await work(contender, round));
    }
    const last = contenders.map(({ label }) => `${label} ${JSON.stringify(samples.get(label).at(-1), brief)}`);
    say(`  round ${round + 1}/${ROUNDS}: ${last.join(' · ')}`);
  }
  return samples;
}

function brief(_, value) {
  return typeof value === 'number' ? Number(value.toPrecision(3)) : value;
}

const startSluice = (settings = {}, cores = undefined) =>
  start(startNode('Sluice', SCRATCH, { ...LAKE.nodes, SLUICE_POLICIES: POLICIES, SLUICE_CLUSTER_KEY: CLUSTER_KEY, ...settings }, cores));

const startPyarrow = () =>
  start(
    startProcess(PYARROW, PYTHON, [file('pyarrow_server.py'), LAKE.pattern, DATA.batches, String(THREADS), '64MB'], { env: LAKE.peers }),
  );

/** Readers of the lake: each `open` is a process that has read nothing yet. */
function lakeReaders(client, resultCache) {
  const overFlight = (starting, user) => async () => {
    const server = await starting();
    return { ask: (sql) => measure(client, { server, sql, user }), close: () => stop(server) };
  };
  return [
    { label: PYARROW, open: overFlight(startPyarrow) },
    {
      label: 'DuckDB in the client, no server',
      open: async () => {
        const inside = await start(startClient(PYTHON, [file('direct.py'), LAKE.pattern, String(THREADS)], { env: LAKE.peers }));
        await inside.ask({ uri: 'direct', sql: 'SELECT 1 AS ready' });
        return { ask: (sql) => measure(inside, { server: { pid: inside.pid, uri: 'direct' }, sql }), close: () => stop(inside) };
      },
    },
    { label: 'Sluice', open: overFlight(startSluice, BENCH_USERS.everything) },
    ...(resultCache === undefined
      ? []
      : [
          {
            label: `Sluice, SLUICE_RESULT_CACHE=${resultCache}`,
            open: overFlight(() => startSluice({ SLUICE_RESULT_CACHE: resultCache }), BENCH_USERS.everything),
          },
        ]),
  ];
}

/** The first answer of a new process, and the middle one of three later ones. */
async function coldAndHot(reader, sql) {
  const session = await reader.open();
  const cold = await session.ask(sql);
  const later = [];
  for (let time = 0; time < 4; time++) later.push(await session.ask(sql));
  await session.close();
  const counts = new Set([cold, ...later].map(({ rows }) => rows));
  if (counts.size !== 1) throw new Error(`${reader.label} gave different numbers of rows: ${[...counts].join(', ')}`);
  const [, hot] = later.slice(1).sort((a, b) => a.wall_s - b.wall_s);
  return { rows: cold.rows, cold, hot, peak_mb: Math.max(...[cold, ...later].map(({ peak_mb }) => peak_mb)) };
}

async function runLake(client) {
  const tables = [];
  for (const { title, sql, resultCache } of LAKE_QUERIES) {
    say(`\n${title}`);
    const samples = await interleaved(lakeReaders(client, resultCache), (reader) => coldAndHot(reader, sql));
    const rows = new Set([...samples.values()].flat().map((sample) => sample.rows));
    if (rows.size !== 1) throw new Error(`${title}: different numbers of rows: ${[...rows].join(', ')}`);
    tables.push(lakeTable({ title, samples }));
  }
  return tables;
}

let metadataStarting;
function sharedMetadata() {
  metadataStarting ??= start(startMetadata(LAKE, POLICIES));
  return metadataStarting;
}

/** A planner and so many workers, a cluster of its own over the shared metadata. */
async function startCluster(metadata, name, count, layout) {
  const settings = { ...metadata.settings, SLUICE_CLUSTER: name, ...layout.settings };
  const planner = await startSluice({ ...settings, SLUICE_ROLE: 'planner' }, layout.others);
  const starting = Array.from({ length: count }, (_, index) => startSluice({ ...settings, SLUICE_ROLE: 'worker' }, layout.worker(index)));
  return { planner, workers: await Promise.all(starting) };
}

/** Polls until the planner knows its workers: then a parallel scan has as many locations. */
async function settled(client, { planner, workers }, user) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { locations } = await client.ask({ uri: planner.uri, sql: SCAN, ...user, parallel: true, plan: true });
    // Tiny data are not shared out.
    if (locations >= (TINY ? 1 : workers.length)) return;
    if (Date.now() > deadline) throw new Error(`the planner sends clients to ${locations} of ${workers.length} workers`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** One core for each worker where there are enough; otherwise all workers share one, and only what they cost can be compared. */
function layoutOf() {
  const own = THREADS >= 4;
  return {
    own,
    // Nothing is asked twice here, and a result that nobody repeats should cost nothing.
    settings: { SLUICE_THREADS: '1', SLUICE_RESULT_CACHE: '0' },
    others: own ? `0,4-${Math.max(4, THREADS - 1)}`.replace(/,4-4$/, THREADS > 4 ? ',4' : '') : '0',
    worker: (index) => (own ? index + 1 : THREADS - 1),
    text: own
      ? 'Each worker has one core of its own; everything else (client, planner, S3 server) has the others.'
      : `With ${THREADS} cores all workers share one and everything else has the other, so the same core does the same work as one process or as three: the ratio of walls is the throughput per core, and what splitting costs. More cores show the speed-up itself.`,
  };
}

async function runScaling() {
  const title = 'One worker and three: the governed scan in parallel, Parquet on S3, no result cache';
  say(`\n${title}`);
  const layout = layoutOf();
  const metadata = await sharedMetadata();
  const prefix = pinned(layout.others);
  const client = await start(
    startClient(prefix[0] ?? PYTHON, [...prefix.slice(1), ...(prefix.length > 0 ? [PYTHON] : []), file('client.py')]),
  );
  const contenders = [];
  for (const [label, count] of [
    ['one', 1],
    ['three', 3],
  ])
    contenders.push({ label, cluster: await startCluster(metadata, label, count, layout) });
  for (const { cluster } of contenders) await settled(client, cluster, BENCH_USERS.governed);
  for (const { cluster } of contenders) await governedScan(client, cluster, -1);
  const samples = await interleaved(contenders, ({ cluster }, round) => governedScan(client, cluster, round));
  const table = scalingTable({ title, one: samples.get('one'), three: samples.get('three'), own: layout.own, layout: layout.text });
  const parts = contenders.flatMap(({ cluster: { planner, workers } }) => [planner, ...workers]);
  await stop(client, ...parts);
  return [table];
}

/** Another statement each time, so that nobody has its answer already. */
async function governedScan(client, { planner, workers }, round) {
  const before = workers.map(({ pid }) => cpuSeconds(pid));
  const sql = `SELECT * FROM lineitem WHERE l_orderkey > ${-2 - round}`;
  const reply = await client.ask({ uri: planner.uri, sql, ...BENCH_USERS.governed, parallel: true });
  await new Promise((resolve) => setTimeout(resolve, 150));
  const cpu_s = workers.reduce((sum, { pid }, index) => sum + cpuSeconds(pid) - before[index], 0);
  return { wall_s: reply.wall_s, cpu_s, bytes: reply.bytes, endpoints: reply.endpoints };
}

/** One process with the same index as the fleet. */
function startIndexed() {
  const settings = {
    ...LAKE.nodes,
    SLUICE_POLICIES: writePolicies(SCRATCH, LAKE, 'indexed'),
    SLUICE_CLUSTER_KEY: CLUSTER_KEY,
    SLUICE_STATE_DIR: join(SCRATCH, 'indexed-state'),
  };
  indexLineitem(settings);
  return startSluice(settings);
}

async function runClients(client) {
  const title = `${CLIENTS} clients at once, each with small look-ups over the same files, indexed`;
  say(`\n${title}`);
  const load = await start(startClient(PYTHON, [file('load.py')]));
  const metadata = await sharedMetadata();
  const cluster = await startCluster(metadata, 'clients', 3, { settings: {}, others: undefined, worker: () => undefined });
  await settled(client, cluster, BENCH_USERS.everything);
  const [pyarrow, single] = [await startPyarrow(), await startIndexed()];
  const contenders = [
    { label: PYARROW, server: pyarrow },
    { label: 'Sluice, one process', server: single, user: BENCH_USERS.everything },
    { label: 'Sluice, planner and three workers', server: cluster.planner, user: BENCH_USERS.everything },
  ];
  const processes = new Map([
    [PYARROW, pyarrow],
    ['Sluice, one process', single],
    ['planner', cluster.planner],
    ...cluster.workers.map((worker, index) => [`worker ${index + 1}`, worker]),
  ]);
  const ask = ({ server, user }, seconds) => load.ask({ uri: server.uri, ...user, clients: CLIENTS, seconds, sql: LOOKUP, keys: KEYS });
  for (const contender of contenders) await ask(contender, 1);
  for (const { pid } of processes.values()) resetPeak(pid);
  const samples = await interleaved(contenders, (contender) => ask(contender, LOAD_SECONDS));
  const peaks = [...processes].map(([name, { pid }]) => [name, peakMb(pid)]);
  await stop(load, ...processes.values());
  return [clientsTable({ title, samples }), memoryTable(`Peak resident memory under ${CLIENTS} clients`, peaks)];
}

async function runFiles(client) {
  const title = 'Plans by number of files: governed GetFlightInfo over an index of the files';
  say(`\n${title}`);
  const rows = await measurePlans({ counts: FILE_COUNTS, plans: PLANS, lake: LAKE, scratch: SCRATCH, start, ask: client.ask, say });
  return [filesTable(title, rows)];
}

const PARTS = { s3: runLake, scaling: runScaling, clients: runClients, files: runFiles };

async function stopAll() {
  await Promise.allSettled([...running].map((part) => part.stop()));
  rmSync(SCRATCH, { recursive: true, force: true });
}

// The services of the tests would outlive an interrupted run.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void stopAll().finally(() => process.exit(1)));
warnOfLoad();
const client = await start(startClient(PYTHON, [file('client.py')]));
try {
  const tables = [];
  for (const name of CHOSEN) tables.push(...(await PARTS[name](client)));
  const facts = `Measured on ${factsOf(ROUNDS)}. Every figure is \`min / median\`, ratios are median (range) of the pairs of a round.`;
  const table = [facts, ...tables].join('\n\n');
  say(`\n${table}`);
  if (!TINY && CHOSEN.length === NAMES.length) writeTable('fleet', table);
} finally {
  await stopAll();
}
