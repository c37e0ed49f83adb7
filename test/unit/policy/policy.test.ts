import { readFileSync } from 'node:fs';
import { newEnforcer, newModelFromString } from 'casbin';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Dataset, Decision, Grant, MaskRule, Predicate, RowFilterRule, Snapshot } from '#src/model.js';
import { compilePolicy, type PrincipalPolicy } from '#src/policy/index.js';
import { SEED } from '../../support/seed.ts';
import { evaluate } from './evaluate.ts';
import { LOG, ORDERS, PEOPLE, principal, snapshotOf } from './fixture.ts';

async function policyOf(snapshot: Snapshot, ...who: Parameters<typeof principal>): Promise<PrincipalPolicy> {
  return (await compilePolicy(snapshot)).forPrincipal(principal(...who));
}

const DATASETS = [PEOPLE, ORDERS, LOG];
const ROLES = ['r0', 'r1', 'r2', 'r3'];
const role = fc.constantFrom(...ROLES);
const memberships = fc.uniqueArray(
  fc
    .tuple(fc.constantFrom('user:ann', 'group:crew', 'user:bob', ...ROLES), role)
    .filter(([member, target]) => !member.startsWith('r') || member < target),
  { maxLength: 7, selector: (link) => link.join() },
);

function grants(objects: readonly string[], actions: readonly string[]) {
  const grant = fc.tuple(
    role,
    fc.constantFrom(...objects),
    fc.constantFrom(...actions),
    fc.constantFrom('allow', 'allow', 'allow', 'deny'),
  );
  return fc.array(grant, { maxLength: 8 }).map((list) =>
    list.map(
      ([holder, object, action, effect], i): Grant => ({
        id: `g${i}`,
        role: holder,
        object,
        action,
        effect: effect === 'deny' ? 'deny' : 'allow',
      }),
    ),
  );
}

