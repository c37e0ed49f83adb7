import { describe, expect, test } from 'vitest';
import { readKeys, withKeys } from '#src/catalog/keys.js';
import { Problems } from '#src/catalog/problems.js';
import type { DraftDataset } from '#src/catalog/read-dataset.js';
import { readYaml } from '#src/catalog/yaml-node.js';
import type { Dataset } from '#src/model.js';

const dataset = (name: string, columns: readonly string[], more: Partial<Dataset> = {}): Dataset => ({
  id: `id-${name}`,
  schema: 's',
  name,
  tags: [],
  columns: columns.map((column) => ({ name: column, type: 'BIGINT', tags: [] })),
  source: { kind: 'view', sql: '' },
  ...more,
});

/** `keys`: dataset name → its YAML. */
function load(
  keys: Readonly<Record<string, string>>,
  datasets: readonly Dataset[] = [dataset('a', ['Id', 'b_id', 'x']), dataset('b', ['id', 'y'])],
) {
  const problems = new Problems();
  const drafts = datasets.map((each): DraftDataset => {
    const root = readYaml('catalog.yaml', keys[each.name] ?? '{}', problems);
    const fields = root?.fields(['primaryKey', 'foreignKeys']);
    const read = readKeys(each.name, fields?.get('primaryKey'), fields?.get('foreignKeys'));
    return { dataset: each, declared: [], keys: read, position: { file: 'catalog.yaml', line: 1 } };
  });
  return { datasets: withKeys(datasets, drafts, problems), problems: problems.list };
}

test('keys are spelt like the columns, and refer to the primary key unless they say otherwise', () => {
  const { datasets, problems } = load({
    a: 'primaryKey: [id]\nforeignKeys:\n  - { columns: [B_ID], references: S.b }\n  - { name: odd, columns: [x, id], references: s.b, referencedColumns: [Y, id] }\n',
    b: 'primaryKey: [id]',
  });
  expect(problems).toEqual([]);
  expect(datasets[0]).toMatchObject({
    primaryKey: ['Id'],
    foreignKeys: [
      { name: 'a_B_ID_fkey', columns: ['b_id'], references: 'id-b', referencedColumns: ['id'] },
      { name: 'odd', columns: ['x', 'Id'], references: 'id-b', referencedColumns: ['y', 'id'] },
    ],
  });
});

describe('what does not fit is left out and told with its line', () => {
  test.each([
    ['primaryKey: []', 'catalog.yaml:1: a key needs columns'],
    ['primaryKey: [id, ID]', 'catalog.yaml:1: a key names a column twice'],
    ['primaryKey: [gone]', 'catalog.yaml:1: s.a: there is no column gone for a key'],
    ['foreignKeys:\n  - { columns: [b_id] }', 'catalog.yaml:2'],
    ['foreignKeys:\n  - { columns: [b_id], references: s.gone }', 'catalog.yaml:2: foreign key a_b_id_fkey: there is no dataset s.gone'],
    [
      'foreignKeys:\n  - { columns: [b_id], references: s.b }',
      'catalog.yaml:2: foreign key a_b_id_fkey: s.b has no primary key; write referencedColumns',
    ],
    [
      'foreignKeys:\n  - { columns: [b_id], references: s.b, referencedColumns: [z] }',
      'catalog.yaml:2: s.b: there is no column z for a key',
    ],
    ['foreignKeys:\n  - { columns: [b_id, x], references: s.b, referencedColumns: [id] }', 'it needs as many columns as it refers to'],
  ])('%s', (yaml, problem) => {
    const { datasets, problems } = load({ a: yaml });
    expect(problems.join('\n')).toContain(problem);
    expect(datasets[0]?.primaryKey).toBeUndefined();
    expect(datasets[0]?.foreignKeys).toBeUndefined();
  });
});

test('a dataset out of service has no keys, and its keys are no problem', () => {
  const { datasets, problems } = load({ a: 'foreignKeys:\n  - { columns: [b_id], references: s.b }', b: 'primaryKey: [id]' }, [
    dataset('a', ['b_id']),
    dataset('b', [], { broken: 'gone' }),
  ]);
  expect(problems).toEqual([]);
  expect(datasets[0]?.foreignKeys).toBeUndefined();
});
