import { expect, test } from 'vitest';
import type { Engine, EngineStats } from '#src/engine/index.js';
import type { Connection } from '#src/files.js';
import { createEnginePool } from '#src/worker/index.js';

const lake: readonly Connection[] = [{ kind: 'local', name: 'lake', directory: '/lake' }];
const pond: readonly Connection[] = [{ kind: 'local', name: 'pond', directory: '/pond' }];

function countingPool(fails: () => boolean = () => false) {
  const log: string[] = [];
  const pool = createEnginePool(async (connections) => {
    const name = connections[0]?.name ?? '';
    if (fails()) throw new Error('no engine');
    log.push(`start ${name}`);
    return { [Symbol.asyncDispose]: async () => void log.push(`stop ${name}`) } as Partial<Engine> as Engine;
  });
  return { pool, log };
}

test('one engine serves all leases of the same connections', async () => {
  const { pool, log } = countingPool();
  const [a, b] = await Promise.all([pool.lease(lake), pool.lease(lake)]);
  expect(a.engine).toBe(b.engine);
  expect(log).toEqual(['start lake']);
});

test('the engine of replaced connections ends when its last stream does', async () => {
  const { pool, log } = countingPool();
  pool.retain(lake);
  const old = await pool.lease(lake);
  pool.retain(pond);
  (await pool.lease(pond)).release();
  expect(log).toEqual(['start lake', 'start pond']);
  old.release();
  old.release();
  await new Promise(setImmediate);
  expect(log).toEqual(['start lake', 'start pond', 'stop lake']);
});

test('the numbers of the engines that have started', async () => {
  const stats = { threads: 3 } as Partial<EngineStats> as EngineStats;
  let start = (): void => {};
  const started = new Promise<void>((resolve) => {
    start = resolve;
  });
  const pool = createEnginePool(async () => {
    await started;
    return { stats: () => stats, [Symbol.asyncDispose]: async () => {} } as Partial<Engine> as Engine;
  });
  const lease = pool.lease(lake);
  expect(pool.stats()).toEqual([]);
  start();
  await lease;
  expect(pool.stats()).toEqual([stats]);
});

test('an engine that does not start is tried again', async () => {
  let broken = true;
  const { pool } = countingPool(() => broken);
  await expect(pool.lease(lake)).rejects.toThrow('no engine');
  broken = false;
  await expect(pool.lease(lake)).resolves.toBeDefined();
});

test('disposal ends every engine', async () => {
  const { pool, log } = countingPool();
  await pool.lease(lake);
  await pool.lease(pond);
  await pool[Symbol.asyncDispose]();
  expect(log.slice(2).sort()).toEqual(['stop lake', 'stop pond']);
});

test('what goes with an engine is there before its first use and ends before it', async () => {
  const log: string[] = [];
  const engine = { [Symbol.asyncDispose]: async () => void log.push('engine ends') } as Partial<Engine> as Engine;
  const accompany = async (): Promise<AsyncDisposable> => {
    log.push('companion');
    return { [Symbol.asyncDispose]: async () => void log.push('companion ends') };
  };
  const pool = createEnginePool(async () => engine, accompany);
  await Promise.all([pool.lease(lake), pool.lease(lake)]);
  log.push('used');
  await pool[Symbol.asyncDispose]();
  expect(log).toEqual(['companion', 'used', 'companion ends', 'engine ends']);
});
