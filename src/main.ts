#!/usr/bin/env node
/** The only composition root: parse arguments, start the role, drain on SIGTERM. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { hashPassword } from './auth/index.ts';
import { openKeysIfThere } from './cluster-keys.ts';
import { type Config, flagOf, QUICKSTART_DIRECTORY, readConfig } from './config.ts';
import { DATASET_USAGE, runDatasetCommand } from './dataset-cli.ts';
import { generateDocumentation } from './documentation.ts';
import { SluiceError } from './errors.ts';
import { EXTENSION_USAGE, runExtensionCommand } from './extension-cli.ts';
import type { Connection } from './files.ts';
import { JOIN_USAGE, joinCluster } from './join.ts';
import { createLogger } from './log.ts';
import { openMetadata } from './metadata.ts';
import { POLICY_USAGE, runPolicyCommand } from './policy-cli.ts';
import { runSecretCommand, SECRET_USAGE } from './secret-cli.ts';
import { type SluiceServer, startServer } from './server.ts';
import { bracketed } from './setting-values.ts';
import { SETTINGS } from './settings.ts';
import type { Storage } from './storage/index.ts';
import { runTokenCommand, TOKEN_USAGE } from './token-cli.ts';
import { VERSION } from './version.ts';

const USAGE = `sluice ${VERSION}

  sluice [start] [--flag value …]   start the server
${JOIN_USAGE}
  sluice check [directory]          load a policy directory and report every fault
  sluice hash-password              read a password from stdin, print its scrypt hash for users.yaml
${POLICY_USAGE}
${TOKEN_USAGE}
${DATASET_USAGE}
${SECRET_USAGE}
${EXTENSION_USAGE}
  sluice docs                       regenerate docs/configuration.md and docs/errors.md

Flags (or the environment variable; see docs/configuration.md):
${Object.entries(SETTINGS)
  .map(([name, { doc }]) => `  ${flagOf(name).padEnd(22)} ${doc}`)
  .join('\n')}
`;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function run(args: readonly string[]): Promise<number> {
  const [command = 'start', ...rest] = args[0]?.startsWith('-') === true && !['-h', '--help'].includes(args[0]) ? ['start', ...args] : args;
  switch (command) {
    case 'start':
      return start(readConfig(rest));
    case 'worker':
    case 'planner':
      return joinFor(command, rest);
    case 'check':
      return check(rest);
    case 'hash-password':
      return hash();
    case 'policy':
      return runPolicyCommand(rest, { logger: createLogger('warn'), progress: say, onProblems: reportProblems }, say);
    case 'token':
      return runTokenCommand(rest, { logger: createLogger('warn'), onProblems: reportProblems }, say);
    case 'dataset':
      return runDatasetCommand(rest, { logger: createLogger('warn'), onProblems: reportProblems }, say);
    case 'secret':
      return runSecretCommand(rest, say);
    case 'extension':
      return runExtensionCommand(rest, say);
    case 'docs':
      return writeDocumentation();
    case '-h':
    case '--help':
    case 'help':
      say(USAGE);
      return 0;
    default:
      process.stderr.write(`unknown command: ${command}\n\n${USAGE}`);
      return 2;
  }
}

async function joinFor(role: 'worker' | 'planner', args: readonly string[]): Promise<number> {
  await using joined = await joinCluster(role, args);
  return await start(joined.config, joined.ttlMs);
}

/** `ttlMs`: ends by itself then; null = when it is told. */
async function start(config: Config, ttlMs: number | null = null): Promise<number> {
  const logger = createLogger(config.logLevel);
  const server = await startServer(config, { logger, progress: say, onProblems: reportProblems });
  printBanner(config, server);
  await (ttlMs === null ? stopSignal() : Promise.race([stopSignal(), sleep(ttlMs)]));
  say('Draining …');
  await server.drain(config.drainMs);
  await server[Symbol.asyncDispose]();
  return 0;
}

/** The first one only: another one then ends the process at once, as it does where nobody listens. */
function stopSignal(): Promise<void> {
  const signals = ['SIGTERM', 'SIGINT'] as const;
  return new Promise((resolve) => {
    const onSignal = (): void => {
      for (const signal of signals) process.off(signal, onSignal);
      resolve();
    };
    for (const signal of signals) process.on(signal, onSignal);
  });
}

