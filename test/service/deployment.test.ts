/** What the image holds and what compose.yaml starts, as processes: no container engine needed, the same files, commands and variables. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HTTPFS_DIRECTORY } from '#testbed';
import {
  composeServices,
  DOCKER,
  type Environment,
  imageEnvironment,
  instruction,
  runtimeInstructions,
} from '../support/container-files.ts';
import { connectFlight } from '../support/flight-client.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { type S3Server, startS3 } from '../support/s3.ts';
import { STATE_DIRECTORY } from '../support/server.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const QUICKSTART = join(ROOT, 'policies', 'quickstart');
const WORKDIR = instruction('WORKDIR');

let directory: string;
/** As the image has it below its working directory. */
let tree: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'image-'));
  tree = join(directory, 'sluice');
  mkdirSync(tree);
  for (const [name, rest] of runtimeInstructions()) if (name === 'COPY') copy(rest);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function copy(rest: string): void {
  const [, stage, source = '', target = ''] = /^(?:--from=(\S+) )?(\S+) (\S+)$/.exec(rest) ?? [];
  const to = join(tree, target === './' ? source : target);
  if (source === '/build/node_modules') symlinkSync(join(ROOT, 'node_modules'), to);
  else if (stage === 'extensions') cpSync(HTTPFS_DIRECTORY, to, { recursive: true });
  else cpSync(join(ROOT, source.replace(/^\/build\//, '')), to, { recursive: true });
}

function inTree(text: string): string {
  return text.replaceAll(WORKDIR, tree);
}

/** The image's variables and those of a service, at places and ports of this machine. */
function environmentOf(own: Environment): Environment {
  const values = { ...imageEnvironment(), ...own };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, inTree(value)]));
}

interface Running extends AsyncDisposable {
  readonly port: number;
  readonly output: readonly string[];
  readonly child: ChildProcess;
}

