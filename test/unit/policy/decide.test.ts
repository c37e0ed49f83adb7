/** test/cases/policy.yaml, one test per case. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Decision } from '#src/model.js';
import { compilePolicy, describePredicate } from '#src/policy/index.js';
import { PEOPLE, principal, snapshotOf } from './fixture.ts';

interface Expected {
  readonly rows: string;
  readonly columns?: Readonly<Record<string, string>>;
  readonly grants?: readonly string[];
  readonly roles?: readonly string[];
  readonly rules?: readonly string[];
}

interface Case {
  readonly name: string;
  readonly policy?: string;
  readonly rules?: string;
  readonly groups?: readonly string[];
  readonly attributes?: Readonly<Record<string, string | readonly string[]>>;
  readonly throughView?: boolean;
  readonly expect: Readonly<Record<string, Expected>>;
}

const cases = parse(readFileSync('test/cases/policy.yaml', 'utf8')) as readonly Case[];

test.each(cases)('$name', async (each) => {
  const snapshot = await snapshotOf(each.policy ?? '', each.rules);
  const policy = await (await compilePolicy(snapshot)).forPrincipal(principal('ann', each.attributes, each.groups));
  for (const [id, expected] of Object.entries(each.expect)) {
    const dataset = snapshot.datasets.find((found) => found.id === id) ?? expect.fail(`no dataset ${id}`);
    const decision = each.throughView ? policy.decideThroughView(dataset) : policy.decide(dataset);
    expect(summary(decision)).toEqual({ columns: {}, ...expected, ...pick(decision, expected) });
  }
});

function pick(decision: Decision, expected: Expected): Partial<Expected> {
  if (decision.effect === 'deny') return {};
  const { grants, roles, rules } = decision;
  return { grants: expected.grants ?? grants, roles: expected.roles ?? roles, rules: expected.rules ?? rules };
}

function summary(decision: Decision): unknown {
  if (decision.effect === 'deny') return { rows: `deny: ${decision.reason}`, columns: {} };
  const rows = decision.rowFilter === null ? 'all' : describePredicate(decision.rowFilter).replace(/^no row$/, 'none');
  const columns = decision.columns.flatMap(({ name, treatment }) => {
    if (treatment.kind === 'raw') return [];
    if (treatment.kind === 'hidden') return [[name, 'hidden']];
    return [[name, treatment.mask.kind + (treatment.rawWhen === null ? '' : `, raw when ${describePredicate(treatment.rawWhen)}`)]];
  });
  const { grants, roles, rules } = decision;
  return { rows, columns: Object.fromEntries(columns), grants, roles, rules };
}

test('a broken dataset is unreadable, without saying why', async () => {
  const broken = { ...PEOPLE, broken: 'mask m1 names column secret_column' };
  const snapshot = await snapshotOf('p, reader, *, select, allow, g1\np, reader, *, describe, allow, g2\ng, user:ann, reader', '', {
    datasets: [broken],
  });
  const policy = await (await compilePolicy(snapshot)).forPrincipal(principal('ann'));
  const decision = policy.decide(broken);
  expect(decision.effect).toBe('deny');
  expect(JSON.stringify(decision)).not.toContain('secret_column');
  expect(policy.decideThroughView(broken).effect).toBe('deny');
  expect(policy.mayDescribe(broken)).toBe(false);
});

test('every column decision says which rules and grants led to it', async () => {
  const snapshot = await snapshotOf(
    'p, a, demo.*, select, allow, g1\np, b, demo.*, select, allow, g2\ng, user:ann, a\ng, user:ann, b',
    `rowFilters: [{ id: f1, roles: [b], datasets: [demo.people], filter: level = 1 }]
masks: [{ id: m1, tags: [email], exceptRoles: [b], mask: email }, { id: m2, tags: [pii], exceptRoles: [b], mask: token }]`,
  );
  const policy = await (await compilePolicy(snapshot)).forPrincipal(principal('ann'));
  const decision = policy.decide(PEOPLE);
  const email = decision.effect === 'allow' ? decision.columns.find((column) => column.name === 'email') : undefined;
  expect(email?.rules).toEqual(['m2', 'm1', 'g2']);
  expect(email?.reason).toBe('raw on the rows of g2; elsewhere masked by m2, which is at least as strict as m1');
});
