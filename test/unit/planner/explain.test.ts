import { type Table, tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ana, createPlannerFixture, OPTIONS, olga, type PlannerFixture } from './fixture.ts';

let fixture: PlannerFixture;
beforeAll(async () => {
  fixture = await createPlannerFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

async function explain(sql: string, principal = ana): Promise<readonly Record<string, unknown>[]> {
  const plan = await fixture.planner.plan({ principal, sql, options: OPTIONS });
  const { task } = fixture.open(plan.tickets[0]);
  if (task.kind !== 'inline') throw new Error('not an inline task');
  const table: Table = tableFromIPC(task.ipc);
  expect(table.schema.fields.map(String)).toEqual(plan.schema.fields.map(String));
  return table.toArray().map((row) => ({ ...row }));
}

test('one row per dataset and column touched', async () => {
  const rows = await explain('EXPLAIN POLICY SELECT name, email FROM people WHERE id > 3');
  expect(rows.map(({ column, decision }) => [column, decision])).toEqual([
    [null, 'conditional'],
    ['id', 'raw'],
    ['name', 'raw'],
    ['email', 'masked'],
  ]);
  expect(rows[0]).toMatchObject({
    dataset: 'demo.people',
    grants: 'a1',
    rules: 'own-region',
    epoch: 7n,
    path: 'plain',
    placement: 'worker',
  });
});

test('constants and hidden columns of a rule are shown to the auditor only', async () => {
  const [mine] = await explain('EXPLAIN POLICY SELECT name FROM people');
  expect(String(mine?.['row_filter'])).toMatch(/region/);
  expect(String(mine?.['row_filter'])).not.toMatch(/salary|99/);
  const [audited] = await explain("explain policy as user 'ana' SELECT name FROM people", olga);
  expect(String(audited?.['row_filter'])).toMatch(/salary.*99/);
});

test('a star, NATURAL JOIN and DESCRIBE count as every column', async () => {
  const all = ['id', 'name', 'email', 'region', 'born'];
  for (const sql of [
    'SELECT * FROM people',
    'SELECT COLUMNS(*) FROM people',
    'SELECT 1 FROM people a NATURAL JOIN people b',
    'DESCRIBE SELECT id FROM people',
  ])
    expect(
      (await explain(`EXPLAIN POLICY ${sql}`)).flatMap(({ column }) => column ?? []),
      sql,
    ).toEqual(all);
});

test('views list their bases, but no name that the reader may not know', async () => {
  const datasetsOf = (rows: readonly Record<string, unknown>[]) =>
    rows.filter(({ column }) => column === null).map(({ dataset }) => dataset);
  const sql = 'SELECT amount FROM people_sales';
  expect(datasetsOf(await explain(`EXPLAIN POLICY ${sql}`))).toEqual(['demo.people_sales', 'demo.people']);
  const audited = await explain(`EXPLAIN POLICY AS USER 'ana' ${sql}`, olga);
  expect(datasetsOf(audited)).toEqual(['demo.people_sales', 'demo.people', 'demo.sales']);
});

test('an auditor sees denials; an unknown user is named as such', async () => {
  const [row] = await explain("EXPLAIN POLICY AS USER 'ana' SELECT * FROM vault", olga);
  expect(row).toMatchObject({ dataset: 'demo.vault', decision: 'deny' });
  await expect(explain("EXPLAIN POLICY AS USER 'nobody' SELECT 1", olga)).rejects.toMatchObject({ code: 'request.malformed' });
});
