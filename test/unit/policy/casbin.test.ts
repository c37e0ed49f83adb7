import { expect, test } from 'vitest';
import { createEnforcer, expandPrincipal, isMember, isSupportedModel } from '#src/policy/casbin.js';
import { principal, snapshotOf } from './fixture.ts';

async function expand(policy: string, named: readonly string[], groups: readonly string[] = []) {
  const enforcer = await createEnforcer(await snapshotOf(policy));
  const { roles, routes, denials } = await expandPrincipal(enforcer, principal('ann', {}, groups), new Set(named));
  return {
    roles,
    routes: routes.map(({ grant, via }) => [grant.id, [...via].sort().join('+')].join(' via ')).sort(),
    denials: denials.map(({ id }) => id),
  };
}

test('roles and grants over users, groups and inheritance', async () => {
  const policy = `
p, base, demo.*, select, allow, g1
p, top, demo.orders, select, deny, d1
p, crew, other.*, describe, allow, g2
g, top, base
g, user:ann, top
g, group:all, crew
g, user:bob, nobody`;
  expect(await expand(policy, [], ['all'])).toEqual({ roles: ['base', 'crew', 'top'], routes: ['g1 via ', 'g2 via '], denials: ['d1'] });
  expect(await expand(policy, [], [])).toMatchObject({ roles: ['base', 'top'] });
});

test('a grant has one route per different chain of named roles', async () => {
  const diamond = `
p, base, demo.*, select, allow, g1
g, left, base
g, right, base
g, user:ann, left
g, user:ann, right`;
  expect((await expand(diamond, ['left'])).routes).toEqual(['g1 via ', 'g1 via left']);
  expect((await expand(diamond, ['left', 'right', 'base'])).routes).toEqual(['g1 via base+left', 'g1 via base+right']);
  expect((await expand(diamond, [])).routes).toEqual(['g1 via ']);
});

test('a circle of roles ends, and a chain longer than ten is followed', async () => {
  const circle = 'p, a, demo.*, select, allow, g1\ng, a, b\ng, b, a\ng, user:ann, b';
  expect((await expand(circle, [])).roles).toEqual(['a', 'b']);
  const links = Array.from({ length: 40 }, (_, i) => `g, r${i}, r${i + 1}`).join('\n');
  expect((await expand(`p, r40, demo.*, select, allow, g1\ng, user:ann, r0\n${links}`, ['r7'])).routes).toEqual(['g1 via r7']);
});

test('too many different chains grant nothing', async () => {
  const layers = 15;
  const names = Array.from({ length: layers }, (_, i) => [`x${i}`, `y${i}`]).flat();
  const links = Array.from({ length: layers - 1 }, (_, i) =>
    ['x', 'y'].flatMap((a) => ['x', 'y'].map((b) => `g, ${a}${i}, ${b}${i + 1}`)),
  ).flat();
  const policy = `p, x${layers - 1}, demo.*, select, allow, g1\ng, user:ann, x0\ng, user:ann, y0\n${links.join('\n')}`;
  expect((await expand(policy, names)).routes).toEqual([]);
});

test('repeated memberships load, repeated grants refuse', async () => {
  const snapshot = await snapshotOf('p, a, demo.*, select, allow, g1\ng, user:ann, a');
  const twice = { ...snapshot, memberships: [...snapshot.memberships, ...snapshot.memberships] };
  expect(await (await createEnforcer(twice)).getRolesForUser('user:ann')).toEqual(['a']);
  await expect(createEnforcer({ ...snapshot, grants: [...snapshot.grants, ...snapshot.grants] })).rejects.toMatchObject({
    code: 'policy.invalid',
  });
});

test('only the one model is enforced', async () => {
  const snapshot = await snapshotOf('p, a, demo.*, select, allow, g1');
  const lenient =
    '[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act\n[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\nm = true';
  expect(isSupportedModel('')).toBe(true);
  expect(isSupportedModel(lenient)).toBe(false);
  await expect(createEnforcer({ ...snapshot, model: lenient })).rejects.toMatchObject({ code: 'policy.invalid' });
  expect([isMember('user:a'), isMember('group:a'), isMember('a')]).toEqual([true, true, false]);
});
