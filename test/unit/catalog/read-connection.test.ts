import { expect, test } from 'vitest';
import { Problems } from '#src/catalog/problems.js';
import { readConnection } from '#src/catalog/read-connection.js';
import { readYaml } from '#src/catalog/yaml-node.js';

function read(text: string) {
  const problems = new Problems();
  const node = readYaml('catalog.yaml', text, problems) ?? expect.fail(problems.list.join('\n'));
  return { connection: readConnection('c', node, { directory: '/policies', variables: new Map() }), problems: problems.list };
}

test.each([
  ['{ kind: local, directory: lake }', { kind: 'local', name: 'c', directory: '/policies/lake' }],
  ['{ kind: duckdb, file: /srv/shop.duckdb }', { kind: 'duckdb', name: 'c', file: '/srv/shop.duckdb' }],
  ['{ kind: s3, url: "s3://bucket/" }', { kind: 's3', name: 'c', bucket: 'bucket', prefix: '' }],
])('%s', (text, expected) => {
  const { connection, problems } = read(text);
  expect(problems).toEqual([]);
  expect(connection).toMatchObject(expected);
});

test.each([
  ['{ directory: lake }', 'needs kind'],
  ['[local]', 'must be a mapping'],
  ['{ kind: 7 }', 'must be text'],
  ['{ kind: local, file: x, directory: y }', 'a local connection has no file'],
  ['{ kind: duckdb }', 'a duckdb connection needs file'],
  ['{ kind: duckdb, file: x, url: "s3://bucket/" }', 'unknown key url'],
])('%s is a problem', (text, expected) => {
  const { problems } = read(text);
  expect(problems).toEqual([expect.stringContaining(expected)]);
});
