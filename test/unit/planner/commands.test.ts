import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compilePolicy } from '#src/policy/index.js';
import { ana, boss, createPlannerFixture, OPTIONS, olga, type PlannerFixture, SNAPSHOT } from './fixture.ts';

let fixture: PlannerFixture;
beforeAll(async () => {
  fixture = await createPlannerFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const plan = (sql: string, principal = ana) => fixture.planner.plan({ principal, sql, options: OPTIONS });
const prepare = (sql: string, principal = ana) => fixture.planner.prepare({ principal, sql, options: OPTIONS });

async function taskOf(sql: string, principal = ana) {
  const { task, datasets } = fixture.open((await plan(sql, principal)).tickets[0]);
  if (task.kind !== 'command') throw new Error('not a command');
  return { ...task, datasets };
}

describe('a command', () => {
  test('that makes a table carries its query under the policy of its maker', async () => {
    const { command, query, datasets } = await taskOf('CREATE TABLE Scratch.Mine AS SELECT name, email FROM people');
    expect(command).toEqual({ kind: 'createTable', table: { schema: 'scratch', name: 'Mine' }, ifExists: 'fail' });
    expect(query?.statements).toEqual(['SELECT name, email FROM people']);
    expect(query?.datasets).toEqual(['d-people']);
    expect(datasets).toEqual(['d-people']);
    expect(JSON.stringify(query?.catalog)).toContain('region');
  });

  test('counts the bases of a view among what a table is made of', async () => {
    expect((await taskOf('CREATE TABLE scratch.mine AS SELECT name FROM people_sales')).datasets).toEqual([
      'd-people',
      'd-sales',
      'd-people_sales',
    ]);
  });

  test.each<[string, object | null, readonly string[]]>([
    ['CREATE TABLE scratch.mine AS SELECT 1', null, ['count']],
    ['INSERT INTO scratch.notes VALUES (1, NULL, NULL)', null, ['count']],
    ['INSERT INTO scratch.notes (id) SELECT id FROM people', null, ['count']],
    ['DROP TABLE scratch.notes', null, ['count']],
    ['DROP TABLE IF EXISTS scratch.gone', null, ['count']],
    ['DROP TOKEN laptop', null, ['count']],
  ])('without rows is prepared as an update: %s', async (sql, schema, columns) => {
    const prepared = await prepare(sql);
    expect(prepared.schema).toBe(schema);
    const { schema: got } = await fixture.planner.planPrepared(prepared.handle, ana, OPTIONS);
    expect(got.fields.map(({ name }) => name)).toEqual(columns);
    expect(await fixture.planner.schemaOf({ principal: ana, sql, options: OPTIONS })).toBeNull();
    expect(await fixture.planner.schemaOfPrepared(prepared.handle, ana, OPTIONS)).toBeNull();
  });

  test.each(['SHOW TOKENS', 'CREATE TOKEN laptop', "CREATE TOKEN laptop EXPIRES IN '2 days'"])(
    'with rows has their schema: %s',
    async (sql) => {
      const { schema, handle } = await prepare(sql);
      expect(schema?.fields[0]?.name).toBe('name');
      expect((await fixture.planner.planPrepared(handle, ana, OPTIONS)).schema.fields.map(String)).toEqual(schema?.fields.map(String));
    },
  );

  test('is explained by its query', async () => {
    const { audit, schema } = await plan('EXPLAIN POLICY CREATE TABLE scratch.x AS SELECT name FROM people');
    expect(audit.decisions.map(({ dataset }) => dataset)).toEqual(['demo.people']);
    expect(schema.fields[0]?.name).toBe('dataset');
  });

  test('has no effect by being planned, and leaves a record', async () => {
    const { audit } = await plan('INSERT INTO scratch.notes (id) SELECT id FROM people');
    expect(audit).toMatchObject({
      statement: 'INSERT INTO scratch.notes (id) SELECT id FROM people',
      decisions: [{ dataset: 'demo.people' }],
    });
  });
});

describe('names that may not be written', () => {
  test.each<[string, typeof ana]>([
    ['CREATE TABLE scratch.mine AS SELECT 1', boss],
    ['CREATE TABLE demo.people AS SELECT 1', ana],
    ['CREATE OR REPLACE TABLE demo.vault AS SELECT 1', ana],
    ['CREATE OR REPLACE TABLE demo.nowhere AS SELECT 1', ana],
    ['CREATE TABLE nowhere.t AS SELECT 1', ana],
    ['CREATE TABLE t AS SELECT 1', ana],
  ])('%s: one answer for governed, hidden and missing', async (sql, principal) => {
    const call = plan(sql, principal);
    await expect(call).rejects.toMatchObject({
      code: 'policy.denied',
      message: expect.stringMatching(/^you may not create the table ".*"\.".*"; ask for/),
    });
  });

  test.each([
    'INSERT INTO demo.people SELECT 1',
    'INSERT INTO demo.vault SELECT 1',
    'INSERT INTO scratch.plans VALUES (1)',
    'INSERT INTO nowhere.t SELECT 1',
    'DROP TABLE demo.people',
    'DROP TABLE IF EXISTS demo.vault',
    'DROP TABLE scratch.plans',
    'DROP TABLE scratch.gone',
  ])("%s: only tables of one's own are there", async (sql) => {
    await expect(plan(sql)).rejects.toMatchObject({
      code: 'dataset.unknown',
      message: expect.stringMatching(/^there is no table .* of yours in the scratch schema$/),
    });
  });

  test('without a scratch schema nothing can be made', async () => {
    const { policy } = fixture;
    fixture.policy = await compilePolicy({ ...SNAPSHOT, scratchSchema: null });
    await expect(plan('CREATE TABLE scratch.mine AS SELECT 1')).rejects.toMatchObject({ code: 'policy.denied' });
    fixture.policy = policy;
  });

  test.each([
    ['INSERT INTO scratch.notes VALUES (1)', 'sql.binding'],
    ['INSERT INTO scratch.notes (gone) VALUES (1)', 'sql.binding'],
    ['CREATE TABLE scratch.mine AS SELECT * FROM vault', 'dataset.unknown'],
    ['CREATE TABLE scratch.mine AS SELECT salary FROM people', 'sql.binding'],
    ["CREATE TABLE scratch.mine AS SELECT * FROM read_csv('/etc/passwd')", 'sql.refused'],
    ['CREATE TABLE scratch.mine AS DROP TABLE people', 'sql.refused'],
    ['CREATE TABLE scratch.mine AS SELECT 1; DROP TABLE scratch.notes', 'sql.refused'],
    ['CREATE TABLE scratch.mine AS CREATE TABLE scratch.other AS SELECT 1', 'sql.refused'],
    ['CREATE TABLE scratch.mine AS SHOW TOKENS', 'dataset.unknown'],
    ['CREATE TABLE scratch.mine AS SELECT table_name FROM information_schema.tables', 'sql.refused'],
    ["INSERT INTO scratch.notes SELECT repeat('x', 1000000000), 1, 1", 'sql.limit'],
  ])('what a query may not, a command may not: %s', async (sql, code) => {
    await expect(plan(sql)).rejects.toMatchObject({ code });
  });
});

describe('tables of several principals under one name', () => {
  test('each reads and writes their own', async () => {
    expect((await plan('SELECT * FROM scratch.notes')).schema.fields.map(({ name }) => name)).toEqual(['id', 'note', 'day']);
    expect((await plan('SELECT * FROM scratch.notes', boss)).schema.fields.map(({ name }) => name)).toEqual(['secret']);
    await expect(plan('SELECT * FROM scratch.notes', olga)).rejects.toMatchObject({ code: 'dataset.unknown' });
    await expect(plan('SELECT * FROM scratch.plans')).rejects.toMatchObject({ code: 'dataset.unknown' });
  });
});

describe('statements of whoever operates the server', () => {
  const REGISTER = "REGISTER DATASET demo.fresh FROM lake 'a/'";

  test.each([REGISTER, 'REFRESH DATASET people', 'PIN DATASET People', 'UNPIN DATASET demo.people'])('%s needs the right', async (sql) => {
    for (const who of [ana, olga]) await expect(plan(sql, who)).rejects.toMatchObject({ code: 'policy.denied' });
    expect((await taskOf(sql, boss)).query).toBeNull();
  });

  test.each(['SHOW WORKERS', 'SHOW CACHE'])('%s is for auditors too', async (sql) => {
    await expect(plan(sql)).rejects.toMatchObject({ code: 'policy.denied' });
    for (const who of [boss, olga]) expect((await plan(sql, who)).schema.fields.length).toBeGreaterThan(5);
  });

  test('name the dataset as it is registered, and audit the statement', async () => {
    expect((await taskOf('REFRESH DATASET PEOPLE', boss)).command).toEqual({
      kind: 'refreshDataset',
      table: { schema: 'demo', name: 'people' },
    });
    expect((await plan('PIN DATASET people', boss)).audit).toMatchObject({ statement: 'PIN DATASET people', decisions: [] });
  });

  test.each(['demo.gone', 'scratch.plans', 'scratch.notes', 'information_schema.tables'])('know no %s', async (name) => {
    await expect(plan(`PIN DATASET ${name}`, boss)).rejects.toMatchObject({ code: 'dataset.unknown' });
  });

  test('whether a dataset exists is not told without the right', async () => {
    const told = await Promise.all(['demo.people', 'demo.gone'].map((name) => plan(`PIN DATASET ${name}`).catch(String)));
    expect(told[0]).toBe(told[1]);
  });
});
