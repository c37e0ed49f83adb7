/** Datasets on a real S3 server: the same answers as over local files, and what happens when the store, a key or an object goes away. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openKeys } from '#src/cluster-keys.js';
import { readConfig } from '#src/config.js';
import { runTrustedScript } from '#src/engine/index.js';
import { HTTPFS_DIRECTORY } from '#testbed';
import { connectFlight, type RawClient } from '../support/flight-client.ts';
import { writePolicySet } from '../support/policy-set.mjs';
import { CLUSTER_KEY } from '../support/quickstart.ts';
import { type S3Server, startS3 } from '../support/s3.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const work = mkdtempSync(join(tmpdir(), 'sluice-s3-'));
const data = join(work, 'data');
const ACCOUNT = { accessKeyId: 'lakereader', secretAccessKey: 'lakereader-secret' };
const SECRETS = [ACCOUNT.secretAccessKey, ACCOUNT.accessKeyId, 'bucket-of-events', 'rootsecret'];

let s3: S3Server;
let sluice: TestServer;
let limited: RawClient;

beforeAll(async () => {
  s3 = await startS3();
  await s3.createBucket('bucket-of-events');
  const days = [0, 1, 2, 3, 4, 5, 6];
  for (const day of days) mkdirSync(join(data, 'events', `day=${day}`), { recursive: true });
  const events = "SELECT i AS id, md5(i::VARCHAR) AS text, 'kind ' || i % 3 AS kind, i % 7 AS day FROM range(7000) t(i)";
  await runTrustedScript(
    days.map(
      (day) =>
        `COPY (SELECT * EXCLUDE (day) FROM (${events}) WHERE day = ${day} ORDER BY id) TO '${data}/events/day=${day}/part.parquet' (FORMAT parquet)`,
    ),
  );
  await s3.putDirectory('bucket-of-events', 'lake/', data);
  await s3.createAccount(ACCOUNT);
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
      },
      datasets: {
        'demo.events': { connection: 'lake', parquet: 'events', hive: true },
        'demo.same': { connection: 'local', parquet: 'events', hive: true },
      },
    },
    users: { everything: { roles: ['all'] }, limited: { roles: ['few'], attributes: { kind: ['kind 0', 'kind 2'] } } },
    grants: [
      ['all', 'demo.*', 'select'],
      ['few', 'demo.*', 'select'],
    ],
    rowFilters: [{ id: 'own', roles: ['few'], datasets: ['demo.*'], filter: 'kind IN (principal.kind)' }],
    masks: [{ id: 'short', roles: ['few'], columns: ['text'], mask: { first: 4 } }],
  });
  sluice = await startTestServer({
    SLUICE_POLICIES: join(work, 'policies'),
    SLUICE_CLUSTER_KEY: CLUSTER_KEY,
    SLUICE_EXTENSIONS: HTTPFS_DIRECTORY,
  });
  limited = await connectFlight({ port: sluice.port, user: 'limited' });
});

afterAll(async () => {
  await limited?.[Symbol.asyncDispose]();
  await sluice?.[Symbol.asyncDispose]();
  await s3?.[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

it.each([
  'SELECT * FROM demo.events ORDER BY id',
  'SELECT kind, day, count(*) AS n, min(text) AS t FROM demo.events GROUP BY ALL ORDER BY ALL',
  'SELECT a.id FROM demo.events a JOIN demo.same b USING (id) WHERE a.day = 3 ORDER BY a.id LIMIT 20',
])('a governed query over S3 is the one over local files: %s', async (sql) => {
  expect(sluice.problems).toEqual([]);
  const rows = await limited.rows(sql);
  expect(rows.length).toBeGreaterThan(0);
  expect(rows).toEqual(await limited.rows(sql.replaceAll('demo.events', 'demo.same')));
});
