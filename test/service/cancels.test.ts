/** A thousand clients that leave in the middle, each in its own way: no place, slot, thread, cursor or socket stays behind (invariants I7, I8). */
import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { encode } from '../support/flight-messages.ts';
import { expectAllPlacesFree, expectNothingLeft, startWatchedServer, type WatchedServer } from '../support/hostile/watched-server.ts';
import { PATIENCE } from '../support/patience.ts';
import { openStalledReader } from '../support/stalled-reader.ts';

const CANCELS = 1000;
const AT_ONCE = 20;
const PLACES = 24;
/** The engine's limit, a window of batches per stream, and the process itself, MB: about 1,700, and more where threads wait for a busy machine. */
const PEAK_MB = 2500;
const SETTINGS = {
  SLUICE_MEMORY_LIMIT: '1GB',
  SLUICE_MAX_STREAMS: String(PLACES),
  SLUICE_STREAMS_PER_PRINCIPAL: String(PLACES),
  SLUICE_ENGINE_THREADS: '4',
};
const LARGE = 'SELECT * FROM demo.orders';
/** Compares every order with every order: hours of work, and no row before its end. */
const ENDLESS = 'SELECT count(*) FROM demo.orders a, demo.orders b WHERE a.amount < b.amount AND a.order_id % 7 <> b.order_id % 11';

let sluice: WatchedServer;
let client: RawClient;
let holdsBefore: ReturnType<WatchedServer['holds']>;

beforeAll(async () => {
  sluice = await startWatchedServer(SETTINGS);
  client = await connectFlight({ port: sluice.port, user: 'steward' });
  await expectAllPlacesFree(client, await tickets(PLACES));
  holdsBefore = sluice.holds();
});

afterAll(async () => {
  client?.close();
  await sluice?.[Symbol.asyncDispose]();
});

const tickets = (count: number): Promise<Uint8Array[]> => Promise.all(Array.from({ length: count }, () => plan(LARGE)));

async function plan(query: string): Promise<Uint8Array> {
  return (await client.info('CommandStatementQuery', { query })).endpoint[0]?.ticket.ticket ?? new Uint8Array();
}

/** Reads `messages` of a result, then resets the stream. */
async function resetAfter(messages: number): Promise<void> {
  const stream = client.openStream(await plan(LARGE));
  const ended = new Promise<void>((resolve) => stream.on('error', () => resolve()).on('end', () => resolve()));
  let seen = 0;
  stream.on('data', () => {
    seen++;
    if (seen >= messages) stream.cancel();
  });
  await ended;
  expect(seen, 'messages before the reset').toBeGreaterThanOrEqual(messages);
}

/** Leaves before there is an answer. */
async function resetAtOnce(): Promise<void> {
  const stream = client.openStream(await plan(ENDLESS));
  const ended = new Promise<void>((resolve) => stream.on('error', () => resolve()).on('end', () => resolve()));
  stream.resume();
  setImmediate(() => stream.cancel());
  await ended;
}

async function passDeadline(): Promise<void> {
  const ticket = encode('Ticket', { ticket: await plan(ENDLESS) });
  const same = (bytes: Buffer): Buffer => bytes;
  const call = client.grpc.makeServerStreamRequest(
    '/arrow.flight.protocol.FlightService/DoGet',
    same,
    same,
    Buffer.from(ticket),
    client.metadata(),
    {
      deadline: Date.now() + 100,
    },
  );
  const { status } = await failureOf(
    (async () => {
      for await (const _ of call) expect.fail('an endless query has no rows');
    })(),
  );
  expect(status).toBe('DEADLINE_EXCEEDED');
}

/** The connection goes without a word, while a result waits in its window. */
async function tearConnection(): Promise<void> {
  const session = connectHttp2(`http://127.0.0.1:${sluice.port}`);
  session.on('error', () => {});
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: '/arrow.flight.protocol.FlightService/DoGet',
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: client.authorization ?? '',
  });
  stream.on('error', () => {});
  const body = encode('Ticket', { ticket: await plan(LARGE) });
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  stream.end(Buffer.concat([prefix, body]));
  await once(stream, 'response');
  session.socket.resetAndDestroy();
  await once(session, 'close');
}

/** Reads nothing, then resets: what the server has ready must go. */
async function stallAndReset(): Promise<void> {
  const reader = openStalledReader(sluice.port, client.authorization ?? '', await plan(LARGE));
  await reader.started;
  reader.reset();
}

const WAYS: readonly (() => Promise<void>)[] = [
  () => resetAfter(1),
  () => resetAfter(4),
  resetAtOnce,
  () => resetAfter(2),
  stallAndReset,
  () => resetAfter(1),
  tearConnection,
  () => resetAfter(8),
  resetAtOnce,
  passDeadline,
];

test('a thousand leave', { timeout: 1_200_000 }, async () => {
  let next = 0;
  const leave = async (): Promise<void> => {
    while (next < CANCELS) await WAYS[next++ % WAYS.length]?.();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, leave));
  expect(next).toBe(CANCELS);
});

test('every place is free again, and rows come out of it', async () => {
  await expectAllPlacesFree(client, await tickets(PLACES));
  await sluice.expectWell();
});

test('no thread, file or socket stays, and memory is bounded', async () => {
  await expectNothingLeft(sluice, holdsBefore, 8);
  expect(sluice.memory().peakMb, 'peak resident memory, MB').toBeLessThan(PEAK_MB);
});

test('each has one audit record', async () => {
  // The others wait for an answer; these may be gone before the server has heard of them.
  const heard = WAYS.filter((way) => way !== resetAtOnce && way !== passDeadline).length;
  await vi.waitFor(async () => {
    const records = (await sluice.audit()).filter(({ method }) => method === 'DoGet');
    expect(new Set(records.map(({ requestId }) => requestId)).size).toBe(records.length);
    const left = records.filter(({ outcome, code }) => outcome === 'cancelled' || code === 'request.deadline');
    expect(left.length).toBeGreaterThanOrEqual((CANCELS * heard) / WAYS.length);
    expect(left.length).toBeLessThanOrEqual(CANCELS + 2 * PLACES);
  }, PATIENCE);
});
