import { expect, test } from 'vitest';
import { Problems } from '#src/catalog/problems.js';
import { readYaml, type YamlNode } from '#src/catalog/yaml-node.js';

function read(text: string, use: (root: YamlNode) => unknown): { value: unknown; problems: readonly string[] } {
  const problems = new Problems();
  const root = readYaml('f.yaml', text, problems);
  return { value: root && use(root), problems: problems.list };
}

test.each([
  ['a: [1', /^f\.yaml:1: /],
  ['a: 1\na: 2\n', /^f\.yaml:2: .*unique/],
  ['', /^f\.yaml: the file is empty$/],
  ['# only a comment\n', /^f\.yaml: the file is empty$/],
  ['a: 1\n---\nb: 2\n', /^f\.yaml:2: /],
  ['a: !!js/function x\n', /^f\.yaml:1: /],
  ['a:\n\t- b\n', /^f\.yaml:2: /],
])('syntax of %j', (text, expected) => {
  const { value, problems } = read(text, () => 'read');
  expect(value).toBeNull();
  expect(problems[0]).toMatch(expected);
});

test('unknown and missing keys carry their lines', () => {
  const { problems } = read('a: 1\nc: 2\n\nd: 3\n', (root) => root.fields(['a', 'b'], ['a', 'b']));
  expect(problems).toEqual([
    'f.yaml:2: unknown key c; known are a, b',
    'f.yaml:4: unknown key d; known are a, b',
    'f.yaml:1: f.yaml needs b',
  ]);
});

test('wrong types are complaints, never values', () => {
  const field = (text: string, use: (node: YamlNode) => unknown): unknown => {
    const { value, problems } = read(`x: ${text}\n`, (root) => use(root.fields(['x']).get('x') as YamlNode));
    return problems.length > 0 ? problems : value;
  };
  expect(field('yes', (node) => node.text())).toBe('yes');
  expect(field('1', (node) => node.text())).toEqual(['f.yaml:1: x must be text; put it in quotes']);
  expect(field('[a]', (node) => node.text())).toEqual(['f.yaml:1: x must be text; put it in quotes']);
  expect(field('true', (node) => node.flag())).toBe(true);
  expect(field('yes', (node) => node.flag())).toEqual(['f.yaml:1: x must be true or false']);
  expect(field('3', (node) => node.count(1))).toBe(3);
  expect(field('0', (node) => node.count(1))).toEqual(['f.yaml:1: x must be a whole number of at least 1']);
  expect(field('1.5', (node) => node.count(1))).toEqual(['f.yaml:1: x must be a whole number of at least 1']);
  expect(field('.inf', (node) => node.scalar())).toEqual(['f.yaml:1: x must be text, a number or true/false']);
  expect(field('', (node) => node.scalar())).toEqual(['f.yaml:1: x must be text, a number or true/false']);
  expect(field('007', (node) => node.written())).toBe('007');
  expect(field('1e3', (node) => node.written())).toBe('1e3');
  expect(field('[a, 1]', (node) => node.texts())).toEqual(['f.yaml:1: x must be text; put it in quotes']);
  expect(field('{a: b}', (node) => node.texts())).toEqual(['f.yaml:1: x must be a list']);
  expect(field('[a]', (node) => node.entries())).toEqual(['f.yaml:1: x must be a mapping']);
  expect(field('~', (node) => node.isNull)).toBe(true);
});

test('an alias is no value', () => {
  const { problems } = read('a: &x [b]\nc: *x\n', (root) => root.fields(['a', 'c']).get('c')?.texts());
  expect(problems).toEqual(['f.yaml:2: c must be a list']);
});

test('names of object properties are just keys', () => {
  const { value, problems } = read('__proto__: 1\nconstructor: 2\n', (root) => root.entries().map(([name]) => name));
  expect([value, problems]).toEqual([['__proto__', 'constructor'], []]);
});
