import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CountColumn, packTexts, TextColumn } from '#src/catalog/packed-column.js';
import { SEED } from '../../support/seed.ts';

test('texts come back, also empty ones, nulls and halves of characters', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.string({ unit: 'binary' }), { nil: null })), (texts) => {
      const column = new TextColumn(JSON.parse(JSON.stringify(packTexts(texts))));
      expect(column.length).toBe(texts.length);
      expect(texts.map((_, at) => column.at(at))).toEqual(texts);
    }),
    { seed: SEED },
  );
});

test.each([
  { text: 'ab', lengths: [1] },
  { text: 'ab', lengths: [3] },
  { text: 'ab', lengths: [4, -2] },
  { text: 'ab', lengths: [0.5, 1.5] },
  { text: 'ab', lengths: ['2' as unknown as number] },
])('lengths that are not those of the text are refused: %o', (texts) => {
  expect(() => new TextColumn(texts)).toThrow();
});

test('numbers come back up to 2^53, and nothing else is taken', () => {
  const column = new CountColumn([0, -1, 2 ** 53 - 1]);
  expect([0, 1, 2].map((at) => column.at(at))).toEqual([0, -1, 2 ** 53 - 1]);
  expect(column.length).toBe(3);
  for (const wrong of [[2 ** 53], [0.5], ['1' as unknown as number], [null as unknown as number]])
    expect(() => new CountColumn(wrong)).toThrow(/whole numbers/);
});

test('takes little more than the text itself', () => {
  expect(new TextColumn(packTexts(Array.from({ length: 1000 }, () => '12345678'))).bytes).toBeLessThan(1000 * 14);
});
