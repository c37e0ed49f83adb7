import { afterEach, expect, it } from 'vitest';
import { createThreadPool, type ThreadPool } from '#src/engine/thread-pool.js';

let pool: ThreadPool;

afterEach(async () => {
  await pool[Symbol.asyncDispose]();
});

it('runs jobs first in, first out, on at most so many threads', async () => {
  pool = createThreadPool(2);
  const database = await pool.run(() => ({ kind: 'openDatabase', setup: [] }));
  const started: number[] = [];
  const jobs = Array.from({ length: 20 }, (_, index) =>
    pool.run<'query'>(() => {
      started.push(index);
      return { kind: 'query', database, setup: [], sql: `SELECT ${index}`, parameters: [] };
    }),
  );
  expect(pool.stats()).toEqual({ threads: 2, queued: 18, running: 2 });
  expect(await Promise.all(jobs)).toEqual(Array.from({ length: 20 }, (_, index) => [[`${index}`]]));
  expect(started).toEqual(Array.from({ length: 20 }, (_, index) => index));
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
