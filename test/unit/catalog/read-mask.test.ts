import { expect, test } from 'vitest';
import { Problems } from '#src/catalog/problems.js';
import { readMask } from '#src/catalog/read-mask.js';
import { readYaml } from '#src/catalog/yaml-node.js';

function read(text: string): unknown {
  const problems = new Problems();
  const node = readYaml('r.yaml', `mask: ${text}\n`, problems)?.fields(['mask']).get('mask');
  const mask = node && readMask(node);
  return problems.list.length > 0 ? problems.list[0] : mask;
}

test.each([
  ['null', { kind: 'null' }],
  ['"null"', { kind: 'null' }],
  ['redact', { kind: 'redact' }],
  ['email', { kind: 'email' }],
  ['hash', { kind: 'hash' }],
  ['token', { kind: 'token' }],
  ['hide', { kind: 'hide' }],
  ['{ constant: x }', { kind: 'constant', value: 'x' }],
  ['{ constant: 0 }', { kind: 'constant', value: 0 }],
  ['{ constant: false }', { kind: 'constant', value: false }],
  ['{ first: 2 }', { kind: 'first', count: 2 }],
  ['{ last: 4 }', { kind: 'last', count: 4 }],
  ['{ date: quarter }', { kind: 'date', unit: 'quarter' }],
  ['{ round: 0.5 }', { kind: 'round', step: 0.5 }],
])('%s', (text, expected) => {
  expect(read(text)).toEqual(expected);
});

test.each([
  ['blur', /unknown mask blur; known are null, redact/],
  ['Hash', /unknown mask Hash/],
  ['true', /must be text/],
  ['[hash]', /must be text/],
  ['{ blur: 1 }', /unknown mask blur/],
  ['{ first: 0 }', /whole number of at least 1/],
  ['{ first: -1 }', /whole number/],
  ['{ last: "4" }', /whole number/],
  ['{ date: week }', /date is one of year, quarter, month, day/],
  ['{ round: 0 }', /greater than 0/],
  ['{ round: "10" }', /greater than 0/],
  ['{ constant: }', /must be text, a number/],
  ['{ constant: [1] }', /must be text, a number/],
  ['{ first: 1, last: 1 }', /one setting/],
  ['{}', /one setting/],
])('%s is refused', (text, expected) => {
  expect(read(text)).toMatch(expected);
});