/** ENTRYPOINT and CMD; resolves when the banner says where it listens. */
function startImage(own: Environment): Promise<Running> {
  const [command = '', ...args] = [...JSON.parse(instruction('ENTRYPOINT')), ...JSON.parse(instruction('CMD'))];
  const child = spawn(command, args, {
    cwd: tree,
    env: { PATH: process.env['PATH'], ...environmentOf(own) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  return new Promise((resolve, reject) => {
    const look = (line: string): void => {
      output.push(line);
      const port = Number(/^Flight SQL {2}grpc:\/\/\S+:(\d+)$/m.exec(output.join('\n'))?.[1]);
      // The banner's last line.
      if (line.startsWith('Policies ')) resolve({ port, output, child, [Symbol.asyncDispose]: () => end(child) });
    };
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', look);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`it ended with ${code}\n${output.join('\n')}`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exited;
}

function filesOf(path: string): readonly string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.startsWith('node_modules'))
    .map((name) => `${name} ${statSync(join(path, name)).mtimeMs}`)
    .sort();
}

test('the image’s program starts on its own files, is healthy, tells its numbers, audits to its output and writes to its state alone', async () => {
  const before = filesOf(tree);
  const state = join(directory, 'state');
  mkdirSync(state);
  await using sluice = await startImage({
    SLUICE_FLIGHT_LISTEN: '127.0.0.1:0',
    SLUICE_HTTP_LISTEN: '127.0.0.1:0',
    SLUICE_POLICIES: join(tree, 'policies', 'quickstart'),
    SLUICE_STATE_DIR: STATE_DIRECTORY,
    SLUICE_SCRATCH_DIR: state,
  });
  const http = /http:\/\/(\S+)\/metrics/.exec(sluice.output.join('\n'))?.[1] ?? '';
  const [command = '', ...args] = JSON.parse(instruction('HEALTHCHECK').replace(/^.*? CMD /, ''));
  const check = (listen: string): Promise<unknown> =>
    run(command, args, { env: { PATH: process.env['PATH'], ...environmentOf({ SLUICE_HTTP_LISTEN: listen }) } });
  await check(http);
  // A port that nobody may ask.
  await expect(check('127.0.0.1:1')).rejects.toThrow();

  const metrics = await (await fetch(`http://${http}/metrics`)).text();
  const named = [...readFileSync(join(ROOT, 'docs', 'fleet.md'), 'utf8').matchAll(/`((?:sluice|process)_[a-z_]+)`/g)].map(
    ([, name]) => name,
  );
  expect(named).toContain('sluice_queries_waiting');
  for (const name of named) expect(metrics, name).toMatch(new RegExp(`^# TYPE ${name} `, 'm'));

  using client = closing(await connectFlight({ port: sluice.port, user: 'guest' }));
  expect(await client.rows('SELECT 42 AS answer')).toEqual([{ answer: 42 }]);
  await expect.poll(() => sluice.output.join('\n'), { timeout: 60_000 }).toMatch(/"statement":"SELECT 42 AS answer"/);
  const exited = new Promise((resolve) => sluice.child.once('exit', resolve));
  sluice.child.kill('SIGTERM');
  expect(await exited).toBe(0);
  expect(filesOf(tree)).toEqual(before);
});

function closing<T extends { close(): void }>(client: T): T & Disposable {
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

describe('compose.yaml over a real PostgreSQL and a real S3 server', () => {
  const variables = {
    SLUICE_CLUSTER_KEY: Buffer.alloc(32, 3).toString('base64'),
    POSTGRES_PASSWORD: 'not-asked-for-here',
    S3_ACCESS_KEY: 'rootkey',
    S3_SECRET_KEY: 'rootsecret-0123',
    DEMO_PASSWORD: 'a password of ours',
  };
  const services = composeServices(variables);
  let postgres: Postgres;
  let s3: S3Server;
  beforeAll(async () => {
    [postgres, s3] = await Promise.all([startPostgres(), startS3()]);
    expect(s3.root).toEqual({ accessKeyId: variables.S3_ACCESS_KEY, secretAccessKey: variables.S3_SECRET_KEY });
    cpSync(join(DOCKER, 'demo'), join(tree, 'demo'), { recursive: true });
  });
  afterAll(async () => {
    await postgres?.[Symbol.asyncDispose]();
    await s3?.[Symbol.asyncDispose]();
  });

  /** Names of the file's network become addresses of this machine. */
  function here(service: string): Environment {
    const { SLUICE_ADVERTISE: _, ...environment } = services[service]?.environment ?? {};
    return { ...environment, SLUICE_METADATA: postgres.url, SLUICE_HTTP_LISTEN: 'off', SLUICE_FLIGHT_LISTEN: '127.0.0.1:0' };
  }

  async function job(name: string): Promise<string> {
    const [command = '', ...args] = services[name]?.entrypoint ?? [];
    const env = { ...environmentOf({ ...here(name), SLUICE_STATE_DIR: dirname(join(STATE_DIRECTORY, 'demo')) }), S3_ENDPOINT: s3.url };
    return (await run(command, args, { cwd: tree, env: { PATH: process.env['PATH'], ...env } })).stdout;
  }

  function node(name: string): Promise<Running> {
    const state = mkdtempSync(join(directory, 'state-'));
    return startImage({ ...here(name), SLUICE_STATE_DIR: state });
  }

  test('the jobs fill the store and push the policies, once', async () => {
    expect(await job('data')).toContain('s3://lake/demo/customers.parquet');
    expect(await job('policies')).toContain('revision 1 is in force');
    expect(await job('data')).toContain('s3://lake/demo/customers.parquet');
    expect(await job('policies')).toContain('nothing is changed');
  });

  test('a planner and a worker answer from the store under the demo’s policies, with the password of .env alone', async () => {
    await using worker = await node('worker-1');
    await using planner = await node('planner-1');
    expect(worker.port).not.toBe(planner.port);
    const sql = 'SELECT DISTINCT region FROM demo.customers';
    using analyst = closing(await connectFlight({ port: planner.port, user: 'analyst_eu', password: variables.DEMO_PASSWORD }));
    expect(await analyst.rows(sql)).toEqual([{ region: 'EU' }]);
    expect(await analyst.rows('SELECT count(*) AS n FROM demo.products')).toEqual([{ n: 1000 }]);
    await expect(connectFlight({ port: planner.port, user: 'analyst_eu', password: 'analyst_eu-demo' })).rejects.toThrow();
  });

  test('the policies are those that ship with the program', () => {
    expect(readdirSync(join(tree, 'policies', 'quickstart')).sort()).toEqual(readdirSync(QUICKSTART).sort());
  });
});
