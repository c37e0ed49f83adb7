import { expect, test } from 'vitest';
import { canonicalHash, canonicalJson } from '#src/policy/canonical.js';

test('key order and undefined fields do not count, list order does', () => {
  expect(canonicalJson({ b: 1, a: [true, null, 'x'], c: undefined })).toBe('{"a":[true,null,"x"],"b":1}');
  expect(canonicalJson({ a: 1, b: 2 })).toBe(canonicalJson({ b: 2, a: 1 }));
  expect(canonicalJson([1, 2])).not.toBe(canonicalJson([2, 1]));
});

test('values of different types stay different', () => {
  const texts = [1, 1n, '1', [1], { bigint: 1 }, null, true].map(canonicalJson);
  expect(new Set(texts).size).toBe(texts.length);
  expect(canonicalJson(undefined)).toBe('null');
});

test('the hash is the same in every process', () => {
  expect(canonicalHash({ a: 1 })).toBe('015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862');
});
