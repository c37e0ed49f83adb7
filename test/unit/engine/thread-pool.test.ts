import { afterEach, expect, it } from 'vitest';
import { connect } from '#src/engine/database.js';
import { api, destroy } from '#src/engine/duckdb-c.js';
import { createThreadPool, type ThreadPool } from '#src/engine/thread-pool.js';

let pool: ThreadPool;

afterEach(async () => {
  await pool[Symbol.asyncDispose]();
});

it('runs jobs first in, first out, on at most so many threads', async () => {
  pool = createThreadPool(2);
  const database = await pool.run(() => ({ kind: 'openDatabase', setup: [] }));
  const connection = connect(database);
  const started: number[] = [];
  const jobs = Array.from({ length: 20 }, (_, index) =>
    pool.run<'query'>(() => {
      started.push(index);
      return { kind: 'query', connection, setup: [], sql: `SELECT ${index}`, parameters: [] };
    }),
  );
  expect(pool.stats()).toEqual({ threads: 2, queued: 18, running: 2 });
  expect(await Promise.all(jobs)).toEqual(Array.from({ length: 20 }, (_, index) => [[`${index}`]]));
  expect(started).toEqual(Array.from({ length: 20 }, (_, index) => index));
  destroy(api.disconnect, connection);
  await pool.run(() => ({ kind: 'closeDatabase', database }));
});

it('a job that fails, or that can not be made, fails alone', async () => {
  pool = createThreadPool(1);
  const failing = pool.run(() => ({ kind: 'openDatabase', setup: ['SELECT nope'] }));
  const unmade = pool.run(() => {
    throw new Error('not now');
  });
  await expect(failing).rejects.toMatchObject({ failure: { kind: 'duckdb', text: expect.stringContaining('Binder Error') } });
  await expect(unmade).rejects.toThrow('not now');
  const database = await pool.run(() => ({ kind: 'openDatabase', setup: [] }));
  await pool.run(() => ({ kind: 'closeDatabase', database }));
  expect(pool.stats()).toEqual({ threads: 1, queued: 0, running: 0 });
});

it('an overdue job keeps its thread until it ends, and another thread does its work meanwhile', async () => {
  pool = createThreadPool(1);
  const database = await pool.run(() => ({ kind: 'openDatabase', setup: [] }));
  const endless = connect(database);
  const other = connect(database);
  let notify: () => void = () => {};
  const overdue = new Promise<void>((resolve) => {
    notify = resolve;
  });
  const running = pool.run<'query'>(
    () => ({
      kind: 'query',
      connection: endless,
      setup: [],
      sql: 'SELECT count(*) FROM range(1000000000000) a(i) WHERE i % 3 = 1',
      parameters: [],
    }),
    { overdue: { ms: 20, notify } },
  );
  const query = (): Promise<unknown> =>
    pool.run<'query'>(() => ({ kind: 'query', connection: other, setup: [], sql: 'SELECT 7', parameters: [] }));
  await overdue;
  expect(await query()).toEqual([['7']]);
  expect(pool.stats()).toEqual({ threads: 2, queued: 0, running: 1 });
  const interrupting = setInterval(() => api.interrupt(endless), 5);
  await expect(running).rejects.toMatchObject({ failure: { kind: 'duckdb', text: expect.stringContaining('INTERRUPT') } });
  clearInterval(interrupting);
  expect(pool.stats()).toEqual({ threads: 1, queued: 0, running: 0 });
  expect(await query()).toEqual([['7']]);
  for (const connection of [endless, other]) destroy(api.disconnect, connection);
  await pool.run(() => ({ kind: 'closeDatabase', database }));
});