function printBanner(config: Config, server: SluiceServer): void {
  const uri = server.location;
  const listening = config.advertise === null ? '' : ` (listens on ${bracketed(server.host)}:${server.port})`;
  const metrics =
    server.httpPort === null ? '' : `\nMetrics     http://${bracketed(config.httpListen?.host ?? '')}:${server.httpPort}/metrics`;
  const { datasets, users, epoch } = server.snapshot();
  say(`Sluice ${VERSION}
Flight SQL  ${uri}${listening}${metrics}
Policies    ${config.policyDirectory} (epoch ${epoch}, ${datasets.length} datasets, ${users.length} users)`);
  if (config.policyDirectory !== QUICKSTART_DIRECTORY) return;
  say(`Demo users  ${users.map(({ name }) => name).join(', ')}; the password is <name>-demo

Try it, then again as steward:
  pip install adbc-driver-flightsql pyarrow
  python3 -c "
import adbc_driver_flightsql.dbapi as sluice
with sluice.connect('${uri}', db_kwargs={'username': 'analyst_eu', 'password': 'analyst_eu-demo'}, autocommit=True) as c, c.cursor() as q:
    q.execute('SELECT customer_id, name, email, ssn, region FROM demo.customers ORDER BY customer_id LIMIT 5')
    print(q.fetch_arrow_table().to_pylist())"
`);
}

function reportProblems(problems: readonly string[]): void {
  for (const problem of problems) process.stderr.write(`policy: ${problem}\n`);
}

/** Exit status 1 when anything is wrong, also when only one dataset is unreadable for it. */
async function check(args: readonly string[]): Promise<number> {
  const directory = args[0]?.startsWith('-') === false ? args[0] : undefined;
  const flags = directory === undefined ? args : args.slice(1);
  const state = await mkdtemp(join(tmpdir(), 'sluice-check-'));
  try {
    const given = [...flags, ...(directory === undefined ? [] : ['--policies', directory])];
    const config = readConfig([...given, '--state-dir', state]);
    // Sealed secrets open with the key of the server whose set it is.
    const keys = await openKeysIfThere(readConfig(given));
    const problems: string[] = [];
    await using metadata = await openMetadata(config, keys, {
      logger: createLogger(config.logLevel),
      progress: say,
      onProblems: (found) => problems.push(...found),
    });
    const { snapshot } = metadata.current();
    const found = [...new Set([...problems, ...snapshot.problems])];
    reportProblems(found);
    // No fault of the set, which may be checked where its data are not.
    for (const line of await unreachable(snapshot.connections, metadata.storage)) say(line);
    say(
      `${snapshot.datasets.length} datasets, ${snapshot.users.length} users, ${snapshot.grants.length} grants: ${found.length === 0 ? 'no problems' : `${found.length} problems`}`,
    );
    return found.length === 0 ? 0 : 1;
  } finally {
    await rm(state, { recursive: true, force: true });
  }
}

/** Datasets whose types are all declared are not looked at otherwise. */
async function unreachable(connections: readonly Connection[], storage: Storage): Promise<readonly string[]> {
  const textOf = ({ cause, message }: Error): string => (cause instanceof Error ? cause.message : message);
  const faults = connections.map((connection) =>
    storage.reachable(connection).then(
      () => [],
      (error: Error) => [`connection ${connection.name} is out of reach from here: ${textOf(error)}`],
    ),
  );
  return (await Promise.all(faults)).flat();
}

async function hash(): Promise<number> {
  if (process.stdin.isTTY) process.stderr.write('Password: ');
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === '') break;
    say(await hashPassword(line));
    return 0;
  }
  process.stderr.write('no password was given\n');
  return 1;
}

async function writeDocumentation(): Promise<number> {
  const directory = fileURLToPath(new URL('../docs/', import.meta.url));
  await mkdir(directory, { recursive: true });
  for (const [name, content] of Object.entries(generateDocumentation())) await writeFile(join(directory, name), content);
  return 0;
}

run(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error: unknown) => {
    const text = error instanceof SluiceError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`sluice: ${text}\n`);
    process.exit(1);
  },
);
