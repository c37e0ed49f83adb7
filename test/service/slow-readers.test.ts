/**
 * 64 clients that read a large result at 1 KB a second, for a minute: memory stays flat, nobody else waits for them, no row is lost
 * (invariants I7, I8).
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectFlight, type RawClient } from '../support/flight-client.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { openStalledReader, type StalledReader } from '../support/stalled-reader.ts';

const READERS = 64;
const BYTES_PER_SECOND = 1024;
const SECONDS = 60;
/** The engine's limit, a window of batches per reader, what the others read, and the process itself, MB. */
const PEAK_MB = 2500;
/** What garbage collection and the other queries may add after the first third of the minute, MB: the results are 4 GB. */
const GROWTH_MB = 500;
const LARGE = 'SELECT * FROM demo.orders';

let sluice: ServerProcess;
let client: RawClient;
const readers: StalledReader[] = [];

beforeAll(async () => {
  sluice = await startServerProcess({ SLUICE_MEMORY_LIMIT: '1GB' });
  client = await connectFlight({ port: sluice.port, user: 'steward' });
});

afterAll(async () => {
  for (const reader of readers) reader.reset();
  client?.close();
  await sluice?.[Symbol.asyncDispose]();
});

/** All readers watch one signal. */
function after(ms: number): AbortSignal {
  const signal = AbortSignal.timeout(ms);
  setMaxListeners(0, signal);
  return signal;
}

/** Somebody else's work, again and again: each answer is checked. */
async function workOn(user: string, signal: AbortSignal): Promise<number> {
  await using other = await connectFlight({ port: sluice.port, user });
  let answers = 0;
  while (!signal.aborted) {
    expect((await other.rows('SELECT count(*) AS n FROM demo.customers'))[0]?.['n']).toBeGreaterThan(30_000);
    expect((await other.rows('SELECT region, sum(amount) AS s FROM demo.orders GROUP BY region ORDER BY region')).length).toBeGreaterThan(
      0,
    );
    expect((await other.table('SELECT * FROM demo.orders LIMIT 200000')).numRows).toBe(200_000);
    answers += 3;
  }
  return answers;
}

async function residentEachSecond(signal: AbortSignal): Promise<readonly number[]> {
  const samples: number[] = [];
  for (; !signal.aborted; await sleep(1000, undefined, { signal }).catch(() => {})) samples.push(sluice.memory().residentMb);
  return samples;
}

/** CPU seconds of the server during `work`, which is done again while they are too many: windows fill and garbage is collected some time. */
async function leastCpu(enough: number, work: () => Promise<void>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 15 && least >= enough; round++) {
    const before = sluice.cpuSeconds();
    await work();
    least = Math.min(least, sluice.cpuSeconds() - before);
  }
  return least;
}

test('64 results open and stand still', async () => {
  for (let i = 0; i < READERS; i++) {
    const info = await client.info('CommandStatementQuery', { query: LARGE });
    readers.push(openStalledReader(sluice.port, client.authorization ?? '', info.endpoint[0]?.ticket.ticket ?? new Uint8Array()));
  }
  await Promise.all(readers.map(({ started }) => started));
  expect(await leastCpu(0.5, () => sleep(2000)), 'CPU s in two seconds of standing still').toBeLessThan(0.5);
  expect(sluice.memory().peakMb, 'peak resident memory, MB').toBeLessThan(PEAK_MB);
});

test('a minute at 1 KB a second: memory is flat and somebody else is served', async () => {
  const minute = after(SECONDS * 1000);
  const [read, samples, ...answers] = await Promise.all([
    Promise.all(readers.map((reader) => reader.trickle(BYTES_PER_SECOND, minute))),
    residentEachSecond(minute),
    workOn('steward', minute),
    workOn('analyst_eu', minute),
  ]);
  for (const bytes of read) {
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual((SECONDS + 1) * BYTES_PER_SECOND);
  }
  for (const count of answers) expect(count, 'answers to somebody else in a minute').toBeGreaterThan(0);
  const third = Math.floor(samples.length / 3);
  const growth = Math.max(...samples.slice(third)) - Math.max(...samples.slice(0, third));
  expect(growth, `growth of resident memory, MB: ${samples.map(Math.round).join(' ')}`).toBeLessThan(GROWTH_MB);
  expect(sluice.memory().peakMb, 'peak resident memory, MB').toBeLessThan(PEAK_MB);
});

test('reading so slowly costs no CPU worth the name', async () => {
  const read = async (): Promise<void> => {
    const seconds = after(5000);
    await Promise.all(readers.map((reader) => reader.trickle(BYTES_PER_SECOND, seconds)));
  };
  expect(await leastCpu(1.5, read), 'CPU s in five seconds').toBeLessThan(1.5);
});

test('a reader that goes on gets every row', async () => {
  const [a, b] = await Promise.all(readers.splice(0, 2).map((reader) => reader.readAll()));
  expect(a).toBeGreaterThan(50e6);
  expect(Math.abs((a ?? 0) - (b ?? 0)) / (a ?? 1)).toBeLessThan(0.01);
});

test('reset streams give back what they held', async () => {
  for (const reader of readers.splice(0)) reader.reset();
  for (let round = 0; round < 20; round++) expect(await client.rows('SELECT count(*) AS n FROM demo.orders')).toEqual([{ n: 1_000_000 }]);
  expect(sluice.memory().peakMb, 'peak resident memory, MB').toBeLessThan(PEAK_MB);
});
