import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createPostgresFleet, createSingleNode, type Fleet, type WorkerNode, type WorkerState } from '#src/catalog/fleet.js';
import { PostgresSession } from '#src/catalog/postgres-session.js';
import { type Postgres, startPostgres } from '../../support/postgres.ts';

let postgres: Postgres;
const open: AsyncDisposable[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
});
afterEach(async () => {
  for (const part of open.splice(0).reverse()) await part[Symbol.asyncDispose]();
  // Of workers that a test cut off.
  await using session = await PostgresSession.open({ url: postgres.url, onProblems: () => {} });
  await session.query('DELETE FROM sluice.worker');
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

async function member(cluster = 'west', pollMs = 200): Promise<{ fleet: Fleet; session: PostgresSession }> {
  const session = await PostgresSession.open({ url: postgres.url, pollMs, onProblems: () => {} });
  const fleet = await createPostgresFleet(session, { cluster, heartbeatMs: pollMs, aliveMs: 10_000 });
  open.push(session, fleet);
  return { fleet, session };
}

function node(id: string, cluster = 'west'): WorkerNode {
  return { id, cluster, location: `grpc://${id}.example:8815`, zone: 'a', capacity: 4, version: '1', ticketVersion: 2, keyCheck: 'k' };
}

const idle = (): WorkerState => ({ running: 0, serving: true });

const ids = (fleet: Fleet): readonly string[] => fleet.workers().map(({ id }) => id);

test('a worker is seen by the others of its cluster, and gone when it leaves', async () => {
  const [planner, first, second, elsewhere] = [await member(), await member(), await member(), await member('east')];
  await second.fleet.join(node('w2'), idle);
  await first.fleet.join(node('w1'), () => ({ running: 3, serving: true }));
  await elsewhere.fleet.join(node('e1', 'east'), idle);
  await expect.poll(() => ids(planner.fleet)).toEqual(['w1', 'w2']);
  expect(planner.fleet.workers()[0]).toMatchObject({ ...node('w1'), running: 3, alive: true });
  await first.fleet.leave();
  await expect.poll(() => ids(planner.fleet)).toEqual(['w2']);
});

test('a worker that stops without leaving is gone when its heartbeat is old, by the clock of the database', async () => {
  const [planner, worker] = [await member(), await member()];
  await worker.fleet.join(node('w9'), idle);
  await planner.fleet.join(node('w0'), idle);
  await expect.poll(() => ids(planner.fleet)).toContain('w9');
  await worker.session[Symbol.asyncDispose]();
  await planner.session.query("UPDATE sluice.worker SET heartbeat_at = now() - interval '11 seconds' WHERE id = 'w9'");
  await expect.poll(() => ids(planner.fleet)).not.toContain('w9');
});

test('a worker that does not serve is passed over, and is back when it does; alone it is better than nobody', async () => {
  const [planner, sick, well] = [await member(), await member(), await member()];
  let serving = true;
  await sick.fleet.join(node('w1'), () => ({ running: 0, serving }));
  await well.fleet.join(node('w2'), idle);
  await expect.poll(() => ids(planner.fleet)).toEqual(['w1', 'w2']);
  serving = false;
  await sick.fleet.announce();
  await expect.poll(() => ids(planner.fleet)).toEqual(['w2']);
  expect((await planner.fleet.members()).filter(({ alive }) => !alive).map(({ id }) => id)).toContain('w1');
  await well.fleet.leave();
  await expect.poll(() => ids(planner.fleet)).toEqual(['w1']);
  serving = true;
  await sick.fleet.announce();
  await expect.poll(() => planner.fleet.workers()).toMatchObject([{ id: 'w1', alive: true }]);
  // A cancel still reaches who left.
  expect([...planner.fleet.everywhere()].sort()).toContain(node('w2').location);
});

test('a worker that starts again at its place takes the place of its old row', async () => {
  const [planner, old, again] = [await member(), await member(), await member()];
  await old.fleet.join({ ...node('w1'), location: 'grpc://same.example:1' }, idle);
  await old.session[Symbol.asyncDispose]();
  await again.fleet.join({ ...node('w2'), location: 'grpc://same.example:1' }, idle);
  await expect.poll(() => ids(planner.fleet)).toEqual(['w2']);
  expect((await planner.fleet.members()).map(({ id }) => id)).not.toContain('w1');
});

test('two that say they are at one place count once', async () => {
  const [planner, first, second] = [await member(), await member(), await member()];
  await first.fleet.join({ ...node('w1'), location: 'grpc://same.example:1' }, idle);
  await second.fleet.join({ ...node('w2'), location: 'grpc://same.example:1' }, idle);
  await first.fleet.announce();
  await expect.poll(async () => (await planner.fleet.members()).length).toBe(2);
  await expect.poll(() => ids(planner.fleet)).toHaveLength(1);
});

test('news of others cost a worker no heartbeat of its own', async () => {
  const [worker, other] = [await member('west', 60_000), await member('east', 60_000)];
  await worker.fleet.join(node('w1'), idle);
  const beat = async (): Promise<number | undefined> => (await other.fleet.members()).find(({ id }) => id === 'w1')?.heartbeatAtMs;
  const before = await beat();
  await other.fleet.join(node('e1', 'east'), idle);
  for (let i = 0; i < 3; i++) await worker.session.refresh();
  expect(await beat()).toBe(before);
  expect(worker.fleet.heartbeatAgeMs()).toBeGreaterThanOrEqual(0);
  expect(other.fleet.heartbeatAgeMs()).toBeGreaterThanOrEqual(0);
  await worker.fleet.leave();
  expect(worker.fleet.heartbeatAgeMs()).toBeNull();
});

test('a worker of release 0.1.0 is seen, with the tickets it understands', async () => {
  const planner = await member();
  await planner.session.query(
    'INSERT INTO sluice.worker (id, cluster, location, zone, capacity, version, running) VALUES ($1, $2, $3, $4, $5, $6, $7)',
    ['old', 'west', 'grpc://old.example:1', 'a', 4, '0.1.0', 0],
  );
  try {
    await planner.session.refresh();
    expect(planner.fleet.workers()).toMatchObject([{ id: 'old', ticketVersion: 1, alive: true }]);
  } finally {
    await planner.session.query("DELETE FROM sluice.worker WHERE id = 'old'");
  }
});

test('during an outage the last known fleet stays, and comes up to date afterwards', async () => {
  const [planner, worker] = [await member(), await member()];
  await worker.fleet.join(node('w5'), idle);
  await expect.poll(() => ids(planner.fleet)).toContain('w5');
  await postgres.stop();
  try {
    await expect.poll(() => planner.session.outageMs()).toBeGreaterThan(0);
    expect(ids(planner.fleet)).toContain('w5');
  } finally {
    await postgres.start();
  }
  await expect.poll(() => planner.session.outageMs() + worker.session.outageMs()).toBe(0);
  await expect.poll(() => ids(planner.fleet)).toContain('w5');
});

test('one process alone has no fleet', async () => {
  await using single = createSingleNode();
  await single.join(node('w1'), idle);
  await single.leave();
  await single.announce();
  expect([single.workers(), single.everywhere(), await single.members(), single.heartbeatAgeMs()]).toEqual([[], [], [], null]);
});
