import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Engine } from '#src/engine/index.js';
import { SEED } from '../../support/seed.ts';
import { collect } from './arrow-values.ts';
import { EMPTY, never, startEngine } from './fixtures.ts';

let engine: Engine;

beforeAll(async () => {
  engine = await startEngine();
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

const text = fc.oneof(
  fc.constant(null),
  fc.string({ unit: 'grapheme', maxLength: 14 }),
  fc.string({ unit: 'binary-ascii', maxLength: 40 }),
  // What would be a NaN as a float, were it not UTF-8.
  fc.constantFrom('\u007f'.repeat(24), `${'\u{10ffff}\u007f'.repeat(9)}`, 'ÿ'.repeat(13), '\u{3ffff}'.repeat(100)),
  fc.integer({ min: 250, max: 600 }).map((length) => 'é'.repeat(length)),
);

it('every text arrives as it is', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 60 }), async (values) => {
      const usable = values.map((value) => value?.replaceAll('\0', '.') ?? null);
      const list = usable.map((value, index) => `(${index}, ${value === null ? 'NULL' : `'${value.replaceAll("'", "''")}'`}::VARCHAR)`);
      const { rows } = await collect(await engine.run(EMPTY, `SELECT t FROM (VALUES ${list.join(', ')}) v(i, t) ORDER BY i`, never()));
      expect(rows).toEqual(usable.map((value) => [value]));
    }),
    { seed: SEED, numRuns: 60 },
  );
});
