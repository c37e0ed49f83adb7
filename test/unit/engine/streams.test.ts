import { afterEach, describe, expect, it } from 'vitest';
import type { Engine } from '#src/engine/index.js';
import { type BatchSource, PLAIN_FORM } from '#src/model.js';
import { collect } from './arrow-values.ts';
import { EMPTY, never, startEngine, until } from './fixtures.ts';

/** Hours of work. */
const LONG = 'SELECT count(*) FROM range(3000000) a, range(3000000) b WHERE (a.range * b.range) % 7 = 3';
const WIDE = "SELECT i, i * 2 AS j, 'row number ' || i AS t FROM range(5000000) t(i)";

let engine: Engine;

afterEach(async () => {
  await engine[Symbol.asyncDispose]();
});

async function expectIdle(): Promise<void> {
  await expect
    .poll(() => engine.stats())
    .toMatchObject({ openStreams: 0, connections: 0, slotsInUse: 0, bytesInUse: 0, queuedJobs: 0, runningJobs: 0 });
}

describe('batches', () => {
  it('stay under the batch size and carry every row in order', async () => {
    engine = await startEngine({ batchBytes: 1024 * 1024 });
    const { rows, sizes } = await collect(await engine.run(EMPTY, WIDE.replace('5000000', '300000'), never()));
    expect(rows.length).toBe(300_000);
    expect(rows.every(([i, j, t], index) => i === BigInt(index) && j === BigInt(2 * index) && t === `row number ${index}`)).toBe(true);
    expect(Math.max(...sizes)).toBeLessThan(1024 * 1024);
    expect(sizes.length).toBeGreaterThan(10);
    expect(sizes.length).toBeLessThan(40);
    await expectIdle();
  });

  it('are as small as the client wishes, down to one row', async () => {
    engine = await startEngine();
    const small = { ...PLAIN_FORM, batchBytes: 64 * 1024 };
    const run = async (sql: string) => collect(await engine.run(EMPTY, sql, never(), small));
    const narrow = await run(WIDE.replace('5000000', '100000'));
    expect(narrow.rows.map(([i]) => i)).toEqual(Array.from({ length: 100_000 }, (_, i) => BigInt(i)));
    expect(Math.max(...narrow.sizes)).toBeLessThanOrEqual(64 * 1024);
    const wide = await run("SELECT i, repeat('x', 50000 + 50000 * (i % 2)::INTEGER) AS t FROM range(20) t(i)");
    expect(wide.rows.map(([i, t]) => [i, String(t).length])).toEqual(
      Array.from({ length: 20 }, (_, i) => [BigInt(i), i % 2 ? 100_000 : 50_000]),
    );
    expect(wide.sizes).toHaveLength(20);
    const huge = await run("SELECT repeat('x', 6000000) AS t");
    expect(huge.rows.map(([t]) => String(t).length)).toEqual([6_000_000]);
    await expectIdle();
  });

  it('are never above the size of the server', async () => {
    engine = await startEngine({ batchBytes: 1024 * 1024 });
    const form = { ...PLAIN_FORM, batchBytes: 8 * 1024 * 1024 };
    const { sizes } = await collect(await engine.run(EMPTY, WIDE.replace('5000000', '300000'), never(), form));
    expect(Math.max(...sizes)).toBeLessThan(1024 * 1024);
    await expectIdle();
  });

  it('a chunk of long rows is split by rows', async () => {
    engine = await startEngine();
    const { rows, sizes } = await collect(
      await engine.run(EMPTY, 'SELECT i, repeat(chr((65 + i % 26)::INTEGER), 100000) AS t FROM range(150) t(i)', never()),
    );
    expect(rows.map(([i, t]) => [i, String(t).length, String(t)[0]])).toEqual(
      Array.from({ length: 150 }, (_, i) => [BigInt(i), 100_000, String.fromCharCode(65 + (i % 26))]),
    );
    expect(Math.max(...sizes)).toBeLessThan(4 * 1024 * 1024);
    expect(sizes.length).toBeGreaterThan(3);
    await expectIdle();
  });

  it('a row above the batch size gets a message of its own, up to 16 MiB', async () => {
    engine = await startEngine();
    const sizes = [10, 6_000_000, 10, 12_000_000, 20];
    const list = `(VALUES ${sizes.map((size, index) => `(${index}, ${size})`).join(', ')}) v(i, n)`;
    const { rows } = await collect(await engine.run(EMPTY, `SELECT i, repeat('x', n) AS t FROM ${list} ORDER BY i`, never()));
    expect(rows.map(([, t]) => String(t).length)).toEqual(sizes);
    await expectIdle();
    await expect(engine.run(EMPTY, "SELECT repeat('x', 17000000) AS t", never()).then(collect)).rejects.toMatchObject({
      code: 'limit.row',
    });
    await expectIdle();
  });

  it('no rows and no columns to speak of', async () => {
    engine = await startEngine();
    const { rows, schema } = await collect(await engine.run(EMPTY, 'SELECT 1 AS a WHERE false', never()));
    expect(rows).toEqual([]);
    expect(schema.fields.map((field) => field.name)).toEqual(['a']);
    const source = await engine.run(EMPTY, 'SELECT 1 AS a', never());
    expect((await source.next())?.rows).toBe(1);
    expect(await source.next()).toBeNull();
    expect(await source.next()).toBeNull();
    await source[Symbol.asyncDispose]();
    await expectIdle();
  });
});

