/** What operators see and do: metrics, health, reflection, request ids, and an orderly end. */
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { encode } from '../support/flight-messages.ts';
import { parseMetrics, type Scrape } from '../support/metrics.ts';
import { PATIENCE } from '../support/patience.ts';
import { STATE_DIRECTORY, startTestServer, type TestServer } from '../support/server.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { ServiceClient } from '../support/service-client.ts';

let sluice: TestServer;
let state: string;
beforeAll(async () => {
  // An audit log of its own, so that every record is this server's.
  state = await mkdtemp(join(tmpdir(), 'sluice-operations-'));
  await mkdir(join(STATE_DIRECTORY, 'demo'), { recursive: true });
  await symlink(join(STATE_DIRECTORY, 'demo'), join(state, 'demo'));
  sluice = await startTestServer({ SLUICE_HTTP_LISTEN: '127.0.0.1:0', SLUICE_STATE_DIR: state });
});
afterAll(async () => {
  await sluice?.[Symbol.asyncDispose]();
  await rm(state, { recursive: true });
});

const http = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${sluice.server.httpPort}${path}`);
const scrape = async (): Promise<Scrape> => parseMetrics(await (await http('/metrics')).text());

test('the metrics agree with the audit log, and carry nothing of anybody', async () => {
  await using analyst = await connectFlight({ port: sluice.port, user: 'analyst_eu' });
  expect(await analyst.rows('SELECT name FROM demo.customers LIMIT 7')).toHaveLength(7);
  expect((await failureOf(analyst.rows('SELECT secret_column FROM demo.customers'))).status).toBe('INVALID_ARGUMENT');
  expect((await failureOf(connectFlight({ port: sluice.port, user: 'nobody' }))).status).toBe('UNAUTHENTICATED');
  using stranger = new ServiceClient(sluice.port);
  expect((await failureOf(stranger.raw('/secret.Service/Method', new Uint8Array()))).status).toBe('UNIMPLEMENTED');
  const { records, found } = await vi.waitFor(async () => {
    const recorded = await sluice.audit();
    expect(recorded.map(({ method }) => method)).toEqual(expect.arrayContaining(['DoGet', 'unknown']));
    const scraped = await scrape();
    expect(scraped.sum('sluice_request_seconds_count')).toBe(recorded.length);
    return { records: recorded, found: scraped };
  }, PATIENCE);
  expect(found.value('sluice_request_seconds_count', { method: 'DoGet', code: 'OK' })).toBe(1);
  expect(found.value('sluice_errors_total', { error: 'auth.invalid' })).toBe(1);
  expect(found.value('sluice_errors_total', { error: 'sql.binding' })).toBe(1);
  expect(found.value('sluice_rows_sent_total')).toBe(7);
  expect(found.value('sluice_bytes_sent_total')).toBe(records.reduce((sum, { bytes }) => sum + Number(bytes ?? 0), 0));
  expect(found.value('sluice_policy_decisions_total', { effect: 'conditional' })).toBeGreaterThan(0);
  expect(found.value('sluice_first_batch_seconds_count')).toBe(1);
  expect(found.value('sluice_plan_seconds_count')).toBe(1);
  expect(found.value('sluice_policy_epoch')).toBe(sluice.server.snapshot().epoch);
  expect(found.value('sluice_policy_misses_total')).toBeGreaterThan(0);
  expect(found.value('sluice_catalog_misses_total')).toBe(1);
  const text = await (await http('/metrics')).text();
  for (const word of ['analyst_eu', 'nobody', 'customers', 'secret', '127.0.0.1']) expect(text).not.toContain(word);
  for (const [label, values] of found.labels) if (label !== 'le') expect(values.size, label).toBeLessThan(20);
});

test('alive and ready', async () => {
  expect(await (await http('/healthz')).text()).toBe('ok\n');
  expect(await (await http('/readyz')).text()).toBe('ok\n');
  expect((await http('/metrics')).headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  expect((await http('/audit')).status).toBe(404);
});

test('health and reflection answer strangers; they are counted and not recorded', async () => {
  using client = new ServiceClient(sluice.port);
  const before = (await sluice.audit()).length;
  expect(await client.check('arrow.flight.protocol.FlightService')).toBe('SERVING');
  const [list] = await client.reflect('v1', [{ listServices: '*' }]);
  expect(JSON.stringify(list)).toContain('arrow.flight.protocol.FlightService');
  await vi.waitFor(async () => {
    const found = await scrape();
    expect(found.value('sluice_request_seconds_count', { method: 'Check', code: 'OK' })).toBe(1);
    expect(found.value('sluice_request_seconds_count', { method: 'ServerReflectionInfo', code: 'OK' })).toBe(1);
  }, PATIENCE);
  expect(await sluice.audit()).toHaveLength(before);
});

describe('request ids', () => {
  async function idsOf(client: RawClient, method: string, request: Uint8Array) {
    const stream = client.stream(method, request);
    const seen: Metadata[] = [];
    stream.on('metadata', (headers: Metadata) => seen.push(headers));
    stream.on('status', ({ metadata }: { metadata: Metadata }) => seen.push(metadata));
    stream.on('error', () => {});
    stream.resume();
    await once(stream, 'close').catch(() => {});
    return seen.flatMap((metadata) => metadata.get('x-request-id').map(String));
  }

  test('come with headers and trailers of an answer, and with a failure; the audit log has them', async () => {
    await using client = await connectFlight({ port: sluice.port, user: 'steward' });
    const [header, trailer, ...more] = await idsOf(client, 'ListActions', new Uint8Array());
    expect(header).toMatch(/^[0-9a-f-]{36}$/);
    expect([trailer, more]).toEqual([header, []]);
    const failed = new Set(await idsOf(client, 'DoGet', encode('Ticket', { ticket: Buffer.from('x') })));
    expect(failed.size).toBe(1);
    await vi.waitFor(async () => {
      const recorded = new Set((await sluice.audit()).map(({ requestId }) => requestId));
      for (const id of [header, ...failed]) expect(recorded).toContain(id);
    }, PATIENCE);
  });
});

describe('SIGTERM', () => {
  async function ticketOf(client: RawClient): Promise<Uint8Array> {
    const info = await client.info('CommandStatementQuery', { query: 'SELECT * FROM demo.orders' });
    return info.endpoint[0]?.ticket.ticket ?? new Uint8Array();
  }

  /** Signals the process; gives its exit code once it has ended. */
  function signal(sluiceProcess: ServerProcess): Promise<readonly unknown[]> {
    const exited = once(sluiceProcess.child, 'exit');
    sluiceProcess.child.kill('SIGTERM');
    return exited;
  }

  test('running streams finish, new calls go elsewhere, new connections find nobody, the exit is clean', async () => {
    await using server = await startServerProcess({ SLUICE_DRAIN: '10m' });
    await using client = await connectFlight({ port: server.port, user: 'steward' });
    await using other = await connectFlight({ port: server.port, user: 'steward' });
    using watcher = new ServiceClient(server.port);
    const seen: string[] = [];
    watcher
      .watch()
      .on('data', (status: string) => seen.push(status))
      .on('error', () => {});
    await vi.waitFor(() => expect(seen).toEqual(['SERVING']), PATIENCE);
    const stream = client.openStream(await ticketOf(client));
    await once(stream, 'readable');
    const exited = signal(server);
    await vi.waitFor(() => expect(seen).toEqual(['SERVING', 'NOT_SERVING']), PATIENCE);
    expect(await failureOf(other.rows('SELECT 1 AS one'))).toMatchObject({ status: 'UNAVAILABLE' });
    await vi.waitFor(
      async () => expect((await failureOf(connectFlight({ port: server.port, user: 'steward' }))).status).toBe('UNAVAILABLE'),
      PATIENCE,
    );
    let bytes = 0;
    for await (const message of stream) bytes += (message as Buffer).length;
    expect(bytes).toBeGreaterThan(40e6);
    expect(await exited).toEqual([0, null]);
  });

  test('whoever does not finish in time is cut off', async () => {
    await using server = await startServerProcess({ SLUICE_DRAIN: '500ms' });
    await using client = await connectFlight({ port: server.port, user: 'steward' });
    const endless = client.rows(
      'SELECT count(*) AS n FROM demo.orders a, demo.orders b WHERE a.amount < b.amount AND a.order_id % 7 <> b.order_id % 11',
    );
    const failure = failureOf(endless);
    await sleep(1000);
    expect(await signal(server)).toEqual([0, null]);
    expect((await failure).status).toMatch(/UNAVAILABLE|CANCELLED/);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('a second signal, %s, ends the process at once', async (second) => {
    await using server = await startServerProcess({ SLUICE_DRAIN: '10m' });
    await using client = await connectFlight({ port: server.port, user: 'steward' });
    using watcher = new ServiceClient(server.port);
    const watch = watcher.watch().on('error', () => {});
    const seen: string[] = [];
    watch.on('data', (status: string) => seen.push(status));
    await vi.waitFor(() => expect(seen).toEqual(['SERVING']), PATIENCE);
    const unread = client.openStream(await ticketOf(client)).on('error', () => {});
    await once(unread, 'readable');
    const exited = signal(server);
    await vi.waitFor(() => expect(seen).toEqual(['SERVING', 'NOT_SERVING']), PATIENCE);
    server.child.kill(second);
    expect(await exited).toEqual([null, second]);
    unread.cancel();
  });
});
