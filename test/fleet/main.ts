/** `npm run fleet [-- PORT]`: the whole fleet on loopback until it is interrupted. PORT is the load balancer's. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MAIN } from '../support/server-process.ts';
import { startTopology, type Topology } from '../support/topology.ts';

const DIRECTORY = join(dirname(dirname(MAIN)), '.sluice', 'fleet');
const DEFAULT_PORT = '8815';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** For a shell that is to speak to this fleet's metadata. */
function writeEnvironment(environment: Topology['environment']): string {
  const file = join(DIRECTORY, 'environment');
  const lines = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'\n`);
  writeFileSync(file, lines.join(''), { mode: 0o600 });
  return file;
}

function howToConnect({ balancer, planners, workers, postgres, s3, s3Account, policies, environment }: Topology): string {
  const uri = `grpc://127.0.0.1:${balancer.port}`;
  const list = (nodes: Topology['workers']): string =>
    nodes
      .map(({ name, location, process: { httpPort } }) => `${name} ${location} (metrics http://127.0.0.1:${httpPort}/metrics)`)
      .join('\n            ');
  return `
Flight SQL  ${uri}   the load balancer; this is where clients go
Users       steward, analyst_eu, analyst_us, auditor, guest; the password is <name>-demo
Planners    ${list(planners)}
Workers     ${list(workers)}
Metadata    ${postgres.url}
S3          ${s3.url}   bucket lake, access key ${s3Account.accessKeyId}, secret ${s3Account.secretAccessKey}
Policies    edit ${policies}, then:
            (. ${writeEnvironment(environment)} && node dist/main.js policy push ${policies})

Try it, then as steward, who may also ask SHOW WORKERS:
  pip install adbc-driver-flightsql pyarrow
  python3 -c "
import adbc_driver_flightsql.dbapi as sluice
with sluice.connect('${uri}', db_kwargs={'username': 'analyst_eu', 'password': 'analyst_eu-demo'}, autocommit=True) as c, c.cursor() as q:
    q.execute('SELECT region, count(*) AS orders, sum(amount) AS revenue FROM demo.orders GROUP BY region')
    print(q.fetch_arrow_table().to_pylist())"
JDBC        jdbc:arrow-flight-sql://127.0.0.1:${balancer.port}?useEncryption=false

Ctrl-C ends all of it.`;
}

/** Every process of the terminal gets its Ctrl-C: those that are starting then fail, which is no news. */
async function run(port: number): Promise<void> {
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => end.abort());
  try {
    await serve(port, end.signal);
  } catch (error) {
    if (!end.signal.aborted) throw error;
  }
}

async function serve(port: number, end: AbortSignal): Promise<void> {
  const startedMs = Date.now();
  rmSync(DIRECTORY, { recursive: true, force: true });
  const clusterKey = randomBytes(32).toString('base64');
  const topology = await startTopology({ directory: DIRECTORY, clusterKey, port, settings: { SLUICE_DRAIN: '2s' }, progress: say });
  try {
    say(howToConnect(topology));
    say(`Ready after ${((Date.now() - startedMs) / 1000).toFixed(1)} s.`);
    if (!end.aborted) await once(end, 'abort');
    say('Ending …');
  } finally {
    await topology[Symbol.asyncDispose]();
  }
}

const [port = DEFAULT_PORT] = process.argv.slice(2);
if (!/^\d{1,5}$/.test(port)) {
  process.stderr.write('usage: npm run fleet [-- PORT]\n');
  process.exit(2);
}
run(Number(port)).catch((error: unknown) => {
  process.stderr.write(`fleet: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
