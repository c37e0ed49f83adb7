/** Limits over real servers: places and queues, time, size, patience, memory; and that whatever ends gives everything back. */
import type { ClientReadableStream } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { scrape } from '../support/metrics.ts';
import { PATIENCE } from '../support/patience.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startServerProcess } from '../support/server-process.ts';
import { openStalledReader, type StalledReader } from '../support/stalled-reader.ts';

const BIG = 'SELECT * FROM demo.orders';
const SMALL = 'SELECT count(*) AS n FROM demo.customers';
const ENDLESS = 'SELECT count(*) FROM demo.orders a, demo.orders b WHERE a.amount < b.amount AND a.order_id % 7 <> b.order_id % 11';

const closing: AsyncDisposable[] = [];
const held: ClientReadableStream<Buffer>[] = [];
afterEach(() => {
  for (const stream of held.splice(0)) stream.cancel();
});
afterAll(async () => {
  for (const one of closing.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

function limited(settings: Readonly<Record<string, string>>): {
  readonly server: () => TestServer;
  connect(user: string): Promise<RawClient>;
} {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ SLUICE_HTTP_LISTEN: '127.0.0.1:0', ...settings });
    closing.push(server);
  });
  const connect = async (user: string): Promise<RawClient> => {
    const client = await connectFlight({ port: server.port, user });
    closing.push(client);
    return client;
  };
  return { server: () => server, connect };
}

async function ticketOf(client: RawClient, query: string): Promise<Uint8Array> {
  const info = await client.info('CommandStatementQuery', { query });
  return info.endpoint[0]?.ticket.ticket ?? new Uint8Array();
}

/** A stream that took its first message and reads no more. */
async function hold(client: RawClient, ticket: Uint8Array): Promise<ClientReadableStream<Buffer>> {
  const stream = client.openStream(ticket);
  stream.on('error', () => {});
  await new Promise((resolve, reject) => stream.once('data', resolve).once('error', reject));
  stream.pause();
  held.push(stream);
  return stream;
}

describe('places', () => {
  const { server, connect } = limited({
    SLUICE_MAX_STREAMS: '3',
    SLUICE_STREAMS_PER_PRINCIPAL: '2',
    SLUICE_QUEUE_MAX: '6',
    SLUICE_QUEUE_PER_PRINCIPAL: '4',
  });

  test('one principal’s many queries do not keep another waiting', async () => {
    const [greedy, modest] = [await connect('steward'), await connect('analyst_eu')];
    const open = [await hold(greedy, await ticketOf(greedy, BIG)), await hold(greedy, await ticketOf(greedy, BIG))];
    const waiting = Array.from({ length: 4 }, () => greedy.rows(SMALL));
    for (const one of waiting) one.catch(() => {});
    await vi.waitFor(async () => expect((await scrape(server())).value('sluice_queries_waiting')).toBe(4), PATIENCE);
    expect((await modest.rows(SMALL))[0]?.['n']).toBeGreaterThan(30_000);
    expect(await failureOf(greedy.rows(SMALL))).toMatchObject({
      status: 'RESOURCE_EXHAUSTED',
      message: expect.stringMatching(/2 may run and 4 may wait for one principal; close results/),
    });
    for (const stream of open) stream.cancel();
    for (const rows of await Promise.all(waiting)) expect(rows).toHaveLength(1);
  });

  test('the streams of one query share its place', async () => {
    const client = await connect('steward');
    const ticket = await ticketOf(client, BIG);
    const open = [await hold(client, ticket), await hold(client, ticket), await hold(client, ticket), await hold(client, ticket)];
    await vi.waitFor(async () => expect((await scrape(server())).value('sluice_queries_running')).toBe(1), PATIENCE);
    expect(await client.rows(SMALL)).toHaveLength(1);
    for (const stream of open) stream.cancel();
    await vi.waitFor(async () => expect((await scrape(server())).value('sluice_queries_running')).toBe(0), PATIENCE);
  });

  test('a client that leaves the queue takes nobody’s place', async () => {
    const client = await connect('steward');
    const open = [await hold(client, await ticketOf(client, BIG)), await hold(client, await ticketOf(client, BIG))];
    const tickets = [await ticketOf(client, SMALL), await ticketOf(client, SMALL)];
    const waiting = tickets.map((ticket) => client.openStream(ticket).on('error', () => {}));
    await vi.waitFor(async () => expect((await scrape(server())).value('sluice_queries_waiting')).toBe(2), PATIENCE);
    for (const stream of [...waiting, ...open]) stream.cancel();
    await vi.waitFor(async () => {
      const found = await scrape(server());
      expect([found.value('sluice_queries_waiting'), found.value('sluice_queries_running')]).toEqual([0, 0]);
    }, PATIENCE);
    expect(await client.rows(SMALL)).toHaveLength(1);
  });
});

