import { describe, expect, test } from 'vitest';
import type { Dataset, Lineage, Principal, Snapshot } from '#src/model.js';
import { compilePolicy } from '#src/policy/index.js';
import { ORDERS, PEOPLE, principal, snapshotOf } from './fixture.ts';

const ANN = principal('ann', { region: 'EU' });
const EVE = principal('eve', { region: 'EU' });
const VIEW: Dataset = { ...PEOPLE, id: 'demo.names', name: 'names', source: { kind: 'view', sql: 'SELECT * FROM demo.people' } };
const GRANTS = `
p, reader, demo.*, select, allow, g1
p, reader, scratch.*, create, allow, g2
g, user:ann, reader
g, user:eve, reader
`;
const RULES = `rowFilters:
  - { id: f, roles: [reader], datasets: [demo.people], filter: region = principal.region }
masks:
  - { id: m, roles: [reader], tags: [email], mask: email }
`;

const own = (subject: string, lineage: readonly Lineage[]): Dataset => ({
  id: `scratch:${subject}`,
  schema: 'scratch',
  name: 't',
  tags: [],
  columns: [
    { name: 'email', type: 'VARCHAR', tags: [] },
    { name: 'secret', type: 'VARCHAR', tags: [] },
  ],
  source: { kind: 'parquet', connection: 'scratch', path: '/state/scratch/x/part-*.parquet', hivePartitioning: false },
  owner: { subject, lineage },
});

async function policyFor(who: Principal, grants: string = GRANTS, rules: string = RULES, more: Partial<Snapshot> = {}) {
  const datasets = more.datasets ?? [PEOPLE, ORDERS, VIEW];
  const compiled = await compilePolicy(await snapshotOf(grants, rules, { scratchSchema: 'scratch', ...more, datasets }));
  return compiled.forPrincipal(who);
}

const lineage = async (...ids: string[]): Promise<readonly Lineage[]> => (await policyFor(ANN)).lineage(ids);

describe("one's own table", () => {
  test('is read as it is by its owner, whatever masks and filters fit its columns', async () => {
    const policy = await policyFor(ANN);
    const decision = policy.decide(own('ann', await lineage('demo.people')));
    expect(decision).toMatchObject({ effect: 'allow', rowFilter: null });
    expect(decision.effect === 'allow' && decision.columns.map(({ treatment }) => treatment.kind)).toEqual(['raw', 'raw']);
  });

  test.each([
    ['a select grant', ''],
    ['a grant on everything', 'p, reader, *, select, allow, g9\n'],
    ['a grant on the schema', 'p, reader, scratch.*, select, allow, g9\np, reader, scratch.*, describe, allow, g8\n'],
    ['a grant on unmasking', 'p, reader, *, unmask, allow, g9\n'],
    ['the right to audit', 'p, reader, *, audit, allow, g9\np, reader, *, describe, allow, g8\n'],
  ])('does not exist for anyone else with %s', async (_, grant) => {
    const policy = await policyFor(EVE, GRANTS + grant);
    const table = own('ann', []);
    expect(policy.decide(table)).toEqual({ effect: 'deny', dataset: 'scratch:ann', reason: 'no grant allows it', rules: [] });
    expect(policy.decideThroughView(table).effect).toBe('deny');
    expect(policy.mayDescribe(table)).toBe(false);
  });

  test('is not opened by a view, not even to its owner', async () => {
    expect((await policyFor(ANN)).decideThroughView(own('ann', [])).effect).toBe('deny');
  });

  test.each([
    ['on the table', 'scratch.t'],
    ['on the schema', 'scratch.*'],
    ['on everything', '*'],
  ])('is closed by a denial %s, and described all the same', async (_, object) => {
    const policy = await policyFor(ANN, `${GRANTS}p, reader, ${object}, select, deny, no\n`);
    expect(policy.decide(own('ann', []))).toMatchObject({ effect: 'deny', reason: 'denied by no', rules: ['no'] });
    expect(policy.mayDescribe(own('ann', []))).toBe(true);
  });

  test('hides columns that are denied', async () => {
    const policy = await policyFor(ANN, `${GRANTS}p, reader, scratch.*.secret, select, deny, no\n`);
    const decision = policy.decide(own('ann', []));
    expect(decision.effect === 'allow' && decision.columns.map(({ treatment }) => treatment.kind)).toEqual(['raw', 'hidden']);
  });
});

