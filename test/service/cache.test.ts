/** What a worker keeps to answer faster, over real servers: the same bytes, never another's rows, never old ones, never more than its bounds. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runTrustedScript } from '#src/engine/index.js';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { encode } from '../support/flight-messages.ts';
import { parseMetrics } from '../support/metrics.ts';
import { type PolicySet, writePolicySet } from '../support/policy-set.mjs';
import { startTestServer, type TestServer } from '../support/server.ts';

const PATIENCE = { timeout: 60_000, interval: 20 };
const ITEMS = 'SELECT id, region, secret, amount FROM d.items';
const SECRET = 'secret of somebody';

const work = mkdtempSync(join(tmpdir(), 'sluice-cache-'));
const closing: AsyncDisposable[] = [];
afterAll(async () => {
  for (const one of closing.splice(0).reverse()) await one[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

const REGION_OWN = { id: 'own-region', roles: ['regional'], datasets: ['d.items'], filter: 'region IN (principal.region)' };
const MASKED = { id: 'masked', columns: ['secret'], roles: ['masked'], mask: 'redact' };

/** A lake, a policy set and a server of its own. */
class World {
  readonly directory: string;
  readonly #policies: PolicySet;
  server!: TestServer;

  constructor(name: string) {
    this.directory = join(work, name);
    mkdirSync(join(this.directory, 'lake'), { recursive: true });
    const dataset = (parquet: string): object => ({ connection: 'lake', parquet });
    const user = (role: string, region?: string): object => ({
      roles: [role],
      ...(region === undefined ? {} : { attributes: { region } }),
    });
    this.#policies = {
      catalog: {
        catalog: 'sluice',
        defaultSchema: 'd',
        connections: { lake: { kind: 'local', directory: join(this.directory, 'lake') } },
        datasets: {
          'd.items': dataset('items.parquet'),
          'd.lookup': dataset('lookup.parquet'),
          'd.broken': { ...dataset('lookup.parquet'), columns: { nowhere: { description: 'is not in the file' } } },
          'd.joined': { view: 'SELECT i.id, i.secret, l.label FROM d.items i JOIN d.lookup l ON l.region = i.region' },
        },
      },
      users: {
        ann: user('reader'),
        bob: user('reader'),
        dan: user('viewer'),
        eu: user('regional', 'EU'),
        eu2: user('regional', 'EU'),
        us: user('regional', 'US'),
        mia: user('masked'),
        today: user('timely'),
        steward: user('operator'),
      } as PolicySet['users'],
      grants: [
        ...['reader', 'viewer', 'regional', 'masked', 'timely', 'operator'].map((role) => [role, 'd.*', 'select'] as const),
        ['operator', '*', 'operate'],
      ],
      rowFilters: [REGION_OWN, { id: 'timely', roles: ['timely'], datasets: ['d.items'], filter: "current_date > DATE '2000-01-01'" }],
      masks: [MASKED],
    };
  }

  async start(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.writeItems(60_000);
    await this.write('lookup', "SELECT * FROM (VALUES ('EU', 'Europe'), ('US', 'America')) t(region, label)");
    writePolicySet(join(this.directory, 'policies'), this.#policies);
    this.server = await startTestServer({
      SLUICE_POLICIES: join(this.directory, 'policies'),
      SLUICE_STATE_DIR: join(this.directory, 'state'),
      SLUICE_HTTP_LISTEN: '127.0.0.1:0',
      ...settings,
    });
    closing.push(this.server);
  }

  /** Of the whole set the rules only, so that everybody stays logged in. */
  writeRules(masks: readonly unknown[]): void {
    writeFileSync(join(this.directory, 'policies', 'rules.yaml'), JSON.stringify({ rowFilters: this.#policies.rowFilters, masks }));
  }

  write(name: string, select: string): Promise<void> {
    return runTrustedScript([`COPY (${select}) TO '${this.directory}/lake/${name}.parquet' (FORMAT parquet)`]);
  }

  writeItems(rows: number, word = SECRET): Promise<void> {
    const region = "CASE WHEN i % 3 = 0 THEN 'EU' ELSE 'US' END AS region";
    return this.write('items', `SELECT i AS id, ${region}, '${word} ' || i AS secret, i * 0.5 AS amount FROM range(${rows}) t(i)`);
  }

  async connect(user: string): Promise<RawClient> {
    const client = await connectFlight({ port: this.server.port, user });
    closing.push(client);
    return client;
  }

  async numbers(): Promise<(name: string) => number> {
    const scrape = parseMetrics(await (await fetch(`http://127.0.0.1:${this.server.server.httpPort}/metrics`)).text());
    return (name) => scrape.value(`sluice_${name}`) ?? Number.NaN;
  }

  async uses(): Promise<{ readonly hits: number; readonly misses: number }> {
    const value = await this.numbers();
    return { hits: value('result_cache_hits_total'), misses: value('result_cache_misses_total') };
  }

  /** What is held while nothing runs. */
  async idle(): Promise<void> {
    await vi.waitFor(async () => {
      const value = await this.numbers();
      const held = [
        'queries_running',
        'streams_open',
        'engine_connections',
        'engine_slots_in_use',
        'engine_bytes_in_use',
        'stream_memory_bytes',
      ];
      expect(Object.fromEntries(held.map((name) => [name, value(name)]))).toEqual(Object.fromEntries(held.map((name) => [name, 0])));
    }, PATIENCE);
  }
}

async function ticketOf(client: RawClient, query: string): Promise<Uint8Array> {
  const { endpoint } = await client.info('CommandStatementQuery', { query });
  expect(endpoint).toHaveLength(1);
  return endpoint[0]?.ticket.ticket ?? new Uint8Array();
}

/** Every message of the result as it came. */
async function bytesOf(client: RawClient, query: string): Promise<Buffer> {
  return Buffer.concat(await client.collect('DoGet', encode('Ticket', { ticket: await ticketOf(client, query) })));
}

describe('finished results', () => {
  const world = new World('results');
  let before = { hits: 0, misses: 0 };
  beforeAll(() => world.start({ SLUICE_HOT_TABLES: '0' }));

  async function since(): Promise<{ readonly hits: number; readonly misses: number }> {
    const now = await world.uses();
    const change = { hits: now.hits - before.hits, misses: now.misses - before.misses };
    before = now;
    return change;
  }

  test('a repeated query gives the same bytes, and the same audit', async () => {
    const ann = await world.connect('ann');
    await since();
    const cold = await bytesOf(ann, ITEMS);
    expect(await since()).toEqual({ hits: 0, misses: 1 });
    const hot = await bytesOf(ann, ITEMS);
    expect(await since()).toEqual({ hits: 1, misses: 0 });
    expect(hot.equals(cold)).toBe(true);
    expect(cold.length).toBeGreaterThan(2_000_000);
    const reads = (await world.server.audit()).filter(({ method, statement }) => method === 'DoGet' && statement === ITEMS);
    expect(reads).toHaveLength(2);
    const facts = reads.map(({ rows, bytes, principal, outcome }) => ({ rows, bytes, principal, outcome }));
    expect(facts[1]).toEqual(facts[0]);
    expect(facts[0]).toMatchObject({ rows: 60_000, principal: 'ann', outcome: 'ok' });
  });

  test('one ticket read twice, prepared statements and views repeat as well', async () => {
    const ann = await world.connect('ann');
    const query = 'SELECT label, count(*) AS n, max(secret) AS s FROM d.joined GROUP BY label ORDER BY label';
    await since();
    const ticket = await ticketOf(ann, query);
    const [once, twice] = [await ann.get(ticket), await ann.get(ticket)];
    expect(once.toArray().map(String)).toEqual(twice.toArray().map(String));
    expect(await ann.rowsPrepared(query)).toHaveLength(2);
    expect(await since()).toEqual({ hits: 2, misses: 1 });
  });

  test('principals share what their decisions share, and nothing else', async () => {
    const query = 'SELECT region, count(*) AS n, min(secret) AS s FROM d.items GROUP BY region ORDER BY region';
    const read = async (user: string): Promise<unknown> => (await world.connect(user)).rows(query);
    const both = [
      { region: 'EU', n: 20_000, s: `${SECRET} 0` },
      { region: 'US', n: 40_000, s: `${SECRET} 1` },
    ];
    await since();
    expect(await read('ann')).toEqual(both);
    expect(await since()).toEqual({ hits: 0, misses: 1 });
    // The same role, and another role that decides the same.
    for (const user of ['bob', 'dan']) {
      expect(await read(user)).toEqual(both);
      expect(await since()).toEqual({ hits: 1, misses: 0 });
    }
    // The same role with other attributes, and another decision about one column.
    expect(await read('eu')).toEqual([both[0]]);
    expect(await since()).toEqual({ hits: 0, misses: 1 });
    expect(await read('us')).toEqual([both[1]]);
    expect(await since()).toEqual({ hits: 0, misses: 1 });
    expect(await read('eu2')).toEqual([both[0]]);
    expect(await since()).toEqual({ hits: 1, misses: 0 });
    expect(JSON.stringify(await read('mia'))).not.toContain(SECRET);
    expect(await since()).toEqual({ hits: 0, misses: 1 });
  });

  test.each([
    ['a clock', 'SELECT id, now() AS t FROM d.items WHERE id < 3', 'ann'],
    ['chance', 'SELECT id, random() AS r FROM d.items WHERE id < 3', 'ann'],
    ['a sample', 'SELECT id FROM d.items USING SAMPLE 10 ROWS', 'ann'],
    ['who asks', 'SELECT id, current_user AS u FROM d.items WHERE id < 3', 'ann'],
    ['the day, in a row filter', 'SELECT id FROM d.items WHERE id < 3', 'today'],
    ['the catalog', 'SELECT table_name FROM information_schema.tables', 'ann'],
    ['no dataset', 'SELECT 1 AS one', 'ann'],
  ])('what depends on %s is not kept', async (_name, query, user) => {
    const client = await world.connect(user);
    await since();
    for (let i = 0; i < 2; i++) await client.rows(query).catch(() => []);
    expect(await since()).toEqual({ hits: 0, misses: 0 });
  });

  test('32 readers who come together compute it once', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, (_, i) => world.connect(i % 2 === 0 ? 'ann' : 'bob')));
    const query = 'SELECT id, secret FROM d.items WHERE id % 2 = 0';
    const tickets = await Promise.all(Array.from({ length: 32 }, (_, i) => ticketOf(clients[i % 8] as RawClient, query)));
    await since();
    const results = await Promise.all(tickets.map((ticket, i) => clients[i % 8]?.collect('DoGet', encode('Ticket', { ticket }))));
    const [first] = results.map((messages) => Buffer.concat(messages ?? []));
    expect(first?.length).toBeGreaterThan(500_000);
    for (const messages of results) expect(Buffer.concat(messages ?? []).equals(first ?? Buffer.alloc(0))).toBe(true);
    expect(await since()).toEqual({ hits: 31, misses: 1 });
    await world.idle();
  });

  test('a reader who stops reading keeps nobody waiting', async () => {
    const [slow, quick] = [await world.connect('ann'), await world.connect('bob')];
    const query = 'SELECT id, secret, secret AS again FROM d.items';
    const stream = slow.openStream(await ticketOf(slow, query));
    stream.on('error', () => {});
    await new Promise((resolve) => stream.once('data', resolve));
    stream.pause();
    await since();
    expect((await quick.table(query)).numRows).toBe(60_000);
    expect(await since()).toEqual({ hits: 1, misses: 0 });
    stream.cancel();
    await world.idle();
  });

  test('abandoned and cancelled readings keep nothing', async () => {
    const ann = await world.connect('ann');
    const bytes = async (): Promise<number> => (await world.numbers())('result_cache_bytes');
    await world.idle();
    const kept = await bytes();
    for (let i = 0; i < 8; i++) {
      const stream = ann.openStream(await ticketOf(ann, `SELECT id, secret, ${i} AS n FROM d.items, range(5)`));
      stream.on('error', () => {});
      if (i % 2 === 0) await new Promise((resolve) => stream.once('data', resolve));
      stream.cancel();
    }
    await world.idle();
    await vi.waitFor(async () => expect(await bytes()).toBe(kept), PATIENCE);
  });

  test('a file that was written since is read anew, and a ticket planned before says so', async () => {
    const ann = await world.connect('ann');
    const query = 'SELECT count(*) AS n, max(secret) AS s FROM d.items';
    const ticket = await ticketOf(ann, query);
    await ann.get(ticket);
    await since();
    await world.writeItems(60_001, 'new word');
    expect(await failureOf(ann.get(ticket))).toMatchObject({ status: 'UNAVAILABLE' });
    expect(await ann.rows(query)).toEqual([{ n: 60_001, s: expect.stringMatching(/^new word/) }]);
    expect((await since()).hits).toBe(0);
  });

  test('a policy that changed in between is in force at once', async () => {
    const ann = await world.connect('ann');
    const query = "SELECT max(secret) AS s FROM d.items WHERE region = 'EU'";
    const ticket = await ticketOf(ann, query);
    for (let i = 0; i < 2; i++) await ann.get(ticket);
    await since();
    world.writeRules([{ id: 'masked', columns: ['secret'], mask: 'redact' }]);
    await vi.waitFor(async () => expect(await failureOf(ann.get(ticket))).toMatchObject({ status: 'ABORTED' }), PATIENCE);
    expect(JSON.stringify(await ann.rows(query))).not.toContain('word');
    const { hits } = await since();
    world.writeRules([MASKED]);
    // Readings before the change was noticed were hits; the one under the new policy was not.
    await vi.waitFor(async () => expect(JSON.stringify(await ann.rows(query))).toContain('word'), PATIENCE);
    expect(hits).toBeGreaterThanOrEqual(0);
    await world.idle();
  });
});

