import { MessageReader, type Schema } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compilePolicy } from '#src/policy/index.js';
import { ana, boss, createPlannerFixture, DATASETS, OPTIONS, olga, type PlannerFixture, SNAPSHOT } from './fixture.ts';

let fixture: PlannerFixture;
beforeAll(async () => {
  fixture = await createPlannerFixture();
  fixture.policy = await compilePolicy({
    ...SNAPSHOT,
    datasets: DATASETS.map((dataset) => {
      if (dataset.name === 'people')
        return {
          ...dataset,
          primaryKey: ['id'],
          foreignKeys: [
            { name: 'pay', columns: ['id', 'salary'], references: 'd-sales', referencedColumns: ['id', 'amount'] },
            { name: 'secret', columns: ['name'], references: 'd-vault', referencedColumns: ['secret'] },
          ],
          columns: dataset.columns.map((column) =>
            column.name === 'email' ? { ...column, description: 'Address', tags: ['pii', 'email'] } : column,
          ),
        };
      if (dataset.name === 'people_sales')
        return { ...dataset, foreignKeys: [{ name: 'who', columns: ['name'], references: 'd-people', referencedColumns: ['name'] }] };
      return dataset.name === 'sales' ? { ...dataset, primaryKey: ['id', 'person'] } : dataset;
    }),
  });
});
afterAll(() => fixture[Symbol.asyncDispose]());

const schemaOf = async (sql: string, principal = ana): Promise<Schema> =>
  (await fixture.planner.plan({ principal, sql, options: OPTIONS })).schema;

function describeField(schema: Schema, index: number): Record<string, string> {
  const entries = [...(schema.fields[index]?.metadata ?? [])].map(([key, value]) => [key.replace('ARROW:FLIGHT:SQL:', ''), value] as const);
  return Object.fromEntries(entries);
}

describe('metadata of result columns', () => {
  test('a column of a dataset says where it is from and what it is', async () => {
    const schema = await schemaOf('SELECT p.email AS mail, upper(name) FROM people p');
    expect(describeField(schema, 0)).toEqual({
      CATALOG_NAME: 'lake',
      DB_SCHEMA_NAME: 'demo',
      SCHEMA_NAME: 'demo',
      TABLE_NAME: 'people',
      TYPE_NAME: 'VARCHAR',
      IS_CASE_SENSITIVE: '1',
      IS_READ_ONLY: '1',
      IS_SEARCHABLE: '1',
      IS_AUTO_INCREMENT: '0',
    });
    expect(describeField(schema, 1)).toEqual({
      TYPE_NAME: 'VARCHAR',
      IS_CASE_SENSITIVE: '1',
      IS_READ_ONLY: '1',
      IS_SEARCHABLE: '1',
      IS_AUTO_INCREMENT: '0',
    });
    expect(describeField(await schemaOf('SELECT CAST(1 AS DECIMAL(9,2))'), 0)).toMatchObject({
      TYPE_NAME: 'DECIMAL(9,2)',
      PRECISION: '9',
      SCALE: '2',
    });
  });

  const tables = async (sql: string, principal = ana): Promise<readonly (string | undefined)[]> => {
    const schema = await schemaOf(sql, principal);
    return schema.fields.map((_, i) => describeField(schema, i)['TABLE_NAME']);
  };

  test.each<[string, readonly (string | undefined)[]]>([
    ['SELECT * FROM people_sales', ['people_sales', 'people_sales', 'people_sales']],
    ['SELECT s.*, p.id FROM people p JOIN people_sales s ON p.name = s.name', ['people_sales', 'people_sales', 'people_sales', 'people']],
    ['SELECT lake.demo.people.id, demo.people.name FROM lake.demo.people', ['people', 'people']],
    // What could be another column than it seems says nothing.
    ['SELECT name FROM people p JOIN people_sales s USING (name)', [undefined]],
    ['SELECT * FROM people_sales UNION ALL SELECT * FROM people_sales', [undefined, undefined, undefined]],
    ['WITH people AS (SELECT 1 AS name) SELECT name FROM people', [undefined]],
    ['SELECT a FROM people_sales AS t(a)', [undefined]],
    ['SELECT * EXCLUDE (amount) FROM people_sales', [undefined, undefined]],
    ['SELECT name FROM (SELECT name FROM people)', [undefined]],
    ['SELECT COLUMNS(*) FROM people_sales', [undefined, undefined, undefined]],
  ])('%s', async (sql, expected) => {
    expect(await tables(sql)).toEqual(expected);
  });

  test('no hidden column is counted', async () => {
    expect(await tables('SELECT *, 1 FROM people')).toEqual(['people', 'people', 'people', 'people', 'people', undefined]);
    expect(await tables('SELECT *, 1 FROM people', boss)).toHaveLength(7);
  });

  test('remarks are on tables only: JDBC would show them in place of the names', async () => {
    const people = (await fixture.planner.visibleCatalog(ana)).tables.find(({ name }) => name === 'people');
    const email = people?.arrow.fields.find(({ name }) => name === 'email');
    expect(email?.metadata.get('ARROW:FLIGHT:SQL:REMARKS')).toBe('Address [pii, email]');
  });

  test('the ticket carries the same schema', async () => {
    const { schema, tickets } = await fixture.planner.plan({ principal: ana, sql: 'SELECT email FROM people', options: OPTIONS });
    const { task } = fixture.open(tickets[0]);
    const header = task.kind === 'query' ? Buffer.from(task.schema) : Buffer.alloc(0);
    const length = Buffer.alloc(4);
    length.writeInt32LE(header.length);
    const read = new MessageReader(Buffer.concat([Buffer.alloc(4, 0xff), length, header])).readSchema();
    expect(read?.fields.map((field) => [...field.metadata])).toEqual(schema.fields.map((field) => [...field.metadata]));
  });
});

