/**
 * The whole fleet on loopback, each node a process of its own: PostgreSQL, an S3 server with the demo's customers and orders, a load balancer,
 * planners and workers. `npm run fleet` and the tests start the same.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ensureDemoData } from '#src/demo.js';
import { DisposalStack } from '#src/disposal.js';
import { HTTPFS_DIRECTORY } from '#testbed';
import { FleetNode } from './fleet-node.ts';
import { type LoadBalancer, startLoadBalancer } from './load-balancer.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { type S3Account, type S3Server, startS3 } from './s3.ts';
import { MAIN } from './server-process.ts';
import { type ShapingProxy, startShapingProxy } from './shaping-proxy.ts';

export interface TopologyOptions {
  /** Everything that nodes keep; made. The demo data may be there already. */
  readonly directory: string;
  /** Holds the demo's files. Default: `demo` in the directory. */
  readonly demoDirectory?: string;
  /** 32 bytes in base64. */
  readonly clusterKey: string;
  readonly planners?: number;
  readonly workers?: number;
  /** Of every node, and of one node beside them. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly settingsOf?: (name: string) => Readonly<Record<string, string>>;
  /** Puts a shaping proxy before each worker and before the S3 server. */
  readonly shaped?: boolean;
  /** Of the load balancer; 0 takes a free one. */
  readonly port?: number;
  readonly progress?: (line: string) => void;
}

export interface Topology extends AsyncDisposable {
  readonly postgres: Postgres;
  readonly s3: S3Server;
  /** What the nodes sign in to S3 with. */
  readonly s3Account: S3Account;
  /** Between the nodes and S3; clear unless shaped. */
  readonly s3Link: ShapingProxy;
  readonly balancer: LoadBalancer;
  readonly planners: readonly FleetNode[];
  readonly workers: readonly FleetNode[];
  /** The policy set as it was pushed last. */
  readonly policies: string;
  /** Settings with which the program finds this fleet's metadata. */
  readonly environment: Readonly<Record<string, string>>;
  /** Runs the program with them; its output. Rejects when it fails. */
  sluice(args: readonly string[], input?: string): Promise<string>;
  /** Replaces one text in one file of the policy set and pushes it. */
  changePolicies(file: string, from: string, to: string): Promise<void>;
  /** Tells the load balancer which planners there are. */
  balance(): void;
}

const QUICKSTART = join(dirname(dirname(MAIN)), 'policies', 'quickstart');
const BUCKET = 'lake';
const S3_ACCOUNT: S3Account = { accessKeyId: 'fleet', secretAccessKey: 'fleet-secret-0123' };

/** Rejects when a part does not start; nothing is left running then. */
export async function startTopology(options: TopologyOptions): Promise<Topology> {
  const started = new DisposalStack();
  try {
    return await build(options, started);
  } catch (error) {
    await started.dispose();
    throw error;
  }
}

async function build(options: TopologyOptions, started: DisposalStack): Promise<Topology> {
  const { directory, planners: plannerCount = 2, workers: workerCount = 3, shaped = false, port = 0, progress = () => {} } = options;
  const demo = options.demoDirectory ?? join(directory, 'demo');
  mkdirSync(directory, { recursive: true });
  const balancer = started.add(await startLoadBalancer({ port }));
  progress('PostgreSQL and the S3 server …');
  const database = startPostgres().then((part) => started.add(part));
  const store = startS3().then((part) => started.add(part));
  await all<unknown>([database, store, ensureDemoData(demo, progress)]);
  const [postgres, s3] = [await database, await store];
  const s3Link = started.add(await startShapingProxy(s3.port));
  await Promise.all([fillLake(s3, demo), s3.createAccount(S3_ACCOUNT)]);
  const environment = {
    SLUICE_METADATA: postgres.url,
    SLUICE_CLUSTER_KEY: options.clusterKey,
    SLUICE_EXTENSIONS: HTTPFS_DIRECTORY,
    SLUICE_STATE_DIR: directory,
    ...options.settings,
  };
  const run = (args: readonly string[], input = ''): Promise<string> => runProgram(args, input, environment);
  progress('Policies …');
  const policies = join(directory, 'policies');
  const secretAccessKey = (await run(['secret', 'seal'], `${S3_ACCOUNT.secretAccessKey}\n`)).trim();
  writePolicies(policies, demo, s3Connection(s3, s3Link.port, { ...S3_ACCOUNT, secretAccessKey }));
  await run(['policy', 'push', policies]);
  progress(`${plannerCount} planners and ${workerCount} workers …`);
  const node =
    (role: 'planner' | 'worker') =>
    async (_: unknown, index: number): Promise<FleetNode> => {
      const name = `${role}-${index + 1}`;
      const settings = { ...environment, SLUICE_ROLE: role, SLUICE_POLICIES: policies, ...options.settingsOf?.(name) };
      const own = { name, stateDirectory: join(directory, name), settings, shaped: shaped && role === 'worker' };
      return started.add(await FleetNode.start(own));
    };
  const plannerNodes = all(Array.from({ length: plannerCount }, node('planner')));
  const workerNodes = all(Array.from({ length: workerCount }, node('worker')));
  await all<unknown>([plannerNodes, workerNodes]);
  const [planners, workers] = [await plannerNodes, await workerNodes];
  const balance = (): void => balancer.use(planners.filter(({ up }) => up).map((planner) => planner.port));
  balance();
  return {
    postgres,
    s3,
    s3Account: S3_ACCOUNT,
    s3Link,
    balancer,
    planners,
    workers,
    policies,
    environment,
    sluice: run,
    changePolicies: async (file, from, to) => {
      replaceIn(join(policies, file), from, to);
      await run(['policy', 'push', policies]);
    },
    balance,
    [Symbol.asyncDispose]: () => started.dispose(),
  };
}

/** Waits for each of them even when one fails, so that nothing starts after the end. */
async function all<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

async function runProgram(args: readonly string[], input: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const running = promisify(execFile)(process.execPath, [MAIN, ...args], { env: { ...process.env, ...environment } });
  running.child.stdin?.end(input);
  return (await running).stdout;
}

async function fillLake(s3: S3Server, demo: string): Promise<void> {
  await s3.createBucket(BUCKET);
  await s3.put(BUCKET, 'demo/customers.parquet', { file: join(demo, 'customers.parquet') });
  await s3.putDirectory(BUCKET, 'demo/orders/', join(demo, 'orders'));
}

/** The quickstart's set with its lake on S3, and paths that mean the same on every node. */
function writePolicies(directory: string, demo: string, connection: string): void {
  cpSync(QUICKSTART, directory, { recursive: true });
  replaceIn(join(directory, 'catalog.yaml'), `{ kind: local, directory: "\${data}" }`, connection);
  replaceIn(join(directory, 'catalog.yaml'), `\${data}/products.duckdb`, join(demo, 'products.duckdb'));
}

/** A flow map, which YAML reads as JSON. */
function s3Connection(s3: S3Server, port: number, account: S3Account): string {
  return JSON.stringify({
    kind: 's3',
    url: `s3://${BUCKET}/demo/`,
    region: s3.region,
    endpoint: `http://127.0.0.1:${port}`,
    pathStyle: true,
    credentials: account,
  });
}

function replaceIn(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'utf8');
  if (text.split(from).length !== 2) throw new Error(`${file} does not hold exactly once: ${from}`);
  writeFileSync(
    file,
    text.replace(from, () => to),
  );
}