describe('bounds', () => {
  const world = new World('bounds');
  beforeAll(() => world.start({ SLUICE_RESULT_CACHE: '2MB', SLUICE_RESULT_CACHE_DISK: '1MB', SLUICE_HOT_TABLES: '0' }));
  const state = (): string => join(world.directory, 'state', 'cache');

  test('memory and disk stay within theirs, and what leaves memory comes back from disk as it was', async () => {
    const ann = await world.connect('ann');
    const query = (i: number): string => `SELECT id, secret FROM d.items WHERE id % 60 = ${i}`;
    const seen = new Map<number, Buffer>();
    for (let i = 0; i < 60; i++) {
      seen.set(i, await bytesOf(ann, query(i)));
      if (i % 4 === 0) await bytesOf(ann, query(i));
      const value = await world.numbers();
      expect(value('result_cache_bytes')).toBeLessThanOrEqual(2 * 1024 ** 2);
      expect(value('result_cache_disk_bytes')).toBeLessThanOrEqual(1024 ** 2);
    }
    const value = await world.numbers();
    expect(value('result_cache_evictions_total')).toBeGreaterThan(0);
    expect(value('result_cache_disk_bytes')).toBeGreaterThan(0);
    for (const [i, bytes] of seen) expect((await bytesOf(ann, query(i))).equals(bytes)).toBe(true);
  });

  test('one result has a share of it only', async () => {
    const ann = await world.connect('ann');
    const entries = async (): Promise<number> => (await world.numbers())('result_cache_entries');
    const kept = await entries();
    for (let i = 0; i < 2; i++) expect((await ann.table(ITEMS)).numRows).toBe(60_000);
    expect(await entries()).toBeLessThanOrEqual(kept);
    await world.idle();
  });

  test('files are their owner’s alone and tell nothing; the directory goes with the server', async () => {
    const [own] = readdirSync(state());
    const directory = join(state(), own ?? '');
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    const files = readdirSync(directory).map((name) => join(directory, name));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(readFileSync(file).includes('secret of')).toBe(false);
    }
    await world.server[Symbol.asyncDispose]();
    closing.splice(closing.indexOf(world.server), 1);
    expect(existsSync(directory)).toBe(false);
  });
});

