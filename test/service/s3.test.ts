/** Datasets on a real S3 server: the same answers as over local files, and what happens when the store, a key or an object goes away. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openKeys } from '#src/cluster-keys.js';
import { readConfig } from '#src/config.js';
import { runTrustedScript } from '#src/engine/index.js';
import { HTTPFS_DIRECTORY } from '#testbed';
import { connectFlight, type Failure, failureOf, type RawClient } from '../support/flight-client.ts';
import { parseMetrics } from '../support/metrics.ts';
import { writePolicySet } from '../support/policy-set.mjs';
import { CLUSTER_KEY } from '../support/quickstart.ts';
import { type S3Server, startS3 } from '../support/s3.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const work = mkdtempSync(join(tmpdir(), 'sluice-s3-'));
const data = join(work, 'data');
const ACCOUNT = { accessKeyId: 'lakereader', secretAccessKey: 'lakereader-secret' };
const BUCKET = 'bucket-of-events';
/** Of the AWS SDK, in the server's process. */
const PROFILES = join(work, 'credentials');

let s3: S3Server;
let sluice: TestServer;
let limited: RawClient;
let everything: RawClient;

beforeAll(async () => {
  s3 = await startS3();
  await s3.createBucket(BUCKET);
  const days = [0, 1, 2, 3, 4, 5, 6];
  for (const day of days) mkdirSync(join(data, 'events', `day=${day}`), { recursive: true });
  const events = "SELECT i AS id, md5(i::VARCHAR) AS text, 'kind ' || i % 3 AS kind, i % 7 AS day FROM range(7000) t(i)";
  await runTrustedScript(
    days.map(
      (day) =>
        `COPY (SELECT * EXCLUDE (day) FROM (${events}) WHERE day = ${day} ORDER BY id) TO '${data}/events/day=${day}/part.parquet' (FORMAT parquet)`,
    ),
  );
  await s3.putDirectory(BUCKET, 'lake/', data);
  await s3.put(BUCKET, 'rotating/one/part.parquet', { file: join(data, 'events', 'day=1', 'part.parquet') });
  await s3.createAccount(ACCOUNT);
  Object.assign(process.env, {
    AWS_SHARED_CREDENTIALS_FILE: PROFILES,
    AWS_CONFIG_FILE: join(work, 'config'),
    AWS_EC2_METADATA_DISABLED: 'true',
  });
  const keys = await openKeys(readConfig([], { SLUICE_CLUSTER_KEY: CLUSTER_KEY }));
  const { accessKeyId, secretAccessKey } = ACCOUNT;
  writePolicySet(join(work, 'policies'), {
    catalog: {
      catalog: 'sluice',
      defaultSchema: 'demo',
      connections: {
        local: { kind: 'local', directory: data },
        lake: {
          kind: 's3',
          url: 's3://bucket-of-events/lake/',
          endpoint: s3.url,
          pathStyle: true,
          credentials: { accessKeyId, secretAccessKey: keys.sealSecret(secretAccessKey) },
        },
        rotating: { kind: 's3', url: `s3://${BUCKET}/rotating/`, endpoint: s3.url, pathStyle: true, credentials: { profile: 'lake' } },
      },
      datasets: {
        'demo.events': { connection: 'lake', parquet: 'events', hive: true },
        'demo.rotating': { connection: 'rotating', parquet: 'one', columns: { id: { type: 'BIGINT' } } },
        'demo.same': { connection: 'local', parquet: 'events', hive: true },
      },
    },
    users: { everything: { roles: ['all'] }, limited: { roles: ['few'], attributes: { kind: ['kind 0', 'kind 2'] } } },
    grants: [
      ['all', 'demo.*', 'select'],
      ['few', 'demo.*', 'select'],
    ],
    rowFilters: [{ id: 'own', roles: ['few'], datasets: ['demo.events', 'demo.same'], filter: 'kind IN (principal.kind)' }],
    masks: [{ id: 'short', roles: ['few'], columns: ['text'], mask: { first: 4 } }],
  });
  sluice = await startTestServer({
    SLUICE_POLICIES: join(work, 'policies'),
    SLUICE_CLUSTER_KEY: CLUSTER_KEY,
    SLUICE_EXTENSIONS: HTTPFS_DIRECTORY,
    SLUICE_HTTP_LISTEN: '127.0.0.1:0',
    // What lies in memory would be answered without the store.
    SLUICE_RESULT_CACHE: '0',
    SLUICE_RESULT_CACHE_DISK: '0',
    SLUICE_HOT_TABLES: '0',
  });
  limited = await connectFlight({ port: sluice.port, user: 'limited' });
  everything = await connectFlight({ port: sluice.port, user: 'everything' });
});

