import { expect, test } from 'vitest';
import { describeDataset } from '#src/catalog/policy-editor.js';

const BASE = { directory: '/base', variables: new Map<string, string>() };
const describeIn = (catalog: string | undefined, key: string) =>
  describeDataset(new Map(catalog === undefined ? [] : [['catalog.yaml', catalog]]), key, BASE);
const CATALOG = `catalog: c
defaultSchema: demo
connections:
  lake: { kind: local, directory: data }
datasets:
  demo.People: { parquet: people.parquet, columns: { id: { type: BIGINT }, name: {} } }
`;

test('a dataset is found whatever its case, with the types that stand there', () => {
  expect(describeIn(CATALOG, 'DEMO.people')).toEqual({
    connections: [{ kind: 'local', name: 'lake', directory: '/base/data' }],
    dataset: expect.objectContaining({ name: 'People', source: expect.objectContaining({ path: '/base/data/people.parquet' }) }),
    typed: [{ name: 'id', type: 'BIGINT' }],
    problems: [],
  });
  expect(describeIn(CATALOG, 'demo.gone')).toMatchObject({ dataset: null, typed: [], problems: [] });
});

test.each([undefined, '', 'catalog: [', CATALOG.replace('people.parquet', '../people.parquet')])('faults are told: %j', (catalog) => {
  const { dataset, problems } = describeIn(catalog, 'demo.People');
  expect(dataset).toBeNull();
  expect(problems.length).toBeGreaterThan(0);
});
