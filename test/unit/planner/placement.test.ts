import fc from 'fast-check';
import { expect, test } from 'vitest';
import { locationsOf, type PlacementNode, rank } from '#src/planner/placement.js';
import { SEED } from '../../support/seed.ts';

function fleet(size: number, capacity: (i: number) => number = () => 16): PlacementNode[] {
  return Array.from({ length: size }, (_, i) => ({ id: `w${i}`, location: `grpc://10.0.0.${i}:8815`, capacity: capacity(i) }));
}

const KEYS = Array.from({ length: 4000 }, (_, i) => `lake/part-${i}.parquet`);

test('the order of the fleet does not matter, and a worker that goes moves only its own tasks', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(), fc.string(), (size, gone, key) => {
      const workers = fleet(size);
      const before = rank(key, workers);
      expect(rank(key, workers.toReversed())).toEqual(before);
      const left = workers.filter((_, i) => i !== gone % size);
      expect(rank(key, left)).toEqual(before.filter((worker) => left.includes(worker)));
    }),
    { seed: SEED },
  );
});

test('shares follow capacity', () => {
  const workers = fleet(3, (i) => (i === 0 ? 32 : 16));
  const shares = new Map<string, number>();
  for (const key of KEYS) {
    const id = rank(key, workers)[0]?.id ?? '';
    shares.set(id, (shares.get(id) ?? 0) + 1);
  }
  expect((shares.get('w0') ?? 0) / KEYS.length).toBeCloseTo(0.5, 1);
  expect((shares.get('w1') ?? 0) / KEYS.length).toBeCloseTo(0.25, 1);
});

test('a worker at capacity is passed over, and takes its tasks again later', () => {
  const workers = fleet(4);
  for (const key of KEYS.slice(0, 200)) {
    const before = rank(key, workers);
    const [first] = before;
    const busy = workers.map((worker) => ({ ...worker, running: worker.id === first?.id ? worker.capacity : worker.capacity - 1 }));
    expect(rank(key, busy).map(({ id }) => id)).toEqual([...before.slice(1), ...before.slice(0, 1)].map(({ id }) => id));
  }
  const full = workers.map((worker) => ({ ...worker, running: worker.capacity + 1 }));
  expect(rank('k', full).map(({ id }) => id)).toEqual(rank('k', workers).map(({ id }) => id));
});

test('a worker that restarts under another id keeps its tasks', () => {
  const again = fleet(3).map((worker) => ({ ...worker, id: `${worker.id}-again` }));
  for (const key of KEYS.slice(0, 100)) expect(rank(key, again)[0]?.location).toBe(rank(key, fleet(3))[0]?.location);
});

const SELF = 'grpc://planner:8815';

test('an endpoint lists the chosen worker, a second one and the planner', () => {
  const [locations = []] = locationsOf(['a'], fleet(3), SELF);
  expect(locations).toHaveLength(3);
  expect(locations.at(-1)).toBe(SELF);
  expect(locations.slice(0, 2)).toEqual(
    rank('a', fleet(3))
      .slice(0, 2)
      .map(({ location }) => location),
  );
  expect(locationsOf(['a'], fleet(1), SELF)).toEqual([['grpc://10.0.0.0:8815', SELF]]);
  expect(locationsOf(['a'], fleet(3), null)[0]).toHaveLength(2);
});

test('no worker is first for more than its share of one plan, by capacity', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(fc.string(), { minLength: 1, maxLength: 16 }), (size, keys) => {
      const workers = fleet(size, (i) => 1 + i);
      const total = (size * (size + 1)) / 2;
      const chosen = locationsOf(keys, workers, SELF);
      expect(chosen).toHaveLength(keys.length);
      for (const { location, capacity } of workers)
        expect(chosen.filter(([first]) => first === location).length).toBeLessThanOrEqual(Math.ceil((keys.length * capacity) / total));
      for (const locations of chosen) expect(new Set(locations).size).toBe(locations.length);
    }),
  );
});

test('workers at capacity are first only when all are', () => {
  const [busy, idle] = [fleet(1), fleet(2)];
  const mixed = idle.map((worker) => ({ ...worker, running: worker.id === 'w0' ? worker.capacity : 0 }));
  expect(locationsOf(['a', 'b', 'c'], mixed, SELF).map(([first]) => first)).toEqual(Array(3).fill(mixed[1]?.location));
  const full = busy.map((worker) => ({ ...worker, running: worker.capacity }));
  expect(locationsOf(['a', 'b'], full, SELF)).toEqual(Array(2).fill([full[0]?.location, SELF]));
});

test('without a fleet an endpoint has no location: whoever planned it serves it', () => {
  expect(locationsOf(['a', 'b'], [], SELF)).toEqual([[], []]);
});