afterAll(async () => {
  await limited?.[Symbol.asyncDispose]();
  await everything?.[Symbol.asyncDispose]();
  await sluice?.[Symbol.asyncDispose]();
  await s3?.[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

it.each([
  'SELECT * FROM demo.events ORDER BY id',
  'SELECT kind, day, count(*) AS n, min(text) AS t FROM demo.events GROUP BY ALL ORDER BY ALL',
  'SELECT a.id FROM demo.events a JOIN demo.same b USING (id) WHERE a.day = 3 ORDER BY a.id LIMIT 20',
  "SELECT count(*) AS n FROM demo.events WHERE day IN (2, 5) AND text LIKE '%a%'",
])('a governed query over S3 is the one over local files: %s', async (sql) => {
  expect(sluice.problems).toEqual([]);
  for (const client of [limited, everything]) {
    const rows = await client.rows(sql);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows).toEqual(await client.rows(sql.replaceAll('demo.events', 'demo.same')));
  }
});

const COUNT = 'SELECT count(*) AS n FROM demo.events';

/** Credentials and lists are kept for a while: waits until the store's own answer comes through. */
async function eventually(wanted: (outcome: Failure) => boolean, sql: string = COUNT): Promise<Failure> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const outcome = await failureOf(everything.rows(sql));
    if (wanted(outcome) || Date.now() > deadline) return outcome;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

it('an account that is removed is a clear error that may be tried again; when it is back, so are the data, without a restart', async () => {
  await s3.deleteAccount(ACCOUNT.accessKeyId);
  expect(await eventually(({ message }) => message.includes('credentials'))).toMatchObject({
    status: 'UNAVAILABLE',
    message: expect.stringContaining('credentials'),
  });
  await s3.createAccount(ACCOUNT);
  expect(await eventually(({ status }) => status === 'OK')).toMatchObject({ status: 'OK' });
  expect(await everything.rows(COUNT)).toEqual([{ n: 7000 }]);
});

it('credentials that are rotated outside reach the engine without a restart', async () => {
  const sql = 'SELECT count(*) AS n FROM demo.rotating';
  const rotate = async (accessKeyId: string): Promise<void> => {
    await s3.createAccount({ accessKeyId, secretAccessKey: `${accessKeyId}-secret` });
    writeFileSync(PROFILES, `[lake]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${accessKeyId}-secret\n`);
  };
  expect(await eventually(({ message }) => message.includes('credentials'), sql)).toMatchObject({ status: 'UNAVAILABLE' });
  await rotate('first');
  expect(await eventually(({ status }) => status === 'OK', sql)).toMatchObject({ status: 'OK' });
  await s3.deleteAccount('first');
  expect(await eventually(({ message }) => message.includes('credentials'), sql)).toMatchObject({ status: 'UNAVAILABLE' });
  await rotate('second');
  expect(await eventually(({ status }) => status === 'OK', sql)).toMatchObject({ status: 'OK' });
  expect(await everything.rows(sql)).toEqual([{ n: 1000 }]);
  const metrics = parseMetrics(await (await fetch(`http://127.0.0.1:${sluice.server.httpPort}/metrics`)).text());
  expect(metrics.value('sluice_storage_credential_failures_total')).toBeGreaterThan(0);
  expect(metrics.value('sluice_storage_credentials_total')).toBeGreaterThan(2);
});

it('a store that is stopped does not answer, and local data do; when it is back, so are its data', async () => {
  await s3.stop();
  expect(await eventually(({ message }) => message.includes('does not answer'))).toMatchObject({
    status: 'UNAVAILABLE',
    message: expect.stringContaining('try again'),
  });
  expect(await everything.rows('SELECT count(*) AS n FROM demo.same')).toEqual([{ n: 7000 }]);
  await s3.start();
  expect(await eventually(({ status }) => status === 'OK')).toMatchObject({ status: 'OK' });
});

it.each<[string, () => Promise<unknown>]>([
  ['replaced', () => s3.put(BUCKET, 'lake/events/day=2/part.parquet', { file: join(data, 'events', 'day=3', 'part.parquet') })],
  ['removed', () => s3.delete(BUCKET, 'lake/events/day=2/part.parquet')],
])('an object that is %s between plan and read ends the query, and the next plan reads what is there', async (_, change) => {
  await s3.put(BUCKET, 'lake/events/day=2/part.parquet', { file: join(data, 'events', 'day=2', 'part.parquet') });
  expect(await eventually(({ status }) => status === 'OK')).toMatchObject({ status: 'OK' });
  const info = await everything.info('CommandStatementQuery', { query: 'SELECT sum(id) AS s FROM demo.events' });
  await change();
  const ticket = info.endpoint[0]?.ticket.ticket ?? expect.fail('no ticket');
  expect(await failureOf(everything.get(ticket))).toMatchObject({ status: 'UNAVAILABLE', message: expect.stringMatching(/chang|again/) });
  expect(await eventually(({ status }) => status === 'OK')).toMatchObject({ status: 'OK' });
  await s3.put(BUCKET, 'lake/events/day=2/part.parquet', { file: join(data, 'events', 'day=2', 'part.parquet') });
});

it('whoever asks for secrets, or for other objects, gets neither', async () => {
  for (const sql of [
    'SELECT * FROM duckdb_secrets()',
    "SELECT * FROM which_secret('s3://bucket-of-events/lake/', 's3')",
    'CREATE SECRET x (TYPE s3)',
    'DROP SECRET s3_lake',
    "SELECT * FROM read_parquet('s3://bucket-of-events/lake/events/day=1/part.parquet')",
    "SELECT * FROM 's3://bucket-of-events/lake/events/day=1/part.parquet'",
    "SELECT * FROM glob('s3://bucket-of-events/**')",
    "SELECT current_setting('s3_secret_access_key')",
    "SELECT * FROM duckdb_settings() WHERE name LIKE 's3%'",
    "SELECT getenv('AWS_SECRET_ACCESS_KEY')",
    'SELECT filename FROM demo.events',
    'PRAGMA database_list',
  ])
    expect((await failureOf(everything.rows(sql))).status, sql).toMatch(/^(INVALID_ARGUMENT|NOT_FOUND)$/);
});

it('no credential, bucket or key is in a ticket, an explanation, an error or the audit', async () => {
  const info = await everything.info('CommandStatementQuery', { query: COUNT });
  const tickets = info.endpoint.map(({ ticket }) => Buffer.from(ticket.ticket).toString('latin1')).join();
  const explained = JSON.stringify(await limited.rows(`EXPLAIN POLICY ${COUNT}`));
  await s3.deleteAccount(ACCOUNT.accessKeyId);
  const { message } = await eventually(({ message }) => message.includes('credentials'));
  await s3.createAccount(ACCOUNT);
  expect(await eventually(({ status }) => status === 'OK')).toMatchObject({ status: 'OK' });
  const audit = JSON.stringify(await sluice.audit());
  for (const word of [ACCOUNT.accessKeyId, ACCOUNT.secretAccessKey, BUCKET, 'part.parquet'])
    for (const text of [tickets, explained, message]) expect(text).not.toContain(word);
  expect(audit).not.toContain(ACCOUNT.secretAccessKey);
});
