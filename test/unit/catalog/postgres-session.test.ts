import { afterAll, beforeAll, expect, test } from 'vitest';
import { PostgresSession } from '#src/catalog/postgres-session.js';
import { type Postgres, startPostgres } from '../../support/postgres.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

async function open(pollMs: number): Promise<PostgresSession> {
  return PostgresSession.open({ url: postgres.url, pollMs, onProblems: () => {} });
}

test('a follower runs at once, when told, and when it is time', async () => {
  await using told = await open(60_000);
  await using timed = await open(100);
  const runs = { told: 0, timed: 0 };
  await told.follow(async () => void runs.told++);
  await timed.follow(async () => void runs.timed++);
  expect(runs.told).toBe(1);
  await timed.query("SELECT pg_notify('sluice_change', 'x')");
  await expect.poll(() => runs.told).toBe(2);
  await expect.poll(() => runs.timed).toBeGreaterThan(2);
});

test("the server's refusal of a statement is no outage", async () => {
  await using session = await open(60_000);
  await expect(session.query('SELECT nothing')).rejects.toMatchObject({ code: '42703' });
  expect(session.outageMs()).toBe(0);
  expect((await session.query<{ one: number }>('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});

test('a cut connection is made again, and followers look then', { timeout: 30_000 }, async () => {
  await using session = await open(100);
  await using other = await open(60_000);
  let runs = 0;
  await session.follow(async () => void runs++);
  await other.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()', [
    'sluice',
  ]);
  const before = runs;
  await expect.poll(() => runs, { timeout: 10_000 }).toBeGreaterThan(before + 1);
  await expect.poll(() => session.outageMs()).toBe(0);
});

test('an address that nobody listens at is metadata.unavailable', async () => {
  const lost = PostgresSession.open({ url: 'postgres://sluice@127.0.0.1:1/none', onProblems: () => {} });
  await expect(lost).rejects.toMatchObject({ code: 'metadata.unavailable' });
});
