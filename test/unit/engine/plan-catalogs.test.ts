import { describe, expect, it } from 'vitest';
import { createPlanCatalogs } from '#src/engine/plan-catalogs.js';
import { collect } from './arrow-values.ts';
import { catalogOf, never, startEngine } from './fixtures.ts';

describe('plan catalogs', () => {
  it('load once for all who come at the same time', async () => {
    const runs: (readonly string[])[] = [];
    const catalogs = createPlanCatalogs(async (statements) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      runs.push(statements);
    }, 2);
    const catalog = catalogOf('p_a');
    const held = await Promise.all([catalogs.hold(catalog), catalogs.hold(catalog), catalogs.hold(catalog)]);
    expect(runs).toEqual([[`ATTACH ':memory:' AS "p_a"`, 'CREATE SCHEMA "p_a".demo', 'CREATE SCHEMA IF NOT EXISTS "p_a"."demo"']]);
    for (const { release } of held) release();
    expect(catalogs.size()).toBe(1);
    expect(catalogs.uses()).toEqual({ hits: 2, misses: 1 });
  });

  it('evict the one used longest ago, never one that is held, and attach it again afterwards', async () => {
    const log: string[] = [];
    const catalogs = createPlanCatalogs(async (statements) => {
      log.push(statements[0] ?? '');
    }, 2);
    const a = await catalogs.hold(catalogOf('p_a'));
    const b = await catalogs.hold(catalogOf('p_b'));
    const c = await catalogs.hold(catalogOf('p_c'));
    expect(catalogs.size()).toBe(3);
    b.release();
    b.release();
    expect(catalogs.size()).toBe(2);
    expect(log.at(-1)).toBe('DETACH DATABASE IF EXISTS "p_b"');
    a.release();
    c.release();
    await (await catalogs.hold(catalogOf('p_b'))).release();
    expect(log.slice(-2).sort()).toEqual([`ATTACH ':memory:' AS "p_b"`, 'DETACH DATABASE IF EXISTS "p_a"']);
  });

  it('forget one that fails to load', async () => {
    let fails = true;
    const log: string[] = [];
    const catalogs = createPlanCatalogs(async (statements) => {
      log.push(statements[0] ?? '');
      if (fails && statements.length > 1) throw new Error('no file');
    }, 2);
    await expect(catalogs.hold(catalogOf('p_a'))).rejects.toThrow('no file');
    fails = false;
    await catalogs.hold(catalogOf('p_a'));
    expect(log).toEqual([`ATTACH ':memory:' AS "p_a"`, 'DETACH DATABASE IF EXISTS "p_a"', `ATTACH ':memory:' AS "p_a"`]);
  });

  it('are private: many at once on one engine, more than it keeps', async () => {
    const engine = await startEngine();
    try {
      const names = Array.from({ length: 150 }, (_, index) => `p_${index}`);
      for (let start = 0; start < names.length; start += 10) {
        const results = await Promise.all(
          names.slice(start, start + 10).map(async (name) => {
            const catalog = catalogOf(name, `CREATE TABLE "${name}".demo.t AS SELECT '${name}' AS who`);
            return (await collect(await engine.run(catalog, 'SELECT who FROM t', never()))).rows;
          }),
        );
        expect(results).toEqual(names.slice(start, start + 10).map((name) => [[name]]));
      }
      expect(engine.stats().catalogs).toBeLessThanOrEqual(128);
    } finally {
      await engine[Symbol.asyncDispose]();
    }
  });
});