describe('datasets in memory', () => {
  const world = new World('hot');
  beforeAll(() => world.start({ SLUICE_RESULT_CACHE: '0' }));

  async function loads(count: number): Promise<void> {
    await vi.waitFor(async () => expect((await world.numbers())('hot_tables')).toBe(count), PATIENCE);
  }
  const hits = async (): Promise<number> => (await world.numbers())('hot_table_hits_total');
  const read = async (user: string): Promise<unknown> =>
    (await world.connect(user)).rows('SELECT region, count(*) AS n, min(secret) AS s FROM d.items GROUP BY region ORDER BY region');

  test('what is read often is taken into memory, below the policies', async () => {
    const cold = [await read('ann'), await read('eu'), await read('mia')];
    await loads(1);
    const used = await hits();
    expect([await read('ann'), await read('eu'), await read('mia')]).toEqual(cold);
    expect(await hits()).toBe(used + 3);
    expect(cold[1]).toHaveLength(1);
    expect(JSON.stringify(cold[2])).not.toContain(SECRET);
  });

  test('rows come in the order of the files', async () => {
    const ann = await world.connect('ann');
    const used = await hits();
    expect((await ann.rows(ITEMS)).map(({ id }) => id)).toEqual(Array.from({ length: 60_000 }, (_, i) => i));
    expect(await hits()).toBe(used + 1);
  });

  test('a new version is read at once and taken in later', async () => {
    await world.writeItems(30, 'newer');
    const used = await hits();
    expect(JSON.stringify(await read('ann'))).toContain('newer');
    expect(await hits()).toBe(used);
    for (let i = 0; i < 2; i++) await read('ann');
    await vi.waitFor(async () => {
      await read('ann');
      expect(await hits()).toBeGreaterThan(used);
    }, PATIENCE);
    await loads(1);
    expect(JSON.stringify(await read('ann'))).toContain('newer');
  });

  test('a steward pins a dataset: its next reading takes it in; SHOW CACHE tells', async () => {
    const [steward, ann] = [await world.connect('steward'), await world.connect('ann')];
    await steward.rows('PIN DATASET d.lookup');
    await ann.rows('SELECT * FROM d.lookup');
    await loads(2);
    const used = await hits();
    expect(await ann.rows('SELECT label FROM d.lookup ORDER BY label')).toEqual([{ label: 'America' }, { label: 'Europe' }]);
    expect(await hits()).toBe(used + 1);
    const rows = await steward.rows('SHOW CACHE');
    expect(rows.filter(({ kind }) => kind === 'table')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ object: 'd.lookup', rows: 2, hits: 1, pinned: true }),
        expect.objectContaining({ object: 'd.items', rows: 30, pinned: false }),
      ]),
    );
    expect(rows.map(({ kind, object }) => `${kind} ${object}`)).toEqual(
      expect.arrayContaining(['result memory', 'result disk', 'metadata byte ranges of files', 'metadata Parquet footers']),
    );
    await steward.rows('UNPIN DATASET d.lookup');
    expect((await steward.rows('SHOW CACHE')).filter(({ pinned }) => pinned === true)).toEqual([]);
  });

  test.each([
    ['steward', 'PIN DATASET d.nowhere', 'NOT_FOUND'],
    ['steward', 'PIN DATASET d.joined', 'UNIMPLEMENTED'],
    ['steward', 'PIN DATASET d.broken', 'FAILED_PRECONDITION'],
    ['ann', 'PIN DATASET d.lookup', 'PERMISSION_DENIED'],
    ['ann', 'UNPIN DATASET d.lookup', 'PERMISSION_DENIED'],
    ['ann', 'SHOW CACHE', 'PERMISSION_DENIED'],
  ])('%s: %s is an error', async (user, statement, status) => {
    expect(await failureOf((await world.connect(user)).rows(statement))).toMatchObject({ status });
  });

  test('nothing is held in the end', () => world.idle());
});

