import { expect, test } from 'vitest';
import { grantsIn } from '#src/policy/clusters.js';
import { compilePolicy } from '#src/policy/index.js';
import { ORDERS, PEOPLE, principal, snapshotOf } from './fixture.ts';

const LINES = [
  'p, a, demo.people, select, allow, everywhere',
  'p, a, demo.orders, select, allow, adhoc, adhoc-*',
  'p, a, demo.people, select, deny, not-in-prod, prod',
  'g, user:ann, a',
].join('\n');

test.each<[string | null, string[]]>([
  ['adhoc-1', ['everywhere', 'adhoc']],
  ['adhoc-', ['everywhere', 'adhoc']],
  ['adhoc', ['everywhere']],
  ['xadhoc-1', ['everywhere']],
  ['prod', ['everywhere', 'not-in-prod']],
  ['prod-2', ['everywhere']],
  // What only limits is not lost with the name.
  [null, ['everywhere', 'not-in-prod']],
])('in %s hold %j', async (cluster, expected) => {
  const { grants } = await snapshotOf(LINES);
  expect(grantsIn(grants, cluster).map(({ id }) => id)).toEqual(expected);
  expect(grantsIn(grants, cluster)).toBe(grantsIn(grants, cluster));
});

test('decisions follow the cluster, and so do their fingerprints', async () => {
  const snapshot = await snapshotOf(LINES);
  const rights = async (cluster: string) => (await compilePolicy(snapshot, cluster)).forPrincipal(principal('ann'));
  const [adhoc, prod, west, east] = await Promise.all(['adhoc-7', 'prod', 'west', 'east'].map(rights));
  const effects = [adhoc, prod, west].map((each) => [PEOPLE, ORDERS].map((dataset) => each?.decide(dataset).effect));
  expect(effects).toEqual([
    ['allow', 'allow'],
    ['deny', 'deny'],
    ['allow', 'deny'],
  ]);
  expect(west?.fingerprint([PEOPLE.id, ORDERS.id])).toBe(east?.fingerprint([PEOPLE.id, ORDERS.id]));
  expect(adhoc?.fingerprint([ORDERS.id])).not.toBe(west?.fingerprint([ORDERS.id]));
});

test('the policy shows the whole set, whatever holds here', async () => {
  const snapshot = await snapshotOf(LINES);
  expect((await compilePolicy(snapshot, 'west')).snapshot).toBe(snapshot);
});

test('a rule may name a grant of another cluster: it is no fault, and opens nothing', async () => {
  const rules = 'rowFilters:\n  - { id: f1, grants: [adhoc], filter: "amount > 10" }\nmasks: []\n';
  const snapshot = await snapshotOf(LINES, rules);
  const decide = async (cluster: string) => (await (await compilePolicy(snapshot, cluster)).forPrincipal(principal('ann'))).decide(ORDERS);
  expect((await decide('west')).effect).toBe('deny');
  expect(await decide('adhoc-1')).toMatchObject({ effect: 'allow', rules: ['f1'] });
});