describe('the queue', () => {
  const { server, connect } = limited({ SLUICE_MAX_STREAMS: '1', SLUICE_QUEUE_TIME: '1s' });

  test('who waits too long is told so, and leaves the queue', async () => {
    const client = await connect('steward');
    const open = await hold(client, await ticketOf(client, BIG));
    expect(await failureOf(client.rows(SMALL))).toMatchObject({
      status: 'RESOURCE_EXHAUSTED',
      message: expect.stringMatching(/within 1 s.*close results/),
    });
    await vi.waitFor(async () => expect((await scrape(server())).value('sluice_queries_waiting')).toBe(0), PATIENCE);
    open.cancel();
    await vi.waitFor(async () => expect(await client.rows(SMALL)).toHaveLength(1), PATIENCE);
  });
});

describe('time', () => {
  const { server, connect } = limited({ SLUICE_QUERY_TIME: '1500ms' });

  test('a query that computes for too long ends with a word, and stops computing', async () => {
    const client = await connect('steward');
    expect(await failureOf(client.rows(ENDLESS))).toMatchObject({
      status: 'DEADLINE_EXCEEDED',
      message: expect.stringMatching(/ran for 1.5 s, the longest it may; ask for less/),
    });
    await vi.waitFor(async () => expect((await scrape(server())).value('sluice_engine_jobs_running')).toBe(0), PATIENCE);
  });
});

describe('size', () => {
  const { connect } = limited({ SLUICE_RESULT_BYTES: '10MB' });

  test('a result that is too large ends after the rows that fitted', async () => {
    const client = await connect('steward');
    let bytes = 0;
    const stream = client.openStream(await ticketOf(client, BIG));
    stream.on('data', (message: Buffer) => {
      bytes += message.length;
    });
    const failure = await failureOf(new Promise((_, reject) => stream.on('error', reject)));
    expect(failure).toMatchObject({ status: 'RESOURCE_EXHAUSTED', message: expect.stringMatching(/larger than 10485760 bytes/) });
    expect(bytes).toBeGreaterThan(3 * 1024 ** 2);
    expect(bytes).toBeLessThan(11 * 1024 ** 2);
    expect((await client.rows('SELECT * FROM demo.orders LIMIT 10')).length).toBe(10);
  });
});

describe('patience', () => {
  const { server, connect } = limited({ SLUICE_MAX_STREAMS: '2', SLUICE_STREAM_IDLE: '1s' });

  test('results that nobody reads give their places back', async () => {
    const client = await connect('steward');
    const open = async (): Promise<StalledReader> =>
      openStalledReader(server().port, client.authorization ?? '', await ticketOf(client, BIG));
    const stalled = [await open(), await open()];
    await Promise.all(stalled.map(({ started }) => started));
    expect(await client.rows(SMALL)).toHaveLength(1);
    await vi.waitFor(async () => {
      const ended = (await server().audit()).filter(({ code }) => code === 'limit.idle');
      expect(ended).toHaveLength(2);
    }, PATIENCE);
    for (const reader of stalled) reader.reset();
  });
});

describe('cancels', () => {
  const { server, connect } = limited({ SLUICE_MAX_STREAMS: '16' });

  test('200 in the middle of a stream leave no place, slot, cursor or thread', async () => {
    const client = await connect('steward');
    const ticket = await ticketOf(client, 'SELECT * FROM demo.customers');
    for (let round = 0; round < 20; round++) {
      const streams = Array.from({ length: 10 }, () => client.openStream(ticket).on('error', () => {}));
      await Promise.all(streams.map((stream, i) => (i % 3 === 0 ? null : new Promise((resolve) => stream.once('data', resolve)))));
      for (const stream of streams) stream.cancel();
    }
    await vi.waitFor(async () => {
      const found = await scrape(server());
      const counted = [
        'queries_running',
        'queries_waiting',
        'streams_open',
        'engine_slots_in_use',
        'engine_jobs_running',
        'engine_connections',
      ];
      expect(Object.fromEntries(counted.map((name) => [name, found.value(`sluice_${name}`)]))).toEqual(
        Object.fromEntries(counted.map((name) => [name, 0])),
      );
    }, PATIENCE);
    expect((await client.table(BIG)).numRows).toBe(1_000_000);
  });
});

describe('memory', () => {
  /** Some GB of distinct pairs, which the engine would be allowed to hold. */
  const HUNGRY = 'SELECT count(*) AS n FROM (SELECT DISTINCT a.range, b.range FROM range(20000) a, range(4000) b)';

  test('a query that would use it up is ended, others go on and the process lives', async () => {
    await using sluice = await startServerProcess({
      SLUICE_MEMORY_LIMIT: '16GB',
      SLUICE_RSS_LIMIT: '700MB',
      SLUICE_HTTP_LISTEN: '127.0.0.1:0',
    });
    await using client = await connectFlight({ port: sluice.port, user: 'steward' });
    const failure = await failureOf(client.rows(HUNGRY));
    expect(failure, `peak ${sluice.memory().peakMb} MB`).toMatchObject({
      status: 'RESOURCE_EXHAUSTED',
      message: expect.stringMatching(/ended this query, the newest|memory/),
    });
    expect(sluice.memory().peakMb).toBeLessThan(2000);
    await vi.waitFor(async () => expect(await client.rows(SMALL)).toHaveLength(1), PATIENCE);
  });
});
