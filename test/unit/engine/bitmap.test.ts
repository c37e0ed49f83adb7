import fc from 'fast-check';
import { expect, it } from 'vitest';
import { copyBits, countOnes, forEachZero, getBit, setBits } from '#src/engine/bitmap.js';
import { SEED } from '../../support/seed.ts';

const bits = (bytes: Uint8Array, from: number, count: number): boolean[] =>
  Array.from({ length: count }, (_, index) => getBit(bytes, from + index));

it('copies any range to any place and touches nothing else', () => {
  const cases = fc.record({
    source: fc.uint8Array({ minLength: 20, maxLength: 20 }),
    from: fc.nat(60),
    to: fc.nat(60),
    count: fc.nat(90),
  });
  fc.assert(
    fc.property(cases, ({ source, from, to, count }) => {
      const target = new Uint8Array(20);
      copyBits(target, to, source, from, count);
      expect(bits(target, to, count)).toEqual(bits(source, from, count));
      expect(countOnes(target)).toBe(bits(source, from, count).filter(Boolean).length);
    }),
    { seed: SEED },
  );
});

it('sets and counts ranges', () => {
  fc.assert(
    fc.property(fc.nat(70), fc.nat(80), (start, count) => {
      const target = new Uint8Array(20);
      setBits(target, start, count);
      expect(countOnes(target)).toBe(count);
      expect(bits(target, start, count).every(Boolean)).toBe(true);
      const zeros: number[] = [];
      forEachZero(target, start + count, (bit) => zeros.push(bit));
      expect(zeros).toEqual(Array.from({ length: start }, (_, bit) => bit));
    }),
    { seed: SEED },
  );
});