describe('results and datasets in memory together', () => {
  const world = new World('both');
  beforeAll(() => world.start());

  test('everybody gets the same as the first time, and nobody what another may see', async () => {
    await (await world.connect('steward')).rows('PIN DATASET d.items');
    const users = ['ann', 'bob', 'eu', 'us', 'mia', 'today'];
    const clients = await Promise.all(users.map((user) => world.connect(user)));
    const queries = [
      'SELECT region, count(*) AS n, min(secret) AS s FROM d.items GROUP BY region ORDER BY region',
      'SELECT label, count(*) AS n, max(secret) AS s FROM d.joined GROUP BY label ORDER BY label',
      'SELECT DISTINCT current_user AS a, user AS b, session_user AS c FROM d.items',
      'SELECT count(*) AS n FROM d.items i JOIN d.joined j ON i.id = j.id',
    ];
    const read = (): Promise<readonly string[]> =>
      Promise.all(clients.flatMap((client) => queries.map(async (query) => JSON.stringify(await client.rows(query)))));
    const first = await read();
    for (let i = 0; i < 2; i++) expect(await read()).toEqual(first);
    const of = (user: string): string =>
      first
        .slice(users.indexOf(user) * queries.length)
        .slice(0, queries.length)
        .join();
    for (const user of users) expect(of(user)).toContain(`{"a":"${user}","b":"${user}","c":"${user}"}`);
    expect(of('eu')).not.toMatch(/US|America/);
    expect(of('us')).not.toMatch(/EU|Europe/);
    expect(of('mia')).not.toContain(SECRET);
    const value = await world.numbers();
    expect(value('result_cache_hits_total')).toBeGreaterThan(0);
    await world.idle();
  });
});
