import { afterAll, beforeAll, expect, test } from 'vitest';
import { PostgresSession } from '#src/catalog/postgres-session.js';
import { type Postgres, startPostgres } from '../../support/postgres.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
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

test('a cut connection is made again, and followers look then', async () => {
  await using session = await open(100);
  await using other = await open(60_000);
  let runs = 0;
  await session.follow(async () => void runs++);
  await other.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()', [
    'sluice',
  ]);
  const before = runs;
  await expect.poll(() => runs).toBeGreaterThan(before + 1);
  await expect.poll(() => session.outageMs()).toBe(0);
});

test('statements of many callers run one at a time, in order, and none is refused for another', async () => {
  await using session = await open(60_000);
  const warnings: string[] = [];
  const onWarning = ({ message }: Error): void => void warnings.push(message);
  process.on('warning', onWarning);
  await session.query('CREATE TEMP TABLE seen (n serial, i int)');
  const results = await Promise.allSettled(
    Array.from({ length: 50 }, (_, i) => session.query(i % 7 === 3 ? 'SELECT nothing' : `INSERT INTO seen (i) VALUES (${i})`)),
  );
  const { rows } = await session.query<{ i: number }>('SELECT i FROM seen ORDER BY n');
  process.off('warning', onWarning);
  const good = Array.from({ length: 50 }, (_, i) => i).filter((i) => i % 7 !== 3);
  expect(rows.map(({ i }) => i)).toEqual(good);
  expect(results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []))).toEqual(good);
  expect(warnings.filter((text) => /query\(\)/.test(text))).toEqual([]);
});

test('a restart of the server: what waits is refused as retryable, then all goes on, told of changes again', {
  timeout: 60_000,
}, async () => {
  await using session = await open(60_000);
  let runs = 0;
  await session.follow(async () => void runs++);
  const slow = session.query('SELECT pg_sleep(60)');
  const waiting = session.query('SELECT 1');
  const outcomes = Promise.allSettled([slow, waiting]);
  await postgres.stop();
  for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { code: 'metadata.unavailable' } });
  await expect(session.query('SELECT 1')).rejects.toMatchObject({ code: 'metadata.unavailable' });
  expect(session.outageMs()).toBeGreaterThan(0);
  const before = runs;
  await postgres.start();
  // Long before it would look by itself.
  await expect.poll(() => session.outageMs(), { timeout: 30_000 }).toBe(0);
  expect(runs).toBeGreaterThan(before);
  const after = runs;
  await using other = await open(60_000);
  await other.query("SELECT pg_notify('sluice_change', 'x')");
  await expect.poll(() => runs, { timeout: 30_000 }).toBeGreaterThan(after);
});

test('many notices while a look is under way are one more look', async () => {
  await using session = await open(60_000);
  let runs = 0;
  let release = (): void => {};
  await session.follow(async () => {
    runs++;
    if (runs === 2)
      await new Promise<void>((resolve) => {
        release = resolve;
      });
  });
  const first = session.refresh();
  await expect.poll(() => runs).toBe(2);
  const more = Array.from({ length: 100 }, () => session.refresh());
  release();
  await Promise.all([first, ...more]);
  expect(runs).toBe(3);
});

test('an address that nobody listens at is metadata.unavailable', async () => {
  const lost = PostgresSession.open({ url: 'postgres://sluice@127.0.0.1:1/none', onProblems: () => {} });
  await expect(lost).rejects.toMatchObject({ code: 'metadata.unavailable' });
});
