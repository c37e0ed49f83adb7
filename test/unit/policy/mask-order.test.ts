import { expect, test } from 'vitest';
import { type ColumnTreatment, compareStrictness } from '#src/policy/mask-order.js';

const order: readonly ColumnTreatment[] = [
  { kind: 'hide' },
  { kind: 'null' },
  { kind: 'constant', value: 'x' },
  { kind: 'token' },
  { kind: 'hash' },
  { kind: 'redact' },
  { kind: 'first', count: 1 },
  { kind: 'last', count: 4 },
  { kind: 'email' },
  { kind: 'date', unit: 'year' },
  { kind: 'date', unit: 'quarter' },
  { kind: 'date', unit: 'month' },
  { kind: 'date', unit: 'day' },
];

test('the stricter mask comes first, for every pair', () => {
  for (const [i, a] of order.entries())
    for (const [j, b] of order.entries()) expect(Math.sign(compareStrictness(a, b)), `${a.kind} to ${b.kind}`).toBe(Math.sign(i - j));
});

test('a coarser step is stricter; as strict as each other is 0', () => {
  expect(compareStrictness({ kind: 'round', step: 1000 }, { kind: 'round', step: 10 })).toBeLessThan(0);
  expect(compareStrictness({ kind: 'first', count: 4 }, { kind: 'last', count: 4 })).toBe(0);
});
