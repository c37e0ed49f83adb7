/** Writes a small policy directory for a test or the bench. YAML reads JSON, so the parts go in as plain objects. */
import { randomBytes, scryptSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The cheapest cost that a policy file may ask for: these users guard nothing. */
const COST = { N: 1024, r: 8, p: 1 };

export function passwordHash(password) {
  const salt = randomBytes(16);
  const hash = scryptSync(password, salt, 32, COST);
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64'), hash.toString('base64')].join('$');
}

/** `users`: name → {roles, groups?, attributes?}; each password is `<name>-demo`. `grants`: [role, object, action] triples that allow. */
export function writePolicySet(directory, { catalog, users, grants, rowFilters = [], masks = [] }) {
  mkdirSync(directory, { recursive: true });
  const write = (name, text) => writeFileSync(join(directory, name), text);
  const lines = [
    ...grants.map(([role, object, action], index) => `p, ${role}, ${object}, ${action}, allow, grant-${index + 1}`),
    ...Object.entries(users).flatMap(([name, { roles }]) => roles.map((role) => `g, user:${name}, ${role}`)),
  ];
  const people = Object.entries(users).map(([name, { groups = [], attributes = {} }]) => [
    name,
    { passwordHash: passwordHash(`${name}-demo`), groups, attributes },
  ]);
  write('catalog.yaml', JSON.stringify(catalog, null, 2));
  write('rules.yaml', JSON.stringify({ rowFilters, masks }, null, 2));
  write('users.yaml', JSON.stringify({ users: Object.fromEntries(people) }, null, 2));
  write('policy.csv', `${lines.join('\n')}\n`);
}
