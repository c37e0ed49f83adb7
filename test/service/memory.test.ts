/** More than fits: what can spill does, what can not is told so, and everything else goes on. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runTrustedScript } from '#src/engine/index.js';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { scrape } from '../support/metrics.ts';
import { writePolicySet } from '../support/policy-set.mjs';
import { startTestServer, type TestServer } from '../support/server.ts';

const PATIENCE = { timeout: 60_000, interval: 20 };
const ROWS = 3_000_000;
const SORT = 'SELECT text FROM d.wide ORDER BY text';
const HUNGRY: readonly (readonly [string, string])[] = [
  ['sort', SORT],
  ['join', 'SELECT count(*) AS n FROM (SELECT a.text, b.text AS other FROM d.wide a JOIN d.wide b ON a.text = b.text) WHERE text = other'],
  ['aggregation', 'SELECT count(*) AS n FROM (SELECT text, max(id) AS id FROM d.wide GROUP BY text)'],
];

const work = mkdtempSync(join(tmpdir(), 'sluice-memory-'));
const closing: AsyncDisposable[] = [];

beforeAll(async () => {
  mkdirSync(join(work, 'lake'));
  await runTrustedScript([
    `COPY (SELECT i AS id, md5(i::VARCHAR) || md5((i + 1)::VARCHAR) AS text FROM range(${ROWS}) t(i)) TO '${work}/lake/wide.parquet' (FORMAT parquet)`,
  ]);
  writePolicySet(join(work, 'policies'), {
    catalog: {
      catalog: 'sluice',
      defaultSchema: 'd',
      connections: { lake: { kind: 'local', directory: join(work, 'lake') } },
      datasets: { 'd.wide': { connection: 'lake', parquet: 'wide.parquet' } },
    },
    users: { ann: { roles: ['reader'] }, bob: { roles: ['reader'] } },
    grants: [['reader', 'd.*', 'select']],
  });
});
afterAll(async () => {
  for (const one of closing.splice(0).reverse()) await one[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

async function start(settings: Readonly<Record<string, string>>): Promise<TestServer> {
  const server = await startTestServer({
    SLUICE_POLICIES: join(work, 'policies'),
    SLUICE_STATE_DIR: mkdtempSync(join(work, 'state-')),
    SLUICE_HTTP_LISTEN: '127.0.0.1:0',
    SLUICE_MEMORY_LIMIT: '192MB',
    SLUICE_THREADS: '2',
    SLUICE_RESULT_CACHE: '0',
    ...settings,
  });
  closing.push(server);
  return server;
}

async function connect({ port }: TestServer, user: string): Promise<RawClient> {
  const client = await connectFlight({ port, user });
  closing.push(client);
  return client;
}

async function idle({ server }: TestServer): Promise<void> {
  await vi.waitFor(async () => {
    const numbers = await scrape({ server });
    const held = ['queries_running', 'streams_open', 'engine_connections', 'engine_slots_in_use', 'stream_memory_bytes'];
    expect(held.map((name) => numbers.value(`sluice_${name}`))).toEqual(held.map(() => 0));
  }, PATIENCE);
}

describe('with room to spill', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await start({});
  });

  test.each(HUNGRY)('a %s larger than memory ends right', async (name, query) => {
    const ann = await connect(server, 'ann');
    // The engine may still hold what the query before it took, and then says so: it may come again.
    if (name !== 'sort') await vi.waitFor(async () => expect(await ann.rows(query)).toEqual([{ n: ROWS }]), PATIENCE);
    else {
      const texts = (await vi.waitFor(() => ann.table(query), PATIENCE)).getChildAt(0);
      expect(texts?.length).toBe(ROWS);
      let last = '';
      for (let i = 0; i < ROWS; i += 1000) {
        const text = String(texts?.get(i));
        expect(text > last).toBe(true);
        last = text;
      }
    }
    await idle(server);
  });
});

describe('with the directory for spilling full', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await start({ SLUICE_TEMP_LIMIT: '1MB' });
  });

  test.each(HUNGRY)('a %s larger than memory is told so, and others go on', async (_name, query) => {
    const [ann, bob] = [await connect(server, 'ann'), await connect(server, 'bob')];
    const hungry = failureOf(ann.table(query));
    // While the other one has taken all there is, a small query too may be told to come again.
    for (let i = 0; i < 5; i++)
      await vi.waitFor(async () => expect(await bob.rows(`SELECT id FROM d.wide WHERE id = ${i}`)).toEqual([{ id: i }]), PATIENCE);
    expect(await hungry).toMatchObject({ status: 'RESOURCE_EXHAUSTED', message: expect.stringMatching(/needs more (memory|room)/) });
    expect((await hungry).message).not.toContain(work);
    await idle(server);
    expect(await ann.rows('SELECT count(*) AS n FROM d.wide')).toEqual([{ n: ROWS }]);
  });
});