describe('cancellation', () => {
  it('stops a query that computes', async () => {
    engine = await startEngine();
    const abort = new AbortController();
    const outcome = expect(engine.run(EMPTY, LONG, abort.signal)).rejects.toMatchObject({ code: 'request.cancelled' });
    await new Promise((resolve) => setTimeout(resolve, 200));
    abort.abort();
    await outcome;
    await expectIdle();
  });

  it('stops a stream whose next row never comes', async () => {
    engine = await startEngine();
    const abort = new AbortController();
    const sql = 'SELECT a.range FROM range(3000000) a, range(3000000) b WHERE (a.range * b.range) % 999999999 = 999999998';
    const source = engine.run(EMPTY, `SELECT 1 AS range UNION ALL ${sql}`, abort.signal).then(collect);
    const outcome = expect(source).rejects.toMatchObject({ code: 'request.cancelled' });
    await new Promise((resolve) => setTimeout(resolve, 500));
    abort.abort();
    await outcome;
    await expectIdle();
  });

  it('works at any moment, also before the query has started', async () => {
    engine = await startEngine();
    await expect(engine.run(EMPTY, 'SELECT 1', AbortSignal.abort())).rejects.toMatchObject({ code: 'request.cancelled' });
    for (const delay of [0, 1, 2, 5, 10, 20]) {
      const abort = new AbortController();
      const done = engine.run(EMPTY, LONG, abort.signal).then(collect);
      const outcome = expect(done).rejects.toMatchObject({ code: 'request.cancelled' });
      await new Promise((resolve) => setTimeout(resolve, delay));
      abort.abort();
      await outcome;
    }
    await expectIdle();
  });

  it('disposing early frees everything, whatever is under way', async () => {
    engine = await startEngine();
    for (let batches = 0; batches < 6; batches++) {
      const source = await engine.run(EMPTY, WIDE, never());
      for (let taken = 0; taken < batches; taken++) (await source.next())?.release();
      await source[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
      await expect(source.next()).rejects.toMatchObject({ code: 'request.cancelled' });
    }
    await expectIdle();
  });

  it('a query that fails half-way frees everything', async () => {
    engine = await startEngine();
    const sql = "SELECT CASE WHEN i = 400000 THEN error('secret 4711') ELSE i::VARCHAR END AS x FROM range(500000) t(i)";
    const error = await engine
      .run(EMPTY, sql, never())
      .then(collect)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'sql.runtime' });
    expect(String(error)).not.toContain('4711');
    await expectIdle();
  });

  it('closing the engine ends its streams', async () => {
    engine = await startEngine();
    const source = await engine.run(EMPTY, WIDE, never());
    const next = (await source.next())?.rows;
    expect(next).toBeGreaterThan(0);
    await engine[Symbol.asyncDispose]();
    await expect(source.next()).rejects.toMatchObject({ code: 'request.cancelled' });
    engine = await startEngine();
  });
});

describe('many open streams', () => {
  it('200 idle streams on two threads leave room for another, and hold bounded memory', async () => {
    engine = await startEngine({ threads: 2, engineThreads: 2 });
    const sources: BatchSource[] = [];
    for (let index = 0; index < 200; index++) sources.push(await engine.run(EMPTY, WIDE, never()));
    await until(() => engine.stats().queuedJobs + engine.stats().runningJobs === 0);
    const { rows } = await collect(await engine.run(EMPTY, 'SELECT 42 AS x', never()));
    expect(rows).toEqual([[42n]]);
    expect(engine.stats()).toMatchObject({ openStreams: 200, connections: 200, threads: 2 });
    expect(engine.stats().slotsInUse).toBeLessThanOrEqual(200);
    const last = await sources[199]?.next();
    expect(last?.rows).toBeGreaterThan(0);
    last?.release();
    await Promise.all(sources.map((source) => source[Symbol.asyncDispose]()));
    await expectIdle();
  });

  it('64 undrained streams stay within their buffers', async () => {
    engine = await startEngine({ memoryLimitBytes: 512 * 1024 ** 2, streamingBufferBytes: 64 * 1024 ** 2 });
    const before = process.memoryUsage().rss;
    const sources: BatchSource[] = [];
    for (let index = 0; index < 64; index++) {
      const source = await engine.run(EMPTY, WIDE, never());
      (await source.next())?.release();
      sources.push(source);
    }
    await until(() => engine.stats().queuedJobs + engine.stats().runningJobs === 0);
    // Two batches ahead each, DuckDB's own buffers within a quarter of its limit, and room for allocators.
    expect(process.memoryUsage().rss - before).toBeLessThan(1100 * 1024 ** 2);
    expect(engine.stats().slotsInUse).toBeLessThanOrEqual(128);
    await Promise.all(sources.map((source) => source[Symbol.asyncDispose]()));
    await expectIdle();
  });

  it('a stream never has more batches ahead than its window', async () => {
    engine = await startEngine({ streamWindow: 3 });
    const source = await engine.run(EMPTY, WIDE, never());
    for (let taken = 0; taken < 8; taken++) (await source.next())?.release();
    await until(() => engine.stats().slotsInUse === 3);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(engine.stats()).toMatchObject({ slotsInUse: 3, queuedJobs: 0, runningJobs: 0 });
    await source[Symbol.asyncDispose]();
    await expectIdle();
  });
});
