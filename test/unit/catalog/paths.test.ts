// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the directory format has such variables
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { expandPath, objectBelow, pathBelow } from '#src/catalog/paths.js';
import { Problems } from '#src/catalog/problems.js';
import { readYaml } from '#src/catalog/yaml-node.js';

const lake = mkdtempSync(join(tmpdir(), 'lake-'));
mkdirSync(join(lake, 'orders'));
mkdirSync(join(lake, 'odd.parquet'));
afterAll(() => rmSync(lake, { recursive: true }));

function below(text: string, directory: string = lake): string | readonly string[] | undefined {
  const problems = new Problems();
  const node = readYaml('c.yaml', 'x', problems) ?? expect.fail('no node');
  const path = pathBelow(directory, text, node);
  return problems.list.length > 0 ? problems.list : path;
}

test.each([
  ['people.parquet', 'people.parquet'],
  ['./a/../people.parquet', 'people.parquet'],
  ['orders', 'orders/**/*.parquet'],
  ['orders/', 'orders/**/*.parquet'],
  ['later', 'later/**/*.parquet'],
  ['odd.parquet', 'odd.parquet/**/*.parquet'],
  ['orders/*/part-?.parquet', 'orders/*/part-?.parquet'],
  ['.', '**/*.parquet'],
])('%s stays below', (text, expected) => {
  expect(below(text)).toBe(join(lake, expected));
});

test.each([
  ['../x.parquet', /leaves/],
  ['a/../../x.parquet', /leaves/],
  ['..', /leaves/],
  ['/etc/passwd', /relative/],
  ['${data}/x', /relative/],
  ['', /empty/],
  ['a\u0000b', /control/],
])('%j is refused', (text, expected) => {
  expect(below(text)).toEqual([expect.stringMatching(expected)]);
});

test('a sibling with the same beginning is not below', () => {
  expect(below(`../${lake.split('/').pop()}-other/x.parquet`)).toEqual([expect.stringMatching(/leaves/)]);
  expect(below('x.parquet', '/')).toBe('/x.parquet');
});

test('variables expand, unknown ones are named', () => {
  const problems = new Problems();
  const node = readYaml('c.yaml', 'x', problems) ?? expect.fail('no node');
  const base = {
    directory: '/policies',
    variables: new Map([
      ['data', '/srv/data'],
      ['rel', 'sub'],
    ]),
  };
  expect(expandPath('${data}/lake', base, node)).toBe('/srv/data/lake');
  expect(expandPath('${rel}/lake', base, node)).toBe('/policies/sub/lake');
  expect(expandPath('../lake', base, node)).toBe('/lake');
  expect(expandPath('/abs', base, node)).toBe('/abs');
  expect(problems.list).toEqual([]);
  expect(expandPath('${HOME}/${x}', base, node)).toBeUndefined();
  expect(problems.list).toEqual(['c.yaml:1: unknown variable HOME, x; known are data, rel']);
});

function object(text: string): string | readonly string[] | undefined {
  const problems = new Problems();
  const node = readYaml('c.yaml', 'x', problems) ?? expect.fail('no node');
  const path = objectBelow(
    { kind: 's3', name: 's', bucket: 'b', prefix: 'p/', region: null, endpoint: null, pathStyle: false, credentials: { kind: 'default' } },
    text,
    node,
  );
  return problems.list.length > 0 ? problems.list : path;
}

test.each([
  ['people.parquet', 's3://b/p/people.parquet'],
  ['./a/../people.parquet', 's3://b/p/people.parquet'],
  ['orders', 's3://b/p/orders/**/*.parquet'],
  ['orders/', 's3://b/p/orders/**/*.parquet'],
  ['odd.parquet/', 's3://b/p/odd.parquet/**/*.parquet'],
  ['orders/*/part-?.parquet', 's3://b/p/orders/*/part-?.parquet'],
  ['.', 's3://b/p/**/*.parquet'],
  ['a b/é=1/x.parquet', 's3://b/p/a b/é=1/x.parquet'],
])('objects below a prefix: %s', (text, expected) => {
  expect(object(text)).toBe(expected);
});

test.each([
  '',
  '..',
  '../x.parquet',
  'a/../../x.parquet',
  '/x.parquet',
  's3://other/x.parquet',
  'https://h/x.parquet',
  '${data}/x',
  'a\u0000b',
  'a#b',
  'a%2e%2e/b',
])('what leaves a prefix is a problem: %s', (text) => {
  expect(object(text)).toEqual([expect.stringContaining('c.yaml:1: ')]);
});
