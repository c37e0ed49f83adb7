import { expect, test } from 'vitest';
import { formatPosition, Problems } from '#src/catalog/problems.js';

test('problems keep their order and are reported once', () => {
  const problems = new Problems();
  problems.add({ file: 'b.yaml', line: 3 }, 'second');
  problems.add({ file: 'a.csv', line: null }, 'first');
  problems.add({ file: 'b.yaml', line: 3 }, 'second');
  expect(problems.list).toEqual(['b.yaml:3: second', 'a.csv: first']);
  expect(formatPosition({ file: 'a', line: 1 })).toBe('a:1');
});
