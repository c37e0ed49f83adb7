import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PLAIN_FORM } from '#src/model.js';
import { ana, boss, createPlannerFixture, OPTIONS, olga, type PlannerFixture } from './fixture.ts';

let fixture: PlannerFixture;
beforeAll(async () => {
  fixture = await createPlannerFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const plan = (sql: string, principal = ana) => fixture.planner.plan({ principal, sql, options: OPTIONS });

describe('a plan', () => {
  test('has the schema, the decision and one sealed task, without any file', async () => {
    const sql = 'SELECT name, email, born FROM people ORDER BY id';
    const { schema, tickets, audit, expiresAtMs } = await plan(sql);
    expect(schema.fields.map(({ name, type }) => `${name} ${type}`)).toEqual(['name Utf8', 'email Utf8', 'born Date32<DAY>']);
    expect(audit).toMatchObject({
      epoch: 7,
      statement: sql,
      decisions: [{ dataset: 'demo.people', effect: 'conditional', grants: ['a1'], path: 'plain' }],
    });
    expect(tickets).toHaveLength(1);
    const ticket = fixture.open(tickets[0]);
    expect(ticket).toMatchObject({ cluster: 'local', subject: 'ana', epoch: 7, datasets: ['d-people'], statement: sql, expiresAtMs });
    expect(expiresAtMs).toBe(fixture.clockMs + 1000);
    expect(ticket.task).toMatchObject({ kind: 'query', statements: [sql], form: PLAIN_FORM, datasets: ['d-people'] });
  });

  test('leaves the text as it is unless it names the catalog', async () => {
    const own = 'SELECT  name -- comment\nFROM demo . people';
    expect(fixture.open((await plan(own)).tickets[0]).task).toMatchObject({ statements: [own] });
    const { task } = fixture.open((await plan('SELECT Lake.demo.people.name FROM /* lake. */ "lake"."demo"."people"')).tickets[0]);
    if (task.kind !== 'query') throw new Error('not a query');
    expect(task.statements[0]).toBe(
      `SELECT "${task.catalog.name}".demo.people.name FROM /* lake. */ "${task.catalog.name}"."demo"."people"`,
    );
  });

  test('of equal decisions shares a catalog, of unequal ones never', async () => {
    const catalogOf = async (sql: string, principal = ana): Promise<string> => {
      const { task } = fixture.open((await plan(sql, principal)).tickets[0]);
      return task.kind === 'query' ? task.catalog.name : '';
    };
    const mine = await catalogOf('SELECT name FROM people');
    expect(await catalogOf('SELECT count(*) FROM people')).toBe(mine);
    expect(await catalogOf('SELECT name FROM people', boss)).not.toBe(mine);
    expect(await catalogOf('SELECT name FROM people', { ...ana, attributes: { region: ['US'] } })).not.toBe(mine);
    expect(await catalogOf("SELECT regexp_replace(name, region, '') FROM people")).not.toBe(mine);
  });

  test('changes its fingerprint with the principal, not with the statement', async () => {
    const fingerprintOf = async (sql: string, principal = ana): Promise<string> => (await plan(sql, principal)).audit.fingerprint;
    const mine = await fingerprintOf('SELECT name FROM people');
    expect(await fingerprintOf('SELECT id FROM people')).toBe(mine);
    expect(await fingerprintOf('SELECT name FROM people', { ...ana, attributes: { region: ['EU', 'US'] } })).not.toBe(mine);
  });
});

describe('the barrier', () => {
  const pathOf = async (sql: string, principal = ana): Promise<unknown> =>
    (await plan(sql, principal)).audit.decisions.map(({ dataset, path }) => [dataset, path]);

  test('is for conditional datasets under a query that is not leakproof, and only for them', async () => {
    const risky = "SELECT regexp_replace(p.name, p.region, 'x') FROM people p";
    expect(await pathOf(risky)).toEqual([['demo.people', 'barrier']]);
    expect(await pathOf(risky, boss)).toEqual([['demo.people', 'plain']]);
    expect(await pathOf('SELECT name FROM people WHERE id = 3')).toEqual([['demo.people', 'plain']]);
  });

  test.each([
    'SELECT id::DECIMAL(5,2) FROM people',
    "SELECT count(*) FROM people WHERE born > TIMESTAMP '2000-01-01'",
    'SELECT count(*) FROM people WHERE id > 1.12345678901234567890123456789012345',
    'SELECT count(*) FROM (SELECT born AS x FROM people) JOIN (SELECT now()::TIMESTAMP AS x) USING (x)',
    "SELECT born FROM people UNION ALL SELECT TIMESTAMP '2000-01-01'",
    'SELECT name::JSON FROM people_sales',
  ])('is for casts that may fail on hidden rows: %s', async (sql) => {
    expect(await pathOf(sql)).toContainEqual(['demo.people', 'barrier']);
    expect(await pathOf(sql, boss)).toContainEqual(['demo.people', 'plain']);
  });

  test.each([
    'SELECT id::INTEGER, id + 1.5 FROM people',
    "SELECT count(*) FROM people WHERE born > '2000-01-01' AND id = 3.5",
    'SELECT region, sum(id)::DECIMAL(5,2) FROM people GROUP BY region HAVING count(*) > 1.5',
    "SELECT count(*) FROM people WHERE id::VARCHAR = '1' AND TRY_CAST(name AS JSON) IS NULL",
  ])('is not for casts that tell nothing: %s', async (sql) => {
    expect(await pathOf(sql)).toEqual([['demo.people', 'plain']]);
  });

  test("also counts what a steward's view does itself", async () => {
    expect(await pathOf('SELECT x FROM odd_view')).toEqual([
      ['demo.people', 'barrier'],
      ['demo.odd_view', 'plain'],
    ]);
  });
});

describe('a view', () => {
  test('gives its bases by the right of its owner, under the rules of its reader', async () => {
    const { audit } = await plan('SELECT count(*) FROM people_sales');
    expect(audit.decisions.map(({ dataset, effect }) => [dataset, effect])).toEqual([
      ['demo.people', 'conditional'],
      ['demo.sales', 'allow'],
      ['demo.people_sales', 'allow'],
    ]);
    await expect(plan('SELECT * FROM sales')).rejects.toMatchObject({ code: 'dataset.unknown' });
  });

  test('and a base of it in one statement keep their own shapes: no hidden column shows', async () => {
    const { schema } = await plan('SELECT p.* FROM people_sales s JOIN people p ON p.name = s.name');
    expect(schema.fields.map(({ name }) => name)).toEqual(['id', 'name', 'email', 'region', 'born']);
    const { schema: other } = await plan('SELECT p.* FROM people p JOIN people_sales s USING (name)');
    expect(other.fields.map(({ name }) => name)).toEqual(['id', 'name', 'email', 'region', 'born']);
  });

  test('that leads back to itself is refused', async () => {
    await expect(plan('SELECT * FROM ring_a')).rejects.toMatchObject({ code: 'policy.invalid' });
  });
});

describe('refusals', () => {
  test.each([
    ['SELECT * FROM vault', ana, 'dataset.unknown'],
    ['SELECT * FROM nowhere', ana, 'dataset.unknown'],
    ['SELECT * FROM other.demo.people', ana, 'dataset.unknown'],
    ['SELECT * FROM lake.people', ana, 'dataset.unknown'],
    ['SELECT * FROM people', olga, 'policy.denied'],
    ['SELECT salary FROM people', ana, 'sql.binding'],
    ['SELECT name FROM people WHERE id = ?', ana, 'sql.parameter'],
    ['', ana, 'sql.empty'],
    ['SELEC 1', ana, 'sql.syntax'],
    ['DROP TABLE people', ana, 'dataset.unknown'],
    ['DROP VIEW people', ana, 'sql.refused'],
    ["EXPLAIN POLICY AS USER 'ana' SELECT 1", ana, 'policy.denied'],
    ['EXPLAIN POLICY SELECT * FROM vault', ana, 'dataset.unknown'],
    ['EXPLAIN POLICY', ana, 'sql.empty'],
    ['EXPLAIN SELECT * FROM people', ana, 'sql.refused'],
  ])('%s', async (sql, principal, code) => {
    await expect(plan(sql, principal)).rejects.toMatchObject({ code });
  });

  test('never carry a path, a plan catalog or a policy', async () => {
    for (const sql of [
      'SELECT salary FROM people',
      'SELECT nope FROM people',
      'SELECT * FROM people WHERE name = nope',
      'SELECT people.salary FROM people',
    ]) {
      const error: Error = await plan(sql).then(
        () => new Error('planned'),
        (caught: Error) => caught,
      );
      expect(error.message).not.toMatch(/nowhere|p_[0-9a-f]{8}|__source|getvariable|EU\b|99/);
    }
  });
});

describe('a prepared statement', () => {
  test('is a sealed handle of its principal that expires', async () => {
    const { planner } = fixture;
    const { handle, schema } = await planner.prepare({ principal: ana, sql: 'SELECT name FROM people', options: OPTIONS });
    expect(schema?.fields.map(({ name }) => name)).toEqual(['name']);
    expect((await planner.planPrepared(handle, ana, OPTIONS)).audit.statement).toBe('SELECT name FROM people');
    expect((await planner.schemaOfPrepared(handle, ana, OPTIONS))?.fields).toHaveLength(1);
    await expect(planner.planPrepared(handle, boss, OPTIONS)).rejects.toMatchObject({ code: 'ticket.principal' });
    fixture.clockMs += 5000;
    await expect(planner.planPrepared(handle, ana, OPTIONS)).rejects.toMatchObject({ code: 'ticket.expired' });
    await expect(planner.planPrepared(new Uint8Array(40), ana, OPTIONS)).rejects.toMatchObject({ code: 'ticket.invalid' });
  });
});

test('the visible catalog holds what one may see, with column metadata', async () => {
  const mine = await fixture.planner.visibleCatalog(ana);
  expect(mine.tables.map(({ name, type }) => `${name} ${type}`)).toEqual([
    'odd_view VIEW',
    'people TABLE',
    'people_sales VIEW',
    'ring_a VIEW',
    'notes TABLE',
  ]);
  const people = mine.tables.find(({ name }) => name === 'people');
  expect(people?.arrow.fields.map(({ name }) => name)).toEqual(['id', 'name', 'email', 'region', 'born']);
  expect(people?.arrow.fields[0]?.metadata.get('ARROW:FLIGHT:SQL:TYPE_NAME')).toBe('BIGINT');
  const audited = await fixture.planner.visibleCatalog(olga);
  expect(audited.tables.map(({ name }) => name)).toEqual(['people']);
  expect(audited.tables[0]?.columns.map(({ name }) => name)).toContain('salary');
});
