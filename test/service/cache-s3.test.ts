/** Objects of a real S3 server that are replaced while everything that can be kept of them is: new content is seen, old content never comes back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openKeys } from '#src/cluster-keys.js';
import { readConfig } from '#src/config.js';
import { runTrustedScript } from '#src/engine/index.js';
import { HTTPFS_DIRECTORY } from '#testbed';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { scrape } from '../support/metrics.ts';
import { writePolicySet } from '../support/policy-set.mjs';
import { CLUSTER_KEY } from '../support/quickstart.ts';
import { type S3Server, startS3 } from '../support/s3.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const BUCKET = 'bucket-of-caches';
const WORDS = ['first', 'other', 'third', 'forth'];
const PATIENCE = { timeout: 60_000, interval: 50 };
const ALL = { SLUICE_RESULT_CACHE: '64MB', SLUICE_HOT_TABLES: '64MB' };
/** What DuckDB itself keeps stays on. */
const NONE = { SLUICE_RESULT_CACHE: '0', SLUICE_HOT_TABLES: '0' };

const work = mkdtempSync(join(tmpdir(), 'sluice-cache-s3-'));
const closing: AsyncDisposable[] = [];
let s3: S3Server;

/** The same number of rows and of bytes, whatever the word. */
async function put(word: string): Promise<void> {
  const file = join(work, `${word}.parquet`);
  await runTrustedScript([
    `COPY (SELECT i AS id, '${word}' AS word FROM range(5000) t(i)) TO '${file}' (FORMAT parquet, COMPRESSION uncompressed)`,
  ]);
  await s3.put(BUCKET, 'lake/words.parquet', { file });
}

beforeAll(async () => {
  s3 = await startS3();
  closing.push(s3);
  await s3.createBucket(BUCKET);
  await put('first');
  const keys = await openKeys(readConfig([], { SLUICE_CLUSTER_KEY: CLUSTER_KEY }));
  const { accessKeyId, secretAccessKey } = s3.root;
  writePolicySet(join(work, 'policies'), {
    catalog: {
      catalog: 'sluice',
      defaultSchema: 'd',
      connections: {
        lake: {
          kind: 's3',
          url: `s3://${BUCKET}/lake/`,
          endpoint: s3.url,
          pathStyle: true,
          credentials: { accessKeyId, secretAccessKey: keys.sealSecret(secretAccessKey) },
        },
      },
      datasets: { 'd.words': { connection: 'lake', parquet: 'words.parquet' } },
    },
    users: { ann: { roles: ['reader'] } },
    grants: [['reader', 'd.*', 'select']],
  });
});
afterAll(async () => {
  for (const one of closing.splice(0).reverse()) await one[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

async function open(settings: Readonly<Record<string, string>>): Promise<readonly [TestServer, RawClient]> {
  const server = await startTestServer({
    SLUICE_POLICIES: join(work, 'policies'),
    SLUICE_STATE_DIR: mkdtempSync(join(work, 'state-')),
    SLUICE_CLUSTER_KEY: CLUSTER_KEY,
    SLUICE_EXTENSIONS: HTTPFS_DIRECTORY,
    SLUICE_HTTP_LISTEN: '127.0.0.1:0',
    ...settings,
  });
  closing.push(server);
  const client = await connectFlight({ port: server.port, user: 'ann' });
  closing.push(client);
  return [server, client];
}

async function numberOf(node: TestServer, name: string): Promise<number> {
  return (await scrape(node)).value(`sluice_${name}`) ?? Number.NaN;
}

test.each([
  ['kept by DuckDB only', NONE],
  ['kept in every cache', ALL],
])('a replaced object %s is seen, and a reader never meets both', async (_name, settings) => {
  await put('first');
  const [server, ann] = await open(settings);
  const words = async (variant = 0): Promise<readonly unknown[]> =>
    (await ann.rows(`SELECT word, count(*) AS n FROM d.words GROUP BY word LIMIT ${10 + variant}`)).map(({ word, n }) => `${word} ${n}`);
  const replaced = async (): Promise<unknown> => {
    // While lists of objects are kept, a plan may name the object that was there: that is an error to try again.
    const outcome = words();
    return (await failureOf(outcome)).status === 'UNAVAILABLE' ? 'again' : outcome;
  };
  let before = 'first';
  for (const word of WORDS.slice(1)) {
    // Long enough for everything to be kept.
    for (let i = 0; i < 8; i++) expect(await words(i % 4)).toEqual([`${before} 5000`]);
    if (settings === ALL) await vi.waitFor(async () => expect(await numberOf(server, 'hot_tables')).toBe(1), PATIENCE);
    await put(word);
    await vi.waitFor(async () => expect(await replaced()).toEqual([`${word} 5000`]), PATIENCE);
    for (let i = 0; i < 6; i++) expect(await words()).toEqual([`${word} 5000`]);
    before = word;
  }
  expect(await numberOf(server, 'file_cache_bytes')).toBeGreaterThan(0);
  expect(await numberOf(server, 'footer_cache_bytes')).toBeGreaterThan(0);
  if (settings === ALL) expect(await numberOf(server, 'result_cache_hits_total')).toBeGreaterThan(0);
});

test('an object that is gone is an error soon, though its rows were in memory', async () => {
  await put('first');
  const [server, ann] = await open(ALL);
  const query = 'SELECT count(*) AS n FROM d.words';
  for (let i = 0; i < 4; i++) await ann.rows(`SELECT count(*) + ${i} AS n FROM d.words`);
  await vi.waitFor(async () => expect(await numberOf(server, 'hot_tables')).toBe(1), PATIENCE);
  expect(await ann.rows(query)).toEqual([{ n: 5000 }]);
  await s3.delete(BUCKET, 'lake/words.parquet');
  await vi.waitFor(async () => expect(await failureOf(ann.rows(query))).toMatchObject({ status: 'UNAVAILABLE' }), PATIENCE);
});
