import { expect, test } from 'vitest';
import type { Snapshot } from '#src/model.js';
import { checkPolicy } from '#src/policy/check.js';
import { PEOPLE, snapshotOf, TAGS } from './fixture.ts';

const USERS = [{ name: 'ann', passwordHash: '', groups: ['crew'], attributes: {} }];

async function found(policy: string, more: Partial<Snapshot> = {}): Promise<readonly string[]> {
  const snapshot = await snapshotOf(policy, '', { users: USERS, ...more });
  const findings = checkPolicy(snapshot, { supportsMask: () => true, tags: TAGS });
  return findings.map(
    ({ effect, about, message, datasets }) =>
      `${effect} ${about.kind} ${about.id}: ${message}${datasets.length > 0 ? ` [${datasets.join()}]` : ''}`,
  );
}

test('a sound policy has no findings', async () => {
  const policy = `
p, a, demo.*, select, allow, g1
p, a, demo.people.ssn, select, deny, g2
p, a, column-tag:pii, unmask, allow, g3
p, a, tag:personal, describe, allow, g4
p, a, *, audit, allow, g5
p, a, *, operate, allow, g7
p, b, *.l*g, select, allow, g6
g, a, b
g, user:ann, a
g, group:crew, a`;
  expect(await found(policy)).toEqual([]);
});

test.each([
  ['p, a, demo.gone, select, allow, g1', 'reject grant g1: no dataset is called demo.gone'],
  ['p, a, gone.*, select, allow, g1', 'warn grant g1: no dataset is called gone.*'],
  ['p, a, gone.*, select, deny, g1', 'reject grant g1: no dataset is called gone.*'],
  ['p, a, demo.people.gone, select, allow, g1', 'warn grant g1: no column of demo.people is called gone'],
  ['p, a, demo.people.gone, select, deny, g1', 'break grant g1: no column of demo.people is called gone [demo.people]'],
  ['p, a, demo.*.gone, unmask, deny, g1', 'break grant g1: no column of demo.* is called gone [demo.people,demo.orders]'],
  ['p, a, tag:gone, select, allow, g1', 'reject grant g1: tag gone is not declared in catalog.yaml'],
  ['p, a, column-tag:gone, select, deny, g1', 'reject grant g1: tag gone is not declared in catalog.yaml'],
  [
    'p, a, people, select, allow, g1',
    'reject grant g1: people is no object; use schema.name, schema.name.column, tag:x, column-tag:x or *',
  ],
  ['p, a, demo.people, SELECT, allow, g1', 'reject grant g1: unknown action SELECT; use select, unmask, describe, create, audit, operate'],
  ['p, a, demo.people, audit, allow, g1', 'reject grant g1: audit is a right on the server; its object is *'],
  ['p, a, demo.*, operate, deny, g1', 'reject grant g1: operate is a right on the server; its object is *'],
  ['p, a, demo.people.ssn, describe, allow, g1', 'reject grant g1: describe is a right on datasets, not on columns'],
])('%s', async (line, expected) => {
  expect(await found(`${line}\ng, user:ann, a`)).toEqual([expected]);
});

test.each([
  ['p, a, mine.*, create, allow, g1', []],
  ['p, a, mine.tmp_*, create, deny, g1', []],
  ['p, a, mine.*, select, deny, g1', []],
  ['p, a, mine.*, select, allow, g1', ['warn grant g1: no dataset is called mine.*']],
  ['p, a, demo.*, create, allow, g1', ['reject grant g1: create is a right on names in the scratch schema, such as mine.*']],
  ['p, a, *, create, allow, g1', ['reject grant g1: create is a right on names in the scratch schema, such as scratch.*']],
  ['p, a, tag:pii, create, allow, g1', ['reject grant g1: create is a right on names in the scratch schema, such as scratch.*']],
])('with a scratch schema: %s', async (line, expected) => {
  expect(await found(`${line}\ng, user:ann, a`, { scratchSchema: 'mine' })).toEqual(expected);
});

test('without a scratch schema a grant to create is of no use', async () => {
  expect(await found('p, a, scratch.*, create, allow, g1\ng, user:ann, a')).toEqual([
    'warn grant g1: there is no scratch schema; add scratch: { schema: … } to catalog.yaml',
  ]);
});

test('roles and members', async () => {
  expect(await found('p, a, demo.people, select, allow, g1')).toEqual(['warn grant g1: role a has no member']);
  expect(await found('p, user:ann, demo.people, select, allow, g1')).toEqual([
    'reject grant g1: grants go to roles; make user:ann a member of one with a g line',
  ]);
  expect(await found('g, user:ann, a')).toEqual(['warn member user:ann a: role a has no grant']);
  const reader = 'p, a, demo.people, select, allow, g1\ng, user:ann, a\n';
  expect(await found(`${reader}g, user:oidc:gone, a\ng, group:oidc:anybody, a`)).toEqual([]);
  expect(await found(`${reader}g, user:gone, a`)).toEqual(['reject member user:gone a: there is no user gone in users.yaml']);
  expect(await found(`${reader}g, group:gone, a`)).toEqual(['warn member group:gone a: no user of users.yaml is in group gone']);
  expect(await found(`${reader}g, ann, a`)).toEqual([
    'reject member ann a: there is no role ann; write user:ann or group:ann for a person or a group',
  ]);
  expect(await found(`${reader}g, a, user:ann`)).toContain('reject member a user:ann: user:ann is not a role; write g, member, role');
  expect(await found(`${reader}g, a, b\ng, b, a`)).toEqual([
    'reject member a b: role b inherits itself',
    'reject member b a: role a inherits itself',
  ]);
  expect(await found(`${reader}g, a, a`)).toEqual(['reject member a a: role a inherits itself']);
});

test('another model is refused', async () => {
  expect(await found('', { model: 'm = true' })).toEqual([
    'reject model : this is not the Casbin model that Sluice enforces; keep it as it is in policies/quickstart',
  ]);
});

test('columns of a broken dataset are not missed', async () => {
  const datasets = [{ ...PEOPLE, columns: [], broken: 'no file' }];
  expect(await found('p, a, demo.people.ssn, select, deny, g1\ng, user:ann, a', { datasets })).toEqual([]);
});
