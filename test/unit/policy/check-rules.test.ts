import { expect, test } from 'vitest';
import { checkPolicy } from '#src/policy/check.js';
import { snapshotOf, TAGS } from './fixture.ts';

/** Masks fit text only, except `round`, which fits numbers. */
function supportsMask(mask: { readonly kind: string }, type: string): boolean {
  return mask.kind === 'round' ? type.startsWith('DECIMAL') : type === 'VARCHAR';
}

async function found(rules: string): Promise<readonly string[]> {
  const users = [{ name: 'ann', passwordHash: '', groups: [], attributes: {} }];
  const snapshot = await snapshotOf('p, a, *, select, allow, g1\ng, user:ann, a', rules, { users });
  return checkPolicy(snapshot, { supportsMask, tags: TAGS }).map(({ effect, message, datasets }) =>
    [effect, message, ...datasets].join(' | '),
  );
}

test.each([
  ['region = principal.region', []],
  ['lower(region) = principal.region AND year(born) < 2000 AND born < current_date AND seen > born', []],
  ['gone = 1', ['break | demo.people: the filter names column gone, which does not exist | demo.people']],
  ['lower(gone) = name', ['break | demo.people: the filter names column gone, which does not exist | demo.people']],
  ["REGION = 'EU'", []],
  ["level = 'x'", ['break | demo.people: the filter compares column level with a value of another type | demo.people']],
  [
    "NOT (active OR level IN (1, '2'))",
    ['break | demo.people: the filter compares column level with a value of another type | demo.people'],
  ],
  ["level LIKE '1%'", ['break | demo.people: the filter compares column level with a value of another type | demo.people']],
  ["lower(level) = '1'", ["break | demo.people: lower does not fit its value's type | demo.people"]],
  ['year(region) = 1', ["break | demo.people: year does not fit its value's type | demo.people"]],
  ['year(region) IS NULL', ["break | demo.people: year does not fit its value's type | demo.people"]],
  ['active = 1', ['break | demo.people: the filter compares column active with a value of another type | demo.people']],
])('filter %s', async (filter, expected) => {
  expect(await found(`rowFilters: [{ id: f, datasets: [demo.people], filter: "${filter}" }]`)).toEqual(expected);
});

test('a filter is checked on every dataset in its scope', async () => {
  expect(await found('rowFilters: [{ id: f, tags: [personal], filter: level = 1 }]')).toEqual([
    'break | demo.orders: the filter names column level, which does not exist | demo.orders',
  ]);
});

test.each([
  ['tags: [email], mask: email', []],
  ['datasets: [demo.people], tags: [card], mask: redact', ['break | demo.people has no column that this mask could cover | demo.people']],
  ['datasets: ["demo.*"], tags: [card], mask: redact', []],
  ['tags: [birth], mask: redact', ['break | demo.people: mask redact does not fit column born of type DATE | demo.people']],
  ['tags: [birth], mask: hide', []],
  ['tags: [money], mask: { round: 10 }', []],
  ['datasets: [demo.people], columns: [ssn, gone], mask: redact', ['break | demo.people has no column gone | demo.people']],
  [
    'datasets: ["demo.*"], columns: [gone], mask: redact',
    ['break | no dataset in its scope has a column gone | demo.people | demo.orders'],
  ],
  ['columns: [gone], mask: redact', ['reject | no dataset has a column gone']],
  ['columns: [card], mask: redact', []],
  ['columns: ["go*"], mask: redact', []],
  ['tags: [gone], mask: redact', ['reject | tag gone is not declared in catalog.yaml']],
  ['tags: [email], roles: [gone], mask: redact', ['reject | there is no role gone']],
  ['tags: [email], exceptRoles: [gone], mask: redact', ['reject | there is no role gone']],
  ['tags: [email], grants: [gone], mask: redact', ['reject | there is no grant gone']],
  ['tags: [email], datasets: [demo.gone], mask: redact', ['reject | no dataset is called demo.gone']],
  ['tags: [email], datasets: ["gone.*", demo.people], mask: redact', ['reject | no dataset is called gone.*']],
  [
    'tags: [email], datasets: [demo.people.email], mask: redact',
    ['reject | demo.people.email is no dataset pattern; use schema.name, with * for any part'],
  ],
])('mask %s', async (scope, expected) => {
  expect(await found(`masks: [{ id: m, ${scope} }]`)).toEqual(expected);
});
