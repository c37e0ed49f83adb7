import { expect, test } from 'vitest';
import type { Grant } from '#src/model.js';
import { coversCell, indexRights } from '#src/policy/rights.js';
import { LOG, ORDERS, PEOPLE } from './fixture.ts';

const grant = (id: string, object: string, action: string = 'select'): Grant => ({ id, role: 'r', object, action, effect: 'allow' });
const rights = indexRights({
  roles: ['r'],
  routes: [
    grant('exact', 'Demo.People'),
    grant('schema', 'demo.*'),
    grant('all', '*'),
    grant('tag', 'tag:sales'),
    grant('column', 'demo.people.ssn'),
    grant('columns', 'demo.*.reg*'),
    grant('columnTag', 'column-tag:card'),
    grant('nonsense', 'x:y'),
    grant('other', '*', 'describe'),
    grant('server', '*', 'audit'),
  ].map((each) => ({ grant: each, via: new Set<string>() })),
  denials: [grant('no', 'tag:personal')],
});

test('lookup by name, tag and pattern', () => {
  const ids = (dataset: typeof PEOPLE): readonly string[] =>
    rights
      .routes('select', dataset)
      .map((right) => `${right.held.grant.id} ${right.covers}`)
      .sort();
  expect(ids(PEOPLE)).toEqual(['all dataset', 'column columns', 'columns columns', 'exact dataset', 'schema dataset']);
  expect(ids(ORDERS)).toEqual(['all dataset', 'columnTag columns', 'columns columns', 'schema dataset', 'tag dataset']);
  expect(ids(LOG)).toEqual(['all dataset']);
  expect(rights.denials('select', ORDERS).map((right) => right.held.id)).toEqual(['no']);
  expect(rights.denials('select', LOG)).toEqual([]);
  expect(rights.routes('unmask', PEOPLE)).toEqual([]);
});

test('cells of column rights', () => {
  const [column] = rights.routes('select', PEOPLE).filter((right) => right.held.grant.id === 'column');
  const covered = PEOPLE.columns.filter((each) => column !== undefined && coversCell(column, PEOPLE, each));
  expect(covered.map((each) => each.name)).toEqual(['ssn']);
});

test('rights on the server', () => {
  expect(rights.global('audit')).toBe(true);
  expect(rights.global('unmask')).toBe(false);
  expect(indexRights({ roles: [], routes: [{ grant: grant('a', 'demo.*', 'audit'), via: new Set() }], denials: [] }).global('audit')).toBe(
    false,
  );
  const denied = indexRights({
    roles: [],
    routes: [{ grant: grant('a', '*', 'audit'), via: new Set() }],
    denials: [grant('d', '*', 'audit')],
  });
  expect(denied.global('audit')).toBe(false);
});
