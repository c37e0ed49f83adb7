import { expect, test } from 'vitest';
import { Problems } from '#src/catalog/problems.js';
import { readRules } from '#src/catalog/read-rules.js';
import type { Predicate } from '#src/model.js';

const always: Predicate = { kind: 'boolean', value: true };

async function read(text: string) {
  const problems = new Problems();
  const parse = async (filter: string): Promise<Predicate> => {
    if (filter.includes('bad')) throw new Error('no such thing');
    return always;
  };
  return { ...(await readRules(text, parse, problems)), problems: problems.list };
}

test('row filters and masks with every key', async () => {
  const { rowFilters, masks, positions, problems } = await read(`
rowFilters:
  - { id: f1, roles: [a], exceptRoles: [b], datasets: ["demo.*"], tags: [pii], grants: [g1], restrictive: true, filter: a = 1 }
  - id: f2
    filter: a = 1
masks:
  - { id: m1, roles: [a], columns: ["x*"], mask: { last: 4 } }
  - { id: m2, tags: [pii], mask: hide }`);
  expect(problems).toEqual([]);
  expect(rowFilters).toEqual([
    { id: 'f1', roles: ['a'], exceptRoles: ['b'], datasets: ['demo.*'], tags: ['pii'], grants: ['g1'], restrictive: true, filter: always },
    { id: 'f2', restrictive: false, filter: always },
  ]);
  expect(masks).toEqual([
    { id: 'm1', roles: ['a'], columns: ['x*'], treatment: { kind: 'last', count: 4 } },
    { id: 'm2', tags: ['pii'], treatment: { kind: 'hide' } },
  ]);
  expect(positions.get('filter f2')?.line).toBe(4);
});

test('all faults at once', async () => {
  const { problems } = await read(`rowFilters:
  - { id: f1, filter: bad }
  - { id: f1, filter: a = 1, masks: x }
  - { filter: a = 1 }
  - { id: f4, roles: [], filter: a = 1 }
  - { id: f5, roles: a, filter: 1 }
masks:
  - { id: f1, mask: hash }
  - { id: m2 }
`);
  expect([...problems].sort()).toEqual([
    'rules.yaml:2: row filter f1 is not in the filter language: no such thing',
    'rules.yaml:3: rule f1 is there twice, first in line 2',
    'rules.yaml:3: unknown key masks; known are id, roles, exceptRoles, datasets, tags, grants, restrictive, filter',
    'rules.yaml:4: rowFilters needs id',
    'rules.yaml:5: the list is empty; leave the key out to mean everything',
    'rules.yaml:6: filter must be text; put it in quotes',
    'rules.yaml:6: roles must be a list',
    'rules.yaml:8: rule f1 is there twice, first in line 2',
    'rules.yaml:9: masks needs mask',
  ]);
});

test.each(['', 'rowFilters: []', 'masks: []', 'rowFilters:\nmasks: []', 'rowFilters: {}\nmasks: []'])(
  'a cut-off file is a fault: %j',
  async (text) => {
    expect((await read(text)).problems.length).toBeGreaterThan(0);
  },
);
