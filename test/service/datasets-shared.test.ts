/** Datasets over PostgreSQL: what one node registers and refreshes, the others read; revisions and indexes by compare-and-set. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runDatasetCommand } from '#src/dataset-cli.js';
import { runTrustedScript } from '#src/engine/index.js';
import { createLogger } from '#src/log.js';
import { runPolicyCommand } from '#src/policy-cli.js';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { PATIENCE } from '../support/patience.ts';
import { writePolicySet } from '../support/policy-set.mjs';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { CLUSTER_KEY } from '../support/quickstart.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const work = mkdtempSync(join(tmpdir(), 'sluice-shared-datasets-'));
const lake = join(work, 'lake');
const policies = join(work, 'policies');
const options = { logger: createLogger('silent') };
let postgres: Postgres;
let nodes: readonly TestServer[] = [];
let clients: readonly RawClient[] = [];

const settings = (name: string): Readonly<Record<string, string>> => ({
  SLUICE_METADATA: postgres.url,
  SLUICE_CLUSTER_KEY: CLUSTER_KEY,
  SLUICE_STATE_DIR: join(work, name),
});
const flags = (): readonly string[] => ['--metadata', postgres.url, '--state-dir', join(work, 'cli'), '--cluster-key', CLUSTER_KEY];

beforeAll(async () => {
  postgres = await startPostgres();
  mkdirSync(lake, { recursive: true });
  writePolicySet(policies, {
    catalog: {},
    users: { steward: { roles: ['steward'] } },
    grants: [
      ['steward', '*', 'operate'],
      ['steward', '*', 'select'],
    ],
  });
  writeFileSync(
    join(policies, 'catalog.yaml'),
    `# shared\ncatalog: sluice\ndefaultSchema: demo\nconnections:\n  lake: { kind: local, directory: ${lake} }\ndatasets: {}\n`,
  );
  await runPolicyCommand(['push', policies, ...flags()], options, () => {});
  nodes = [await startTestServer(settings('a')), await startTestServer(settings('b'))];
  clients = await Promise.all(nodes.map(({ port }) => connectFlight({ port, user: 'steward' })));
});

afterAll(async () => {
  for (const client of clients) client.close();
  for (const node of nodes) await node[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

async function write(path: string, rows: number): Promise<void> {
  mkdirSync(dirname(join(lake, path)), { recursive: true });
  await runTrustedScript([`COPY (SELECT i::INTEGER AS id FROM range(${rows}) t(i)) TO '${join(lake, path)}'`]);
}

const [one, other] = [() => clients[0] ?? expect.fail(), () => clients[1] ?? expect.fail()];
const seen = async (client: RawClient, name: string, n: number): Promise<void> => {
  await vi.waitFor(async () => expect(await client.rows(`SELECT count(*) AS n FROM demo.${name}`)).toEqual([{ n }]), PATIENCE);
};
const lines = async (run: (say: (line: string) => void) => Promise<unknown>): Promise<string> => {
  const said: string[] = [];
  await run((line) => said.push(line));
  return said.join('\n');
};

test('what one node registers and refreshes, the other reads', async () => {
  await write('events/a.parquet', 10);
  await one().rows("REGISTER DATASET demo.events FROM lake 'events/'");
  await seen(other(), 'events', 10);
  await write('events/b.parquet', 5);
  expect(await other().rows('REFRESH DATASET demo.events')).toMatchObject([{ added: 1, rows: 15 }]);
  await seen(one(), 'events', 15);
  expect(await lines((say) => runPolicyCommand(['log', ...flags()], options, say))).toMatch(/2 {2}.* {2}steward {2}register demo\.events/);
});

test('of registrations at the same time each wins or is told, and none is lost', async () => {
  const names = ['r1', 'r2', 'r3', 'r4'];
  for (const name of names) await write(`${name}/a.parquet`, 3);
  const tried = await Promise.all(
    names.map(async (name, i) => ({
      name,
      status: (await failureOf((i % 2 === 0 ? one() : other()).rows(`REGISTER DATASET demo.${name} FROM lake '${name}/'`))).status,
    })),
  );
  const won = tried.filter(({ status }) => status === 'OK');
  expect(won.length).toBeGreaterThan(0);
  for (const { status } of tried) expect(['OK', 'ABORTED']).toContain(status);
  for (const { name } of won) for (const client of clients) await seen(client, name, 3);
});

test('the command line makes a revision, and keeps its text', async () => {
  await write('cli/a.parquet', 4);
  const said = await lines((say) =>
    runDatasetCommand(['register', 'demo.cli', '--connection', 'lake', '--path', 'cli/', ...flags()], options, say),
  );
  expect(said).toContain('demo.cli: 1 file, 4 rows; 1 new, 0 changed, 0 gone');
  for (const client of clients) await seen(client, 'cli', 4);
  expect(await lines((say) => runDatasetCommand(['list', ...flags()], options, say))).toContain(
    'demo.cli  parquet  1 column  1 file as of',
  );
  const pulled = join(work, 'pulled');
  await runPolicyCommand(['pull', pulled, ...flags()], options, () => {});
  expect(readFileSync(join(pulled, 'catalog.yaml'), 'utf8')).toMatch(/^# shared\ncatalog: sluice\n[\s\S]*demo\.cli:/);
});