describe('a table made of others', () => {
  const CHANGED = { effect: 'deny', reason: 'the policy of a source changed since; make the table again' };

  test.each([
    ['its mask', GRANTS, RULES.replace('mask: email', 'mask: "null"')],
    ['its mask is lifted', GRANTS, RULES.replace('tags: [email]', 'columns: [nothing]')],
    ['its row filter', GRANTS, RULES.replace('region =', 'name =')],
    ['its grant', GRANTS.replace('demo.*', 'demo.orders'), RULES],
    ['a column that is denied', `${GRANTS}p, reader, demo.people.ssn, select, deny, no\n`, RULES],
    ['a denial', `${GRANTS}p, reader, demo.people, select, deny, no\n`, RULES],
  ])('is closed when what changed is %s', async (_, grants, rules) => {
    const table = own('ann', await lineage('demo.people'));
    expect((await policyFor(ANN)).decide(table).effect).toBe('allow');
    expect((await policyFor(ANN, grants, rules)).decide(table)).toMatchObject(CHANGED);
  });

  test("is closed when its owner's attributes change", async () => {
    const table = own('ann', await lineage('demo.people'));
    expect((await policyFor(principal('ann', { region: 'US' }))).decide(table)).toMatchObject(CHANGED);
  });

  test('is closed when a source is gone, broken, or another view', async () => {
    const table = own('ann', await lineage('demo.people', 'demo.names'));
    const others: readonly (readonly Dataset[])[] = [
      [ORDERS, VIEW],
      [{ ...PEOPLE, broken: 'no file' }, VIEW],
      [PEOPLE, { ...VIEW, source: { kind: 'view', sql: "SELECT * FROM demo.people WHERE region = 'EU'" } }],
    ];
    for (const datasets of others) expect((await policyFor(ANN, GRANTS, RULES, { datasets })).decide(table)).toMatchObject(CHANGED);
  });

  test('stays open when rules and grants change that say the same, or say nothing of its sources', async () => {
    const table = own('ann', await lineage('demo.people'));
    const renamed = GRANTS.replace('g1', 'g7');
    expect((await policyFor(ANN, `${renamed}p, reader, demo.orders, select, deny, no\n`)).decide(table).effect).toBe('allow');
    expect((await policyFor(ANN, GRANTS, RULES.replace('id: m', 'id: mm'))).decide(table).effect).toBe('allow');
  });

  test('opens again when the policy is again as it was', async () => {
    const table = own('ann', await lineage('demo.people'));
    expect((await policyFor(ANN, GRANTS, RULES, { contentHash: 'later', epoch: 99 })).decide(table).effect).toBe('allow');
  });

  test('hands on what it was made of, so that copying does not wash it clean', async () => {
    const first = own('ann', await lineage('demo.people', 'demo.orders'));
    const policy = await policyFor(ANN, GRANTS, RULES, { datasets: [PEOPLE, ORDERS, VIEW, first] });
    const second: Dataset = { ...own('ann', policy.lineage([first.id, 'demo.orders'])), id: 'scratch:copy', name: 'copy' };
    expect(second.owner?.lineage).toEqual(first.owner?.lineage);
    expect((await policyFor(ANN, GRANTS, RULES.replace('mask: email', 'mask: "null"'))).decide(second)).toMatchObject(CHANGED);
  });

  test('of a table of its own in its lineage is closed: no lineage names such a one', async () => {
    const first = own('ann', []);
    const odd = { ...own('ann', [{ dataset: first.id, decision: 'x' }]), id: first.id };
    expect((await policyFor(ANN, GRANTS, RULES, { datasets: [odd] })).decide(odd)).toMatchObject(CHANGED);
  });
});

test('what tickets are bound to follows the policy of the sources', async () => {
  const table = own('ann', await lineage('demo.people'));
  const datasets = [PEOPLE, ORDERS, VIEW, table];
  const before = (await policyFor(ANN, GRANTS, RULES, { datasets })).fingerprint([table.id]);
  const after = (await policyFor(ANN, GRANTS, RULES.replace('region =', 'name ='), { datasets })).fingerprint([table.id]);
  expect(after).not.toBe(before);
  expect((await policyFor(ANN)).fingerprint([table.id])).not.toBe(before);
});

describe('making tables', () => {
  const may = async (grants: string, schema = 'scratch', name = 't', more: Partial<Snapshot> = {}) =>
    (await policyFor(ANN, `${grants}\ng, user:ann, reader\n`, RULES, more)).mayCreate({ schema, name });

  test('needs the grant, on names in the scratch schema', async () => {
    const grant = 'p, reader, scratch.*, create, allow, g';
    expect(await may(grant)).toBe(true);
    expect(await may(grant, 'SCRATCH')).toBe(true);
    expect(await may('p, reader, scratch.*, select, allow, g')).toBe(false);
    expect(await may('p, reader, demo.*, create, allow, g', 'demo')).toBe(false);
    expect(await may('p, reader, scratch.tmp_*, create, allow, g')).toBe(false);
    expect(await may('p, reader, scratch.tmp_*, create, allow, g', 'scratch', 'tmp_1')).toBe(true);
    expect(await may(`${grant}\np, reader, scratch.t, create, deny, no`)).toBe(false);
    expect(await may(grant, 'scratch', 't', { scratchSchema: null })).toBe(false);
  });
});
