import { expect, test } from 'vitest';
import type { Engine } from '#src/engine/index.js';
import type { Scan } from '#src/files.js';
import { createHotTables } from '#src/worker/hot-tables.js';
import { asEngine } from './fixture.ts';

const MIB = 1024 ** 2;

function scanOf(dataset: string, version = 'v1', bytes = MIB, change: Partial<Scan> = {}): Scan {
  return {
    dataset,
    relation: `"p"."__source"."${dataset}"`,
    format: 'parquet',
    hivePartitioning: false,
    columns: [{ name: 'a', type: 'BIGINT' }],
    parts: [{ files: [{ path: `/${dataset}.parquet`, bytes, version }], missing: [] }],
    ...change,
  };
}

function setUp({ tableMax = 10 * MIB, totalMax = 25 * MIB, tableBytes = 10 * MIB } = {}) {
  const state = { nowMs: 1_000_000, tables: new Set<string>(), made: 0, stale: false, fails: false, leases: 0, changesDuringLoad: false };
  const pins = new Set<string>();
  const faults: unknown[] = [];
  const makeEngine = (): Engine =>
    asEngine({
      keep: async (name, select) => {
        expect(select).toContain('read_parquet');
        if (state.fails) throw new Error('can not load');
        expect(state.tables.has(name)).toBe(false);
        state.tables.add(name);
        state.made++;
        if (state.changesDuringLoad) state.stale = true;
        return { relation: `"${name}"`, rows: 5, bytes: tableBytes, drop: async () => void state.tables.delete(name) };
      },
    });
  const engines = { current: makeEngine() };
  const hot = createHotTables({
    tableMax,
    totalMax,
    isPinned: (id) => pins.has(id),
    lease: async () => {
      state.leases++;
      return { engine: engines.current, release: () => void state.leases-- };
    },
    verify: async () => {
      if (state.stale) throw new Error('changed');
    },
    onFault: (error) => faults.push(error),
    now: () => state.nowMs,
  });
  const use = async (scan: Scan, times = 1): Promise<boolean> => {
    let found = false;
    for (let i = 0; i < times; i++) {
      const held = await hot.relationFor(scan, engines.current);
      await hot.settled();
      held?.release();
      held?.release();
      found = held !== null;
    }
    return found;
  };
  return { hot, state, pins, faults, engines, makeEngine, use };
}

test('the third reading within ten minutes loads a table, which the next ones read', async () => {
  const { hot, state, use } = setUp();
  const scan = scanOf('d');
  expect(await use(scan, 3)).toBe(false);
  expect(await use(scan, 2)).toBe(true);
  expect(hot.stats()).toEqual({ tables: 1, bytes: 10 * MIB, hits: 2, misses: 3, loads: 1, evictions: 0 });
  expect(hot.entries()).toEqual([{ dataset: 'd', bytes: 10 * MIB, rows: 5, hits: 2, lastUsedAtMs: 1_000_000, pinned: false }]);
  expect(state.leases).toBe(0);
});

test('readings far apart load nothing', async () => {
  const { state, use } = setUp();
  for (let i = 0; i < 10; i++) {
    expect(await use(scanOf('d'))).toBe(false);
    state.nowMs += 6 * 60_000;
  }
  expect(state.made).toBe(0);
});

test('many at once load it once, and none of them waits', async () => {
  const { hot, state, engines } = setUp();
  const found = await Promise.all(Array.from({ length: 20 }, () => hot.relationFor(scanOf('d'), engines.current)));
  expect(found.every((relation) => relation === null)).toBe(true);
  await hot.settled();
  expect(state.made).toBe(1);
});

test('a pinned one is loaded at its first reading, and may be larger', async () => {
  const { state, pins, use } = setUp();
  const large = scanOf('d', 'v1', 20 * MIB);
  expect(await use(large, 5)).toBe(false);
  pins.add('d');
  expect([await use(large), await use(large), state.made]).toEqual([false, true, 1]);
});

test.each([
  ['other columns', scanOf('d', 'v1', MIB, { columns: [{ name: 'a', type: 'INTEGER' }] })],
  ['another version', scanOf('d', 'v2')],
  ['no files', scanOf('d', 'v1', MIB, { parts: [] })],
  [
    'a share of the rows',
    scanOf('d', 'v1', MIB, { parts: [{ ...scanOf('d').parts[0], files: scanOf('d').parts[0]?.files ?? [], missing: [], rows: [0, 5] }] }),
  ],
  ['a missing column', scanOf('d', 'v1', MIB, { parts: [{ files: scanOf('d').parts[0]?.files ?? [], missing: ['a'] }] })],
])('a scan with %s does not read the table', async (_name, scan) => {
  const { use } = setUp();
  await use(scanOf('d'), 3);
  expect(await use(scan)).toBe(false);
  expect(await use(scanOf('d'))).toBe(true);
});