describe("agrees with Casbin's own enforce", () => {
  const objects = ['*', 'demo.*', '*.people', 'demo.people', 'DEMO.Orders', 'other.l*g', 'tag:sales', 'tag:personal', 'tag:none'];
  const columnObjects = ['demo.people.ssn', 'demo.*.region', 'column-tag:pii', '*.*.id', 'other.log.line'];

  /** The reference's own idea of objects, by regular expressions. */
  function objectMatch(requested: string, pattern: string): boolean {
    const [schema, name, column] = requested.split('.');
    const dataset = DATASETS.find((each) => each.schema === schema && each.name === name);
    if (dataset === undefined) return false;
    if (pattern.startsWith('tag:')) return dataset.tags.includes(pattern.slice(4));
    if (pattern.startsWith('column-tag:'))
      return dataset.columns.some((each) => each.name === column && each.tags.includes(pattern.slice(11)));
    const globs = pattern === '*' ? ['*', '*'] : pattern.split('.');
    if (globs.length === 3 && column === undefined) return false;
    return globs.every((glob, i) => new RegExp(`^${glob.replaceAll('*', '.*')}$`, 'i').test([schema, name, column][i] ?? ''));
  }

  test('over random roles, grants and denials, for datasets and for each column', async () => {
    const model = readFileSync('policies/quickstart/model.conf', 'utf8');
    const base = await snapshotOf('');
    await fc.assert(
      fc.asyncProperty(memberships, grants([...objects, ...columnObjects], ['select', 'describe']), async (links, lines) => {
        const reference = await newEnforcer(newModelFromString(model));
        await reference.addFunction('objectMatch', objectMatch);
        await reference.addPolicies(lines.map((grant) => [grant.role, grant.object, grant.action, grant.effect, grant.id]));
        const linked = links.map(([member, target]) => [member, target]);
        // The principal's groups are facts of the principal; for Casbin they are one more link.
        await reference.addGroupingPolicies([...linked, ['user:ann', 'group:crew']]);
        const policy = await policyOf({ ...base, memberships: links, grants: lines }, 'ann', {}, ['crew']);
        for (const dataset of DATASETS) {
          const decision = policy.decide(dataset);
          const allowed = await Promise.all(
            dataset.columns.map((column) => reference.enforce('user:ann', `${dataset.id}.${column.name}`, 'select')),
          );
          expect(decision.effect, dataset.id).toBe(allowed.includes(true) ? 'allow' : 'deny');
          if (decision.effect === 'allow')
            expect(decision.columns.map((column) => column.treatment.kind !== 'hidden' && column.treatment.kind)).toEqual(kindsOf(allowed));
          const described = await reference.enforce('user:ann', dataset.id, 'describe');
          const refused = lines.some(
            (grant) =>
              grant.effect === 'deny' &&
              grant.action === 'describe' &&
              policy.roles.includes(grant.role) &&
              objectMatch(dataset.id, grant.object),
          );
          expect(policy.mayDescribe(dataset), dataset.id).toBe(!refused && (described || decision.effect === 'allow'));
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  /** Without rules a column is raw or hidden. */
  function kindsOf(allowed: readonly boolean[]): readonly (string | false)[] {
    return allowed.map((each) => (each ? 'raw' : false));
  }
});

describe('cell by cell, against a naive reading of the rules', () => {
  const ROWS = ['EU', 'US', null].flatMap((region) => [1, 2].map((level) => ({ region, level })));
  const filter = fc.constantFrom<Predicate>(
    { kind: 'boolean', value: true },
    ...['EU', 'US'].map(
      (value): Predicate => ({ kind: 'compare', op: '=', left: { kind: 'column', name: 'region' }, right: { kind: 'literal', value } }),
    ),
    { kind: 'compare', op: '=', left: { kind: 'column', name: 'level' }, right: { kind: 'attribute', name: 'level' } },
    {
      kind: 'not',
      operand: { kind: 'compare', op: '=', left: { kind: 'column', name: 'region' }, right: { kind: 'attribute', name: 'missing' } },
    },
  );
  const names = fc.option(fc.uniqueArray(role, { minLength: 1, maxLength: 2 }), { nil: undefined });
  const scope = fc
    .record({ roles: names, exceptRoles: names })
    .map(({ roles, exceptRoles }) => ({ ...(roles && { roles }), ...(exceptRoles && { exceptRoles }) }));
  const filters = fc.array(fc.tuple(scope, filter, fc.boolean()), { maxLength: 3 }).map((list) =>
    list.map(
      ([where, predicate, restrictive], i): RowFilterRule => ({
        id: `f${i}`,
        ...where,
        restrictive,
        datasets: ['demo.people'],
        filter: predicate,
      }),
    ),
  );
  const treatment = fc.constantFrom<MaskRule['treatment']>({ kind: 'hash' }, { kind: 'email' }, { kind: 'null' }, { kind: 'hide' });
  const masks = fc
    .array(fc.tuple(scope, treatment, fc.constantFrom('email', 'ssn', 'pii')), { maxLength: 3 })
    .map((list) => list.map(([where, mask, tag], i): MaskRule => ({ id: `m${i}`, ...where, tags: [tag], treatment: mask })));
  const objects = ['demo.people', 'demo.*', 'column-tag:pii', 'demo.people.email', 'demo.people.id'];

  interface Way {
    readonly grant: Grant;
    readonly via: ReadonlySet<string>;
  }

  /** Every chain of roles, written out. */
  function ways(snapshot: Snapshot, action: string): readonly Way[] {
    const found: Way[] = [];
    const walk = (name: string, via: readonly string[]): void => {
      for (const grant of snapshot.grants)
        if (grant.role === name && grant.action === action && grant.effect === 'allow') found.push({ grant, via: new Set(via) });
      for (const [member, target] of snapshot.memberships) if (member === name) walk(target, [...via, target]);
    };
    walk('user:ann', []);
    walk('group:crew', []);
    return found;
  }

  function covers(object: string, column: string): boolean {
    if (object === 'column-tag:pii') return column === 'email' || column === 'ssn';
    const [, , name] = object.split('.');
    return name === undefined || name === column;
  }

  function lets(snapshot: Snapshot, way: Way, held: ReadonlySet<string>, row: (typeof ROWS)[number]): boolean {
    return snapshot.rowFilters.every((rule) => {
      const bound = rule.roles === undefined || rule.roles.some((name) => (rule.restrictive ? held : way.via).has(name));
      if (!bound || rule.exceptRoles?.some((name) => way.via.has(name))) return true;
      return !JSON.stringify(rule.filter).includes('missing') && evaluate(fill(rule.filter), row) === true;
    });
  }

  function fill(predicate: Predicate): Predicate {
    return predicate.kind === 'compare' && predicate.right.kind === 'attribute'
      ? { ...predicate, right: { kind: 'literal', value: 1 } }
      : predicate;
  }

  function isRaw(snapshot: Snapshot, held: ReadonlySet<string>, column: string, row: (typeof ROWS)[number]): boolean {
    const reading = ways(snapshot, 'select');
    const open = (way: Way): boolean => covers(way.grant.object, column) && lets(snapshot, way, held, row);
    const masked = (way: Way): boolean =>
      snapshot.masks.some(
        (rule) =>
          (rule.tags?.includes('pii') || rule.tags?.includes(column)) &&
          (column === 'email' || column === 'ssn') &&
          (rule.roles === undefined || rule.roles.some((name) => way.via.has(name))) &&
          !rule.exceptRoles?.some((name) => way.via.has(name)),
      );
    if (reading.some((way) => open(way) && !masked(way))) return true;
    return ways(snapshot, 'unmask').some((way) => {
      const own = reading.filter((each) => each.via.has(way.grant.role));
      return open(way) && reading.some(open) && (own.length === 0 || own.some(open));
    });
  }

  /** How many visible rows, and cells whose value depends on the row, were compared. */
  const seen = { rows: 0, conditional: 0 };

  function compareRow(snapshot: Snapshot, held: ReadonlySet<string>, decision: Decision, row: (typeof ROWS)[number]): void {
    if (decision.effect === 'deny') return;
    const visible = ways(snapshot, 'select').some((way) => lets(snapshot, way, held, row));
    expect(decision.rowFilter === null || evaluate(decision.rowFilter, row) === true).toBe(visible);
    if (!visible) return;
    seen.rows++;
    for (const { name, treatment: cell } of decision.columns) {
      const condition = cell.kind === 'masked' ? cell.rawWhen : null;
      if (condition !== null) seen.conditional++;
      const raw = cell.kind === 'raw' || (condition !== null && evaluate(condition, row) === true);
      expect(raw, `${name} ${JSON.stringify(row)}`).toBe(isRaw(snapshot, held, name, row));
    }
  }

  test('rows and raw cells are the same', async () => {
    const base = await snapshotOf('');
    await fc.assert(
      fc.asyncProperty(
        memberships,
        grants(objects, ['select', 'select', 'unmask']),
        filters,
        masks,
        async (links, lines, rowFilters, maskRules) => {
          const allowed = lines.map((grant): Grant => ({ ...grant, effect: 'allow' }));
          const snapshot: Snapshot = { ...base, memberships: links, grants: allowed, rowFilters, masks: maskRules };
          const policy = await policyOf(snapshot, 'ann', { level: '1' }, ['crew']);
          const decision = policy.decide(PEOPLE);
          for (const row of ROWS) compareRow(snapshot, new Set(policy.roles), decision, row);
        },
      ),
      { seed: SEED, numRuns: 3000 },
    );
    expect(seen.rows).toBeGreaterThan(500);
    expect(seen.conditional).toBeGreaterThan(50);
  });
});

describe('fingerprint', () => {
  const POLICY = 'p, a, demo.*, select, allow, g1\np, b, other.*, select, allow, g2\ng, user:ann, a\ng, user:ann, b';
  const RULES = 'rowFilters: [{ id: f1, datasets: [demo.people], filter: region IN (principal.region) }]';
  const print = async (ids: readonly string[], more: Partial<Snapshot> = {}, region: readonly string[] = ['EU', 'US']): Promise<string> =>
    (await policyOf(await snapshotOf(POLICY, RULES, more), 'ann', { region })).fingerprint(ids);

  test('is the same for the same facts, in any order', async () => {
    const first = await print(['demo.people', 'demo.orders']);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(await print(['demo.orders', 'demo.people', 'demo.people'], { epoch: 9, contentHash: 'other' })).toBe(first);
    expect(await print(['demo.people', 'demo.orders'], {}, ['EU', 'US', 'EU'])).toBe(first);
  });

  test('changes with whatever decides', async () => {
    const changed = { ...PEOPLE, columns: PEOPLE.columns.slice(1) };
    const moved: Dataset = { ...PEOPLE, source: { kind: 'parquet', connection: 'lake', path: '/lake/b.parquet', hivePartitioning: false } };
    const snapshot = await snapshotOf(`${POLICY}\np, a, demo.people.ssn, select, deny, d1`, RULES);
    const prints = await Promise.all([
      print(['demo.people']),
      print(['demo.orders']),
      print(['demo.people', 'demo.orders']),
      print(['demo.gone']),
      print(['demo.people'], {}, ['EU']),
      print(['demo.people'], { datasets: [changed] }),
      print(['demo.people'], { datasets: [moved] }),
      print(['demo.people'], { datasets: [{ ...PEOPLE, broken: 'x' }] }),
      print(['demo.people'], { connections: [{ kind: 'local', name: 'lake', directory: '/other' }] }),
      print(['demo.people'], { defaultSchema: 'other' }),
      (await policyOf(snapshot, 'ann', { region: ['EU', 'US'] })).fingerprint(['demo.people']),
      (await policyOf(await snapshotOf(POLICY, RULES), 'bob', { region: ['EU', 'US'] })).fingerprint(['demo.people']),
    ]);
    expect(new Set(prints).size).toBe(prints.length);
  });

  test('does not change with what is elsewhere', async () => {
    const elsewhere = await snapshotOf(`${POLICY}\np, b, other.log.line, select, deny, d1`, RULES);
    const policy = await policyOf(elsewhere, 'ann', { region: ['EU', 'US'] });
    expect(policy.fingerprint(['demo.people'])).toBe(await print(['demo.people']));
    expect(policy.fingerprint(['other.log'])).not.toBe(await print(['other.log']));
  });

  test('of a view counts all the content', async () => {
    const view: Dataset = { ...PEOPLE, source: { kind: 'view', sql: 'SELECT 1' } };
    expect(await print(['demo.people'], { datasets: [view] })).not.toBe(
      await print(['demo.people'], { datasets: [view], contentHash: 'other' }),
    );
  });
});

test('the audit right is on the server, and may be denied', async () => {
  const lines = 'p, a, *, audit, allow, g1\np, b, *, audit, deny, g2\ng, user:ann, a\ng, user:bob, a\ng, user:bob, b';
  const snapshot = await snapshotOf(lines);
  expect((await policyOf(snapshot, 'ann')).may('audit')).toBe(true);
  expect((await policyOf(snapshot, 'bob')).may('audit')).toBe(false);
  expect((await policyOf(snapshot, 'eve')).may('audit')).toBe(false);
});

test('names that look like groups, roles or properties are just names', async () => {
  const snapshot = await snapshotOf('p, a, demo.*, select, allow, g1\ng, group:crew, a\ng, user:ann, a');
  for (const subject of ['group:crew', 'user:ann', 'a', 'ann ', 'ANN', '', '__proto__', 'constructor', 'ann\u0000crew'])
    expect((await policyOf(snapshot, subject)).decide(PEOPLE).effect, subject).toBe('deny');
  expect((await policyOf(snapshot, 'x', {}, ['user:ann', 'Crew', 'crew '])).decide(PEOPLE).effect).toBe('deny');
});

test('principals with the same facts share one compiled policy; others never do', async () => {
  const policy = await compilePolicy(await snapshotOf('p, a, demo.*, select, allow, g1\ng, user:ann, a'));
  const one = await policy.forPrincipal(principal('ann', { region: ['EU', 'US'] }, ['x', 'y']));
  expect(await policy.forPrincipal(principal('ann', { region: ['US', 'EU'] }, ['y', 'x']))).toBe(one);
  expect(await policy.forPrincipal(principal('ann', { region: ['EU'] }, ['x', 'y']))).not.toBe(one);
  expect(await policy.forPrincipal(principal('ann', { region: ['EU,US'] }, ['x', 'y']))).not.toBe(one);
  expect(policy.uses()).toEqual({ hits: 1, misses: 3 });
  expect(one.decide(PEOPLE)).toBe(one.decide(PEOPLE));
});

test('ten thousand lines: each dataset is decided by its own, and once', async () => {
  const datasets = Array.from({ length: 2000 }, (_, i): Dataset => ({ ...ORDERS, id: `demo.t${i}`, name: `t${i}` }));
  const lines = Array.from({ length: 10_000 }, (_, i) => `p, r${i % 50}, demo.t${i % 2000}, select, allow, g${i}`);
  const snapshot = await snapshotOf(`${lines.join('\n')}\ng, user:ann, r1\ng, user:ann, r2\ng, user:ann, r3`, '', { datasets });
  const policy = await policyOf(snapshot, 'ann');
  for (const dataset of datasets) expect(policy.decide(dataset)).toBe(policy.decide(dataset));
  expect(datasets.filter((dataset) => policy.decide(dataset).effect === 'allow')).toHaveLength(120);
});
