import { expect, test } from 'vitest';
import { Problems } from '#src/catalog/problems.js';
import { readCatalog } from '#src/catalog/read-catalog.js';

function read(text: string) {
  const problems = new Problems();
  const draft = readCatalog(text, { directory: '/policies', variables: new Map([['data', '/srv']]) }, problems);
  return { draft, problems: problems.list };
}

const HEAD = 'catalog: lab\ndefaultSchema: demo\n';

test('connections, tags and datasets', () => {
  const { draft, problems } = read(`${HEAD}connections:
  lake: { kind: local, directory: "\${data}/lake" }
  shop: { kind: duckdb, file: ../shop.duckdb }
tags: { pii: Personal, empty: }
datasets:
  demo.a: { parquet: a.parquet }
  other.b: { table: b }
`);
  expect(problems).toEqual([]);
  expect(draft).toMatchObject({
    name: 'lab',
    defaultSchema: 'demo',
    connections: [
      { kind: 'local', name: 'lake', directory: '/srv/lake' },
      { kind: 'duckdb', name: 'shop', file: '/shop.duckdb' },
    ],
    datasets: [{ dataset: { id: 'demo.a' } }, { dataset: { id: 'other.b', source: { connection: 'shop', schema: 'main', table: 'b' } } }],
  });
  expect([...(draft?.tags ?? [])]).toEqual(['pii', 'empty']);
});

test('datasets on S3 lie below their connection; two connections are not for the same place', () => {
  const { draft, problems } = read(`${HEAD}connections: { lake: { kind: s3, url: "s3://lake/p/" } }
datasets: { demo.a: { parquet: orders, hive: true } }
`);
  expect(problems).toEqual([]);
  const source = { kind: 'parquet', connection: 'lake', path: 's3://lake/p/orders/**/*.parquet', hivePartitioning: true };
  expect(draft?.datasets).toMatchObject([{ dataset: { source } }]);
  const twins = read(`${HEAD}connections: { a: { kind: s3, url: "s3://lake/p/" }, b: { kind: s3, url: "s3://lake/p/" } }\ndatasets: {}\n`);
  expect(twins.problems).toEqual([expect.stringContaining('connections a and b are for the same place')]);
});

test('a scratch schema is there when the file says so', () => {
  expect(read(`${HEAD}datasets: {}\n`).draft?.scratchSchema).toBeNull();
  expect(read(`${HEAD}datasets: {}\nscratch: { schema: mine }\n`)).toMatchObject({ draft: { scratchSchema: 'mine' }, problems: [] });
});

test.each([
  ['catalog: lab\n', ['needs defaultSchema', 'needs datasets']],
  [`${HEAD}datasets: {}\nextra: 1\n`, ['unknown key extra']],
  ['catalog: main\ndefaultSchema: temp\ndatasets: {}\n', ['main is reserved', 'temp is reserved']],
  [`${HEAD}datasets: { lab.x: { view: SELECT 1 } }\n`, ["schema lab has the catalog's name"]],
  [
    `${HEAD}datasets: { demo.x: { view: SELECT 1 }, Demo.X: { view: SELECT 1 } }\n`,
    ['two datasets differ in case only: demo.x and Demo.X'],
  ],
  [
    `${HEAD}datasets: { demo.x: { id: i, view: SELECT 1 }, demo.y: { id: i, view: SELECT 1 } }\n`,
    ['two datasets have the same id: demo.x and demo.y'],
  ],
  [`${HEAD}datasets: {}\nconnections: { a: { kind: gcs, file: x } }\n`, ['unknown kind gcs; known are local, duckdb, s3']],
  [`${HEAD}datasets: {}\nconnections: { a: { kind: local } }\n`, ['a local connection needs directory']],
  [`${HEAD}datasets: {}\nconnections: { a: { kind: local, directory: x, file: y } }\n`, ['a local connection has no file']],
  [`${HEAD}datasets: {}\nconnections: { a: { kind: local, directory: "\${gone}" } }\n`, ['unknown variable gone; known are data']],
  [`${HEAD}datasets: {}\nconnections: { a: { kind: duckdb, file: "" } }\n`, ['a path must not be empty or hold control characters']],
  [`${HEAD}datasets: {}\nconnections: { a b: { kind: duckdb, file: x } }\n`, ['"a b" is no name']],
  [`${HEAD}datasets: {}\nconnections: { a: { kind: duckdb, file: x }, A: { kind: duckdb, file: x } }\n`, ['connection A is there twice']],
  [`${HEAD}datasets: {}\ntags: { "a b": x }\n`, ['"a b" is no name']],
  [
    `${HEAD}datasets: { Mine.x: { view: SELECT 1 } }\nscratch: { schema: mine }\n`,
    ["Mine.x is in the scratch schema, which is for tables of one's own"],
  ],
  [`${HEAD}datasets: {}\nscratch: { schema: Lab }\n`, ["scratch schema Lab has the catalog's name"]],
  [`${HEAD}datasets: {}\nscratch: { schema: demo }\n`, ['the scratch schema can not be the default schema']],
  [`${HEAD}datasets: {}\nscratch: { schema: __x }\n`, ['__x is reserved']],
  [`${HEAD}datasets: {}\nscratch: {}\n`, ['needs schema']],
  [`${HEAD}datasets: {}\nscratch: { schema: x, owner: y }\n`, ['unknown key owner']],
  [
    `${HEAD}datasets: {}\nscratch: { schema: mine }\nconnections: { Scratch: { kind: local, directory: x } }\n`,
    ["connection scratch is Sluice's own when there is a scratch schema"],
  ],
  [`${HEAD}datasets: {}\ntags: [a]\n`, ['tags must be a mapping']],
])('%s', (text, expected) => {
  const { problems } = read(text);
  expect(problems).toHaveLength(expected.length);
  for (const [i, part] of expected.entries()) expect(problems[i]).toContain(part);
});