test('another name of the relation is the same table', async () => {
  const { use } = setUp();
  await use(scanOf('d'), 3);
  expect(await use(scanOf('d', 'v1', MIB, { relation: '"q"."__source"."d"' }))).toBe(true);
});

test('a new version takes the place of the old one, when its readers have left', async () => {
  const { hot, state, engines, use } = setUp();
  await use(scanOf('d'), 3);
  const held = await hot.relationFor(scanOf('d'), engines.current);
  await use(scanOf('d', 'v2'), 3);
  expect(state.tables.size).toBe(2);
  held?.release();
  held?.release();
  await hot.settled();
  expect(state.tables.size).toBe(1);
  expect([await use(scanOf('d', 'v2')), await use(scanOf('d'))]).toEqual([true, false]);
});

test('the one used longest ago leaves, pins last', async () => {
  const { state, pins, use, hot } = setUp();
  pins.add('p');
  await use(scanOf('p'), 2);
  await use(scanOf('a'), 3);
  await use(scanOf('b'), 3);
  expect(hot.entries().map(({ dataset }) => dataset)).toEqual(['p', 'b']);
  await use(scanOf('a'), 4);
  expect(hot.entries().map(({ dataset }) => dataset)).toEqual(['p', 'a']);
  pins.add('a');
  // Nothing but pins: what is not pinned finds no room.
  await use(scanOf('c'), 3);
  expect(hot.entries().map(({ dataset }) => dataset)).toEqual(['p', 'a']);
  pins.add('c');
  state.nowMs += 120_000;
  await use(scanOf('c'), 2);
  expect(hot.entries().map(({ dataset }) => dataset)).toEqual(['a', 'c']);
  expect(state.tables.size).toBe(2);
});

test('what is being read is not evicted', async () => {
  const { hot, state, engines, use } = setUp({ totalMax: 10 * MIB });
  await use(scanOf('a'), 3);
  const held = await hot.relationFor(scanOf('a'), engines.current);
  await use(scanOf('b'), 3);
  expect(hot.entries().map(({ dataset }) => dataset)).toEqual(['a']);
  held?.release();
  state.nowMs += 120_000;
  await use(scanOf('b'), 3);
  expect(hot.entries().map(({ dataset }) => dataset)).toEqual(['b']);
});

test('a table of files that changed while they were read is not used', async () => {
  const { state, faults, use } = setUp();
  state.changesDuringLoad = true;
  await use(scanOf('d'), 3);
  state.changesDuringLoad = false;
  expect([await use(scanOf('d')), state.tables.size, faults.length]).toEqual([false, 0, 1]);
});

test('files that change or vanish in storage are noticed within seconds', async () => {
  const { state, use } = setUp();
  await use(scanOf('d'), 3);
  state.stale = true;
  expect(await use(scanOf('d'))).toBe(true);
  state.nowMs += 2000;
  expect([await use(scanOf('d')), state.tables.size]).toEqual([false, 0]);
});

test('a load that fails is not tried again at once', async () => {
  const { state, faults, use } = setUp();
  state.fails = true;
  await use(scanOf('d'), 10);
  expect(faults).toHaveLength(1);
  state.fails = false;
  state.nowMs += 61_000;
  await use(scanOf('d'), 3);
  expect(await use(scanOf('d'))).toBe(true);
});

test('another engine loads its own', async () => {
  const { hot, state, engines, makeEngine, use } = setUp();
  await use(scanOf('d'), 3);
  const before = engines.current;
  engines.current = makeEngine();
  expect(await use(scanOf('d'), 3)).toBe(false);
  expect(await use(scanOf('d'))).toBe(true);
  expect([state.made, state.tables.size]).toEqual([2, 1]);
  // A late query of the engine before does not disturb.
  expect(await hot.relationFor(scanOf('x'), before)).toBeNull();
});

test('what nobody reads for an hour is dropped, unless it is pinned', async () => {
  const { hot, state, pins, use } = setUp();
  pins.add('p');
  await use(scanOf('p'), 2);
  await use(scanOf('d'), 3);
  state.nowMs += 61 * 60_000;
  await use(scanOf('other'));
  expect(hot.entries().map(({ dataset }) => dataset)).toEqual(['p']);
  expect(state.tables.size).toBe(1);
});

test('closing ends it; nothing is loaded afterwards', async () => {
  const { hot, state, engines, use } = setUp();
  await use(scanOf('d'), 3);
  await hot[Symbol.asyncDispose]();
  for (let i = 0; i < 5; i++) expect(await hot.relationFor(scanOf('e'), engines.current)).toBeNull();
  expect(state.made).toBe(1);
});