test('keys show where all their columns do', async () => {
  const keysOf = async (principal: typeof ana) =>
    (await fixture.planner.visibleCatalog(principal)).tables
      .filter(({ primaryKey, foreignKeys }) => primaryKey.length + foreignKeys.length > 0)
      .map(({ name, primaryKey, foreignKeys }) => [name, primaryKey, foreignKeys.map((key) => `${key.name} ${key.references.name}`)]);
  // ana sees neither salary nor vault.
  expect(await keysOf(ana)).toEqual([
    ['people', ['id'], []],
    ['people_sales', [], ['who people']],
  ]);
  expect(await keysOf(boss)).toEqual([
    ['people', ['id'], ['pay sales', 'secret vault']],
    ['people_sales', [], ['who people']],
    ['sales', ['id', 'person'], []],
  ]);
  expect(await keysOf(olga)).toEqual([['people', ['id'], []]]);
});

describe("a session's schema", () => {
  const names = async (sql: string, schema: string | null): Promise<readonly string[]> =>
    (await fixture.planner.plan({ principal: ana, sql, options: { ...OPTIONS, schema } })).schema.fields.map(({ name }) => name);

  test('is where names without one are looked for', async () => {
    expect(await names('SELECT * FROM notes', 'scratch')).toEqual(['id', 'note', 'day']);
    expect(await names('SELECT name FROM people', 'demo')).toEqual(['name']);
    expect(await names('SELECT id FROM demo.people', 'scratch')).toEqual(['id']);
    await expect(names('SELECT name FROM people', 'scratch')).rejects.toMatchObject({ code: 'dataset.unknown' });
  });

  test('does not change what a view means', async () => {
    expect(await names('SELECT name FROM demo.people_sales', 'scratch')).toEqual(['name']);
  });

  test('that is missing looks like one that is hidden; those of the engine are none', async () => {
    await expect(names('SELECT 1 FROM people', 'nowhere')).rejects.toMatchObject({ code: 'dataset.unknown' });
    expect(await names('SELECT 1 AS one', 'nowhere')).toEqual(['one']);
    for (const schema of ['__source', '__base_demo', 'pg_catalog', 'information_schema', '', 'a\nb', 'x'.repeat(300)])
      await expect(names('SELECT 1', schema), schema).rejects.toMatchObject({ code: 'dataset.unknown' });
  });
});
