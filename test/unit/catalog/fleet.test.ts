import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createPostgresFleet, createSingleNode, type Fleet, type WorkerNode } from '#src/catalog/fleet.js';
import { PostgresSession } from '#src/catalog/postgres-session.js';
import { type Postgres, startPostgres } from '../../support/postgres.ts';

let postgres: Postgres;
const open: AsyncDisposable[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterEach(async () => {
  for (const part of open.splice(0).reverse()) await part[Symbol.asyncDispose]();
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

async function member(cluster = 'west'): Promise<{ fleet: Fleet; session: PostgresSession }> {
  const session = await PostgresSession.open({ url: postgres.url, pollMs: 200, onProblems: () => {} });
  const fleet = await createPostgresFleet(session, cluster);
  open.push(session, fleet);
  return { fleet, session };
}

function node(id: string, cluster = 'west'): WorkerNode {
  return { id, cluster, location: `grpc://127.0.0.1:${id.length}`, zone: 'a', capacity: 4, version: '1' };
}

const ids = (fleet: Fleet): readonly string[] => fleet.workers().map(({ id }) => id);

test('a worker is seen by the others of its cluster, and gone when it leaves', async () => {
  const [planner, first, second, elsewhere] = [await member(), await member(), await member(), await member('east')];
  await second.fleet.join(node('w2'), () => 0);
  await first.fleet.join(node('w1'), () => 3);
  await elsewhere.fleet.join(node('e1', 'east'), () => 0);
  await expect.poll(() => ids(planner.fleet)).toEqual(['w1', 'w2']);
  expect(planner.fleet.workers()[0]).toEqual(node('w1'));
  await first.fleet.leave();
  await expect.poll(() => ids(planner.fleet)).toEqual(['w2']);
});

test('a worker that stops without leaving is gone when its heartbeat is old, by the clock of the database', async () => {
  const [planner, worker] = [await member(), await member()];
  await worker.fleet.join(node('w9'), () => 0);
  await planner.fleet.join(node('w0'), () => 0);
  await expect.poll(() => ids(planner.fleet)).toContain('w9');
  await worker.session[Symbol.asyncDispose]();
  await planner.session.query("UPDATE sluice.worker SET heartbeat_at = now() - interval '11 seconds' WHERE id = 'w9'");
  await expect.poll(() => ids(planner.fleet)).not.toContain('w9');
});

test('during an outage the last known fleet stays, and comes up to date afterwards', { timeout: 60_000 }, async () => {
  const [planner, worker] = [await member(), await member()];
  await worker.fleet.join(node('w5'), () => 0);
  await expect.poll(() => ids(planner.fleet)).toContain('w5');
  await postgres.stop();
  try {
    await expect.poll(() => planner.session.outageMs(), { timeout: 10_000 }).toBeGreaterThan(0);
    expect(ids(planner.fleet)).toContain('w5');
  } finally {
    await postgres.start();
  }
  await expect.poll(() => planner.session.outageMs() + worker.session.outageMs(), { timeout: 30_000 }).toBe(0);
  await expect.poll(() => ids(planner.fleet)).toContain('w5');
});

test('one process alone has no fleet', async () => {
  await using single = createSingleNode();
  await single.join(node('w1'), () => 0);
  await single.leave();
  expect(single.workers()).toEqual([]);
});
