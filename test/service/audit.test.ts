/** One audit record per request, on every way out (invariant I6). */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { connectFlight, failureOf } from '../support/flight-client.ts';
import { PATIENCE } from '../support/patience.ts';
import { type AuditRecord, startTestServer, type TestServer } from '../support/server.ts';

let sluice: TestServer;
beforeAll(async () => {
  sluice = await startTestServer();
});
afterAll(() => sluice[Symbol.asyncDispose]());

/** The records that `work` caused, once there are `count`. */
async function recordsOf(work: () => Promise<unknown>, count: number): Promise<readonly AuditRecord[]> {
  // The record of a login before the work may reach the file while it goes on.
  const recorded = async (): Promise<readonly AuditRecord[]> =>
    (await sluice.audit().catch(() => [])).filter(({ method, outcome }) => method !== 'Handshake' || outcome !== 'ok');
  const before = (await recorded()).length;
  await work();
  await vi.waitFor(async () => expect((await recorded()).length - before).toBeGreaterThanOrEqual(count), PATIENCE);
  return (await recorded()).slice(before);
}

test('a query leaves its statement, decision, rows, bytes and epoch', async () => {
  await using client = await connectFlight({ port: sluice.port, user: 'analyst_eu' });
  const records = await recordsOf(() => client.rows('SELECT name FROM demo.customers LIMIT 7'), 2);
  expect(records.map(({ method, outcome }) => [method, outcome])).toEqual([
    ['GetFlightInfo', 'ok'],
    ['DoGet', 'ok'],
  ]);
  const [planned, read] = records;
  expect(planned).toMatchObject({
    principal: 'analyst_eu',
    statement: 'SELECT name FROM demo.customers LIMIT 7',
    epoch: sluice.server.snapshot().epoch,
    decisions: [{ dataset: 'demo.customers', effect: 'conditional', path: 'plain' }],
  });
  expect(read).toMatchObject({ rows: 7, queryId: planned?.['queryId'], principal: 'analyst_eu' });
  expect(read?.['bytes']).toBeGreaterThan(0);
  expect(String(read?.['peer'])).toContain('127.0.0.1');
});

test('a refused statement, a wrong password and a garbage ticket leave one record each', async () => {
  await using client = await connectFlight({ port: sluice.port, user: 'guest' });
  const refused = await recordsOf(() => failureOf(client.rows('SELECT * FROM demo.customers')), 1);
  expect(refused).toMatchObject([{ outcome: 'refused', code: 'dataset.unknown', principal: 'guest' }]);
  const ticket = await recordsOf(() => failureOf(client.get(new Uint8Array(64))), 1);
  expect(ticket).toMatchObject([{ method: 'DoGet', outcome: 'refused', code: 'ticket.invalid' }]);
  const login = await recordsOf(() => failureOf(connectFlight({ port: sluice.port, user: 'guest', password: 'wrong' })), 1);
  expect(login).toMatchObject([{ method: 'Handshake', outcome: 'refused', code: 'auth.invalid' }]);
});

test('a stream that the client breaks is recorded as cancelled, with what was sent', async () => {
  await using client = await connectFlight({ port: sluice.port, user: 'steward' });
  const info = await client.info('CommandStatementQuery', { query: 'SELECT * FROM demo.orders' });
  const records = await recordsOf(async () => {
    const stream = client.openStream(info.endpoint[0]?.ticket.ticket ?? new Uint8Array());
    stream.on('error', () => {});
    await new Promise((resolve) => stream.once('data', resolve));
    stream.cancel();
  }, 1);
  expect(records).toMatchObject([{ method: 'DoGet', outcome: 'cancelled' }]);
});

test('a run-time error keeps its full text for the auditor and not for the client', async () => {
  await using client = await connectFlight({ port: sluice.port, user: 'analyst_eu' });
  let message = '';
  const records = await recordsOf(async () => {
    message = (await failureOf(client.rows('SELECT name::INTEGER AS x FROM demo.customers'))).message;
  }, 2);
  expect(records[1]).toMatchObject({ code: 'sql.runtime', outcome: 'error' });
  expect(String(records[1]?.['cause'])).toMatch(/Could not convert string/);
  expect(message).not.toMatch(/'/);
});
