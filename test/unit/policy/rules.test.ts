import { expect, test } from 'vitest';
import { rulesFor } from '#src/policy/rules.js';
import { describePredicate } from '#src/policy/words.js';
import { ORDERS, PEOPLE, principal, snapshotOf } from './fixture.ts';

const RULES = `
rowFilters:
  - { id: everywhere, datasets: ["*"], filter: region IS NOT NULL }
  - { id: tagged, tags: [sales], filter: amount > 0 }
  - { id: byGrant, grants: [g1], datasets: [demo.people], filter: level = 1 }
  - { id: byRole, roles: [a], datasets: [demo.people], filter: level = 2 }
  - { id: unless, exceptRoles: [a], datasets: [demo.people], filter: level = 3 }
  - { id: always, roles: [b], restrictive: true, datasets: [demo.people], filter: level = 4 }
  - { id: alwaysByGrant, grants: [g1], restrictive: true, datasets: [demo.people], filter: level = 5 }
masks:
  - { id: m1, tags: [pii], columns: ["*m*"], mask: hash }
  - { id: m2, roles: [a], columns: [SSN], mask: token }
  - { id: m3, grants: [g2], mask: redact }`;

const grant = (id: string) => ({ id, role: 'a', object: '*', action: 'select', effect: 'allow' }) as const;

async function rules(dataset = PEOPLE) {
  const snapshot = await snapshotOf('', RULES);
  return rulesFor(snapshot, dataset, principal('ann'), { roles: new Set(['a', 'b']), grants: new Set(['g1', 'g2']) });
}

test('filters go with the grant, the way and the dataset', async () => {
  const people = await rules();
  expect(people.filterOf({ grant: grant('g1'), via: new Set(['a']) }).rules).toEqual([
    'everywhere',
    'byGrant',
    'byRole',
    'always',
    'alwaysByGrant',
  ]);
  expect(people.filterOf({ grant: grant('g2'), via: new Set(['b']) }).rules).toEqual(['everywhere', 'unless', 'always', 'alwaysByGrant']);
  expect(describePredicate(people.filterOf({ grant: grant('g2'), via: new Set(['a']) }).predicate)).toBe(
    'not region is missing and level = 2 and level = 4 and level = 5',
  );
  expect((await rules(ORDERS)).filterOf({ grant: grant('g1'), via: new Set() }).rules).toEqual(['everywhere', 'tagged']);
});

test('below a view without a grant, the rules of all roles hold and no role excepts; rules of grants do not', async () => {
  expect((await rules()).filterWithoutGrant().rules).toEqual(['everywhere', 'byRole', 'unless', 'always']);
});

test('masks go with column, tag, way and grant', async () => {
  const people = await rules();
  const ids = (name: string, via: readonly string[], id: string): readonly string[] => {
    const column = PEOPLE.columns.find((each) => each.name === name) ?? expect.fail(name);
    return people.masksOf({ grant: grant(id), via: new Set(via) }, column).map((rule) => rule.id);
  };
  expect(ids('email', [], 'g1')).toEqual(['m1']);
  expect(ids('name', [], 'g1')).toEqual([]);
  expect(ids('ssn', ['a'], 'g1')).toEqual(['m2']);
  expect(ids('ssn', ['b'], 'g2')).toEqual(['m3']);
  const [, , , ssn] = PEOPLE.columns;
  expect(ssn && people.masksOf(null, ssn).map((rule) => rule.id)).toEqual(['m2']);
});
