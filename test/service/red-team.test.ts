/** Statements that a red team tried on the quickstart policies: each is refused or governed, and none says what its user may not know. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { CLUSTER_KEY } from '../support/quickstart.ts';
import { STATE_DIRECTORY, startTestServer, type TestServer } from '../support/server.ts';
import { leaksIn } from '../unit/sql/leak-oracle.ts';

interface Case {
  readonly id: string;
  readonly user: string;
  readonly sql: string;
  readonly expect: 'refused' | 'governed';
  readonly why: string;
}

/** `${data}` is where the demo's files really are. */
const TEXT = readFileSync(new URL('../cases/red-team.json', import.meta.url), 'utf8').replaceAll(
  /\$\{data\}/g,
  join(STATE_DIRECTORY, 'demo'),
);
const CASES: readonly Case[] = JSON.parse(TEXT);
const REFUSALS = ['INVALID_ARGUMENT', 'NOT_FOUND', 'PERMISSION_DENIED', 'UNIMPLEMENTED', 'RESOURCE_EXHAUSTED'];

let sluice: TestServer;
const clients = new Map<string, RawClient>();

beforeAll(async () => {
  sluice = await startTestServer({ SLUICE_CLUSTER_KEY: CLUSTER_KEY });
  for (const user of new Set(CASES.map((attack) => attack.user))) clients.set(user, await connectFlight({ port: sluice.port, user }));
});
afterAll(async () => {
  for (const client of clients.values()) client.close();
  await sluice[Symbol.asyncDispose]();
});

test.each(CASES)('$id $user: $sql', async ({ user, sql, expect: expected, why }) => {
  const client = clients.get(user);
  let answer = '';
  const { status, message } = await failureOf(
    (async () => {
      const table = await client?.table(sql);
      answer = JSON.stringify(table?.toArray() ?? [], (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    })(),
  );
  expect(expected === 'refused' ? REFUSALS : ['OK'], `${status} ${message} (${why})`).toContain(status);
  if (user === 'auditor') return;
  // A token's hex digits can look like a card number; quantiles of masked years fall between two of them.
  const leaks = leaksIn(`${answer.replaceAll(/tok_[0-9a-f]+/g, 'token')} ${message}`, sql);
  expect(leaks.filter((leak) => !(sql.startsWith('SUMMARIZE') && leak.startsWith('date of birth')))).toEqual([]);
});
