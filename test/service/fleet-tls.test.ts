/** Planners and workers over TLS: workers that ask for a certificate take planners that show one, and nobody else. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { decode, encode, type FlightInfo } from '../support/flight-messages.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { pushPolicies } from '../support/shared-policies.ts';
import { makeCertificates, type TestCertificates } from '../support/tls.ts';

const QUICKSTART = fileURLToPath(new URL('../../policies/quickstart', import.meta.url));
const COUNT = 'SELECT count(*) AS n FROM demo.orders';

let postgres: Postgres;
let directory: string;
let files: TestCertificates;
let strangers: TestCertificates;
const nodes: TestServer[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  directory = mkdtempSync(join(tmpdir(), 'fleet-tls-'));
  cpSync(QUICKSTART, join(directory, 'policies'), { recursive: true });
  files = await makeCertificates(join(directory, 'tls'));
  strangers = await makeCertificates(join(directory, 'strangers'));
  await pushPolicies(postgres.url, join(directory, 'policies'));
  await startNode({ SLUICE_ROLE: 'worker', SLUICE_TLS_CLIENT_AUTH: 'require', SLUICE_TLS_CLIENT_CA: files.authorityFile });
});

afterAll(async () => {
  for (const node of nodes.reverse()) await node[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function startNode(settings: Readonly<Record<string, string>>): Promise<TestServer> {
  const node = await startTestServer({
    SLUICE_METADATA: postgres.url,
    SLUICE_CLUSTER_KEY: Buffer.alloc(32, 6).toString('base64'),
    SLUICE_TLS_CERT: files.serverCertificateFile,
    SLUICE_TLS_KEY: files.serverKeyFile,
    ...settings,
  });
  nodes.push(node);
  return node;
}

async function startPlanner(shown: { readonly certificateFile: string; readonly keyFile: string } | null): Promise<TestServer> {
  const identity = shown === null ? {} : { SLUICE_TLS_CLIENT_CERT: shown.certificateFile, SLUICE_TLS_CLIENT_KEY: shown.keyFile };
  return startNode({ SLUICE_ROLE: 'planner', SLUICE_TLS_CA: files.authorityFile, ...identity });
}

async function cancel(client: RawClient, info: FlightInfo): Promise<number> {
  const [body] = await client.action('CancelFlightInfo', encode('CancelFlightInfoRequest', { info }));
  return decode<{ status: number }>('CancelFlightInfoResult', body ?? Buffer.alloc(0)).status;
}

const signIn = (port: number, user: string) => connectFlight({ port, user, tls: { authority: files.authority.certificate } });

test('a planner with a certificate of the right authority reads and cancels at the worker, for whoever asks', async () => {
  const planner = await startPlanner(await files.client('planner-1'));
  for (const user of ['steward', 'analyst_eu']) {
    await using client = await signIn(planner.port, user);
    expect(await client.rows(COUNT)).toHaveLength(1);
    const info = await client.info('CommandStatementQuery', { query: COUNT });
    await expect.poll(() => cancel(client, info)).toBe(1);
    expect(await failureOf(client.get(info.endpoint[0]?.ticket.ticket ?? new Uint8Array()))).toMatchObject({ status: 'CANCELLED' });
  }
});

test('without one, or with a stranger’s, the worker is out of reach', async () => {
  for (const shown of [null, await strangers.client('planner-2')]) {
    const planner = await startPlanner(shown);
    await using client = await signIn(planner.port, 'steward');
    expect(await failureOf(client.rows(COUNT))).toMatchObject({ status: 'UNAVAILABLE' });
  }
});

test("a user's certificate is no planner's: it would lend that user's name", async () => {
  const users = join(directory, 'policies', 'users.yaml');
  const named = readFileSync(users, 'utf8').replace(/^ {2}steward:\n/m, '  steward:\n    certificate: the-steward\n');
  writeFileSync(users, named);
  await pushPolicies(postgres.url, join(directory, 'policies'));
  await expect.poll(() => nodes[0]?.server.snapshot().epoch, { timeout: 60_000 }).toBe(2);
  const planner = await startPlanner(await files.client('the-steward'));
  await using client = await signIn(planner.port, 'analyst_eu');
  expect(await failureOf(client.rows(COUNT))).toMatchObject({ status: 'UNAUTHENTICATED' });
});

test('files that do not read or do not fit stop the start, in words without a key', async () => {
  const [one, other] = [await files.client('one'), await files.client('other')];
  const broken = [
    { certificateFile: one.certificateFile, keyFile: other.keyFile },
    { certificateFile: one.certificateFile, keyFile: join(directory, 'none.key') },
  ];
  for (const shown of broken) await expect(startPlanner(shown)).rejects.toMatchObject({ code: 'config.invalid' });
});
