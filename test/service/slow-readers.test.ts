/** 64 clients that open a large result and do not read it: bounded memory, no CPU, nobody else waits, no row is lost (invariants I7, I8). */

import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientReadableStream } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectFlight, type RawClient } from '../support/flight-client.ts';
import { decode, type FlightData } from '../support/flight-messages.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';

const READERS = 64;
const PEAK_MB = 1600;

let sluice: ServerProcess;
const clients: RawClient[] = [];
const streams: ClientReadableStream<Buffer>[] = [];

beforeAll(async () => {
  sluice = await startServerProcess();
});

afterAll(async () => {
  for (const stream of streams) stream.cancel();
  for (const client of clients) client.close();
  await sluice?.[Symbol.asyncDispose]();
});

test('64 readers that stand still', async () => {
  for (let i = 0; i < READERS; i++) {
    const client = await connectFlight({ port: sluice.port, user: 'steward' });
    clients.push(client);
    const info = await client.info('CommandStatementQuery', { query: 'SELECT * FROM demo.orders' });
    const stream = client.openStream(info.endpoint[0]?.ticket.ticket ?? new Uint8Array());
    stream.on('error', () => {});
    streams.push(stream);
  }
  // The first message of each stream: the schema, sent once its query runs.
  await Promise.all(streams.map((stream) => new Promise<void>((resolve) => stream.once('readable', () => resolve()))));
  await sleep(2000);
  const before = sluice.cpuSeconds();
  await sleep(2000);
  expect(sluice.cpuSeconds() - before, 'CPU s in two seconds of standing still').toBeLessThan(0.5);
  expect(sluice.memory().peakMb, 'peak resident memory, MB').toBeLessThan(PEAK_MB);
});

test('somebody else is served meanwhile', async () => {
  await using client = await connectFlight({ port: sluice.port, user: 'analyst_eu' });
  const started = performance.now();
  expect((await client.rows('SELECT count(*) AS n FROM demo.customers'))[0]?.['n']).toBeGreaterThan(30_000);
  expect(performance.now() - started).toBeLessThan(3000);
});

test('a reader that goes on gets every row', async () => {
  const stream = streams[0];
  let bytes = 0;
  for await (const message of stream ?? []) bytes += decode<FlightData>('FlightData', message as Buffer).data_body.length;
  expect(bytes).toBeGreaterThan(50e6);
});

test('cancelled streams give their memory back', async () => {
  for (const stream of streams.splice(0)) stream.cancel();
  await sleep(1000);
  await using client = await connectFlight({ port: sluice.port, user: 'steward' });
  expect(await client.rows('SELECT count(*) AS n FROM demo.orders')).toEqual([{ n: 1_000_000 }]);
  expect(sluice.memory().peakMb, 'peak resident memory, MB').toBeLessThan(PEAK_MB);
});
