/**
 * `npm run bench [-- rounds [workload…]]`: Sluice against its peers, same data, same client process, one run, contenders interleaved round by round.
 * Prints progress and writes the table in README.md. Needs Linux (/proc) and a built dist/. `--tiny` shows whether it runs.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureTestbed, PYTHON, TESTBED } from '../test/support/testbed.mjs';
import { BENCH_USERS, CLUSTER_KEY, GOVERNED_BY_HAND, writeBenchPolicies } from './policies.mjs';
import { freePort, measure, startClient, startProcess } from './servers.mjs';
import { tableOf } from './table.mjs';
import { factsOf, file, makeData, readArguments, say, scratchDirectory, THREADS, warnOfLoad, writeTable } from './workspace.mjs';

const SELECT_ALL = 'SELECT * FROM lineitem';
const PYARROW = 'pyarrow + DuckDB';
const NAMES = ['transport', 'scan', 'governed'];
const { rounds: ROUNDS, tiny: TINY, chosen: CHOSEN } = readArguments(NAMES);

// Sail comes with the bench alone, and is not needed to see whether it runs.
await ensureTestbed(TINY ? ['clients'] : ['clients', 'bench']);
const { directory: DIRECTORY, lineitem: LINEITEM, batches: BATCHES } = makeData(TINY);
const SCRATCH = scratchDirectory();

const startPyarrow = (...buffer) =>
  startProcess(PYARROW, PYTHON, [file('pyarrow_server.py'), LINEITEM, BATCHES, String(THREADS), ...buffer]);

const startReady = () => startProcess('Sluice', process.execPath, [file('ready-server.mjs'), BATCHES]);

function startSluice() {
  const policies = join(SCRATCH, 'policies');
  writeBenchPolicies(policies, { kind: 'local', directory: DIRECTORY }, 'lineitem.parquet');
  const env = {
    SLUICE_FLIGHT_LISTEN: '127.0.0.1:0',
    SLUICE_POLICIES: policies,
    SLUICE_STATE_DIR: join(SCRATCH, 'state'),
    SLUICE_CLUSTER_KEY: CLUSTER_KEY,
    // Each result is computed, as the others do.
    SLUICE_RESULT_CACHE: '0',
    SLUICE_HOT_TABLES: '0',
  };
  return startProcess('Sluice', process.execPath, [file('../dist/main.js')], { env, ready: /grpc:\/\/127\.0\.0\.1:(\d+)/ });
}

async function startSail(client) {
  const port = await freePort();
  const sail = join(TESTBED, 'venv-sail', 'bin', 'sail');
  const server = await startProcess('Sail', sail, ['flight', 'server', '--ip', '127.0.0.1', '--port', String(port)], {
    port,
    ready: /Starting the Flight SQL/,
  });
  await retry(() => client.ask({ uri: server.uri, sql: `CREATE TEMPORARY VIEW lineitem USING parquet OPTIONS (path '${LINEITEM}')` }));
  return server;
}

async function retry(attempt) {
  for (let left = 20; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** Every contender once per round; the order turns so that none always follows the same other. */
async function runWorkload(client, { title, contenders }) {
  say(`\n${title}`);
  const samples = new Map(contenders.map((contender) => [contender.label, []]));
  for (const contender of contenders) await measure(client, contender); // warm caches and code paths
  for (let round = 0; round < ROUNDS; round++) {
    const order = contenders.map((_, index) => contenders[(index + round) % contenders.length]);
    for (const contender of order) samples.get(contender.label).push(await measure(client, contender));
    const walls = contenders.map(({ label }) => `${label} ${samples.get(label).at(-1).wall_s.toFixed(2)} s`);
    say(`  round ${round + 1}/${ROUNDS}: ${walls.join(' · ')}`);
  }
  const rows = new Set([...samples.values()].flat().map((sample) => sample.rows));
  if (rows.size !== 1) throw new Error(`${title}: the servers gave different numbers of rows: ${[...rows].join(', ')}`);
  return { title, contenders, samples };
}

/** Starts what each workload needs, and nothing beside it that would take its memory. */
const WORKLOADS = {
  transport: async (client, start) => {
    const contenders = [
      { label: 'pyarrow', server: await start(startPyarrow()), sql: 'ready' },
      { label: 'Sluice', server: await start(startReady()), sql: 'ready' },
    ];
    return runWorkload(client, { title: 'Transport: 1 GB of ready batches from memory', contenders });
  },
  scan: async (client, start) => {
    const contenders = [
      { label: PYARROW, server: await start(startPyarrow()), sql: SELECT_ALL },
      { label: `${PYARROW}, 64 MB buffer`, server: await start(startPyarrow('64MB')), sql: SELECT_ALL },
      ...(TINY ? [] : [{ label: 'Sail', server: await start(startSail(client)), sql: SELECT_ALL }]),
      { label: 'Sluice', server: await start(startSluice()), sql: SELECT_ALL, user: BENCH_USERS.everything },
    ];
    return runWorkload(client, { title: 'Scan: `SELECT *` of TPC-H lineitem SF1 from Parquet', contenders });
  },
  governed: async (client, start) => {
    const sluice = await start(startSluice());
    const contenders = [
      { label: 'Sluice, by hand', server: sluice, sql: GOVERNED_BY_HAND, user: BENCH_USERS.everything },
      { label: 'Sluice, governed', server: sluice, sql: SELECT_ALL, user: BENCH_USERS.governed },
      { label: `${PYARROW}, by hand`, server: await start(startPyarrow()), sql: GOVERNED_BY_HAND },
    ];
    return runWorkload(client, { title: 'Governed scan: row filter, three masks and a token, against the same SQL by hand', contenders });
  },
};

async function runNamed(name, client) {
  const servers = [];
  const start = async (starting) => {
    const server = await starting;
    servers.push(server);
    return server;
  };
  try {
    return await WORKLOADS[name](client, start);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Only a whole run may replace the table. */
function report(workloads) {
  const table = tableOf(workloads, factsOf(ROUNDS));
  say(`\n${table}`);
  if (!TINY && CHOSEN.length === NAMES.length) writeTable('bench', table);
}

warnOfLoad();
const client = startClient(PYTHON, [file('client.py')]);
try {
  const results = [];
  for (const name of CHOSEN) results.push(await runNamed(name, client));
  report(results);
} finally {
  await client.stop();
  rmSync(SCRATCH, { recursive: true, force: true });
}
