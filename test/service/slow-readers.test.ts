/** 64 clients that open a large result and do not read it: bounded memory, no CPU, nobody else waits, no row is lost (invariants I7, I8). */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectFlight, type RawClient } from '../support/flight-client.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { openStalledReader, type StalledReader } from '../support/stalled-reader.ts';

const READERS = 64;
/** The engine's limit, a window of batches per reader, and the process itself. */
const PEAK_MB = 2000;

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

test('64 readers that stand still cost memory within bounds and no CPU', async () => {
  for (let i = 0; i < READERS; i++) {
    const info = await client.info('CommandStatementQuery', { query: 'SELECT * FROM demo.orders' });
    readers.push(openStalledReader(sluice.port, client.authorization ?? '', info.endpoint[0]?.ticket.ticket ?? new Uint8Array()));
  }
  await Promise.all(readers.map(({ started }) => started));
  await sleep(2000);
  const before = sluice.cpuSeconds();
  await sleep(2000);
  expect(sluice.cpuSeconds() - before, 'CPU s in two seconds of standing still').toBeLessThan(0.3);
  expect(sluice.memory().peakMb, 'peak resident memory, MB').toBeLessThan(PEAK_MB);
});

test('somebody else is served meanwhile', async () => {
  await using analyst = await connectFlight({ port: sluice.port, user: 'analyst_eu' });
  const started = performance.now();
  expect((await analyst.rows('SELECT count(*) AS n FROM demo.customers'))[0]?.['n']).toBeGreaterThan(30_000);
  expect((await client.table('SELECT * FROM demo.orders')).numRows).toBe(1_000_000);
  expect(performance.now() - started).toBeLessThan(6000);
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
