/** Tickets and handles: bound to their principal and to the policy in force. */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { QUICKSTART_DIRECTORY } from '#src/config.js';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { PATIENCE } from '../support/patience.ts';
import { replaceFile } from '../support/replace-file.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

let policies: string;
let sluice: TestServer;
let eu: RawClient;
let us: RawClient;

beforeAll(async () => {
  // Makes the shared demo data once, then serves a copy of the directory that this test may edit.
  await (await startTestServer())[Symbol.asyncDispose]();
  policies = await mkdtemp(join(tmpdir(), 'sluice-policies-'));
  await cp(QUICKSTART_DIRECTORY, policies, { recursive: true });
  sluice = await startTestServer({ SLUICE_POLICIES: policies });
  eu = await connectFlight({ port: sluice.port, user: 'analyst_eu' });
  us = await connectFlight({ port: sluice.port, user: 'analyst_us' });
});

afterAll(async () => {
  eu.close();
  us.close();
  await sluice[Symbol.asyncDispose]();
  await rm(policies, { recursive: true });
});

const ticketOf = async (client: RawClient, query: string): Promise<Uint8Array> => {
  const info = await client.info('CommandStatementQuery', { query });
  const ticket = info.endpoint[0]?.ticket.ticket;
  if (ticket === undefined) throw new Error('no endpoint');
  return ticket;
};

const edit = async (file: string, change: (text: string) => string): Promise<void> => {
  const path = join(policies, file);
  await replaceFile(path, change(await readFile(path, 'utf8')));
};

describe('a ticket', () => {
  test('is redeemable again, by its principal only', async () => {
    const ticket = await ticketOf(eu, 'SELECT count(*) AS n FROM demo.customers');
    const first = (await eu.get(ticket)).toArray();
    expect((await eu.get(ticket)).toArray()).toEqual(first);
    expect((await failureOf(us.get(ticket))).status).toBe('PERMISSION_DENIED');
  });

  test('is worth nothing when it has expired', async () => {
    await using hasty = await startTestServer({ SLUICE_POLICIES: policies, SLUICE_TICKET_TTL: '1s' });
    await using client = await connectFlight({ port: hasty.port, user: 'analyst_eu' });
    const ticket = await ticketOf(client, 'SELECT count(*) AS n FROM demo.customers');
    await vi.waitFor(async () => expect((await failureOf(client.get(ticket))).message).toContain('expired'), PATIENCE);
  });

  test('altered anywhere is refused', async () => {
    const ticket = await ticketOf(eu, 'SELECT 1 AS x');
    for (let at = 0; at < ticket.length; at += Math.ceil(ticket.length / 64)) {
      const altered = Uint8Array.from(ticket);
      altered[at] = (altered[at] ?? 0) ^ 1;
      expect(await failureOf(eu.get(altered)), `byte ${at}`).toMatchObject({ status: 'INVALID_ARGUMENT' });
    }
  });

  test('does not show the policy, the path or the statement', async () => {
    const text = Buffer.from(await ticketOf(eu, "SELECT 'needle' AS x FROM demo.customers LIMIT 1")).toString('latin1');
    for (const word of ['needle', 'customers', 'region', 'parquet', 'SELECT']) expect(text).not.toContain(word);
  });
});

describe('a policy edit', () => {
  test('is in force without a restart, for new plans, handles and unredeemed tickets', async () => {
    const query = 'SELECT DISTINCT region AS r FROM demo.customers';
    expect(await eu.rows(query)).toEqual([{ r: 'EU' }]);
    const { prepared_statement_handle } = await eu.prepare(query);
    const ticket = await ticketOf(eu, query);
    await edit('users.yaml', (text) =>
      text.replace(/(name: analyst_eu[\s\S]*?region: )\[?EU\]?/, '$1APAC').replace(/(analyst_eu:[\s\S]*?region: )\[?EU\]?/, '$1APAC'),
    );
    await vi.waitFor(async () => expect(await eu.rows(query)).toEqual([{ r: 'APAC' }]), PATIENCE);
    expect(await failureOf(eu.get(ticket))).toMatchObject({ status: 'ABORTED', message: expect.stringContaining('policy changed') });
    expect((await eu.run('CommandPreparedStatementQuery', { prepared_statement_handle })).toArray().map(String)).toEqual(['{"r": "APAC"}']);
  });

  test('that is broken is reported and the last good set stays in force', async () => {
    const good = await readFile(join(policies, 'rules.yaml'), 'utf8');
    const before = sluice.server.snapshot().epoch;
    await replaceFile(join(policies, 'rules.yaml'), `${good}\nnonsense: [`);
    await vi.waitFor(() => expect(sluice.problems.join()).toContain('rules.yaml'), PATIENCE);
    expect(sluice.server.snapshot().epoch).toBe(before);
    expect(await us.rows('SELECT DISTINCT region AS r FROM demo.customers')).toEqual([{ r: 'US' }]);
    await replaceFile(join(policies, 'rules.yaml'), good);
  });

  test('that removes a user ends the session', async () => {
    await edit('users.yaml', (text) => text.replace(/analyst_us/g, 'analyst_gone'));
    await vi.waitFor(async () => expect((await failureOf(us.rows('SELECT 1 AS x'))).status).toBe('UNAUTHENTICATED'), PATIENCE);
  });
});
