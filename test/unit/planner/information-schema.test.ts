import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { QueryTask } from '#src/model.js';
import { compilePolicy } from '#src/policy/index.js';
import { collect } from '../engine/arrow-values.ts';
import { never, startEngine } from '../engine/fixtures.ts';
import { ana, boss, createPlannerFixture, OPTIONS, olga, type PlannerFixture, SNAPSHOT } from './fixture.ts';

let fixture: PlannerFixture;
let engine: Awaited<ReturnType<typeof startEngine>>;

beforeAll(async () => {
  fixture = await createPlannerFixture();
  engine = await startEngine();
  const people = SNAPSHOT.datasets.find(({ name }) => name === 'people');
  const datasets = SNAPSHOT.datasets
    .filter(({ owner }) => owner === undefined)
    .map((dataset) =>
      dataset === people
        ? { ...dataset, description: "it's people", primaryKey: ['id'] }
        : dataset.name === 'sales'
          ? {
              ...dataset,
              primaryKey: ['id'],
              foreignKeys: [{ name: 'sale_of', columns: ['person'], references: 'd-people', referencedColumns: ['id'] }],
            }
          : dataset,
    );
  fixture.policy = await compilePolicy({ ...SNAPSHOT, datasets });
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await fixture[Symbol.asyncDispose]();
});

async function taskOf(sql: string, principal = ana): Promise<QueryTask> {
  const { tickets } = await fixture.planner.plan({ principal, sql, options: OPTIONS });
  const { task } = fixture.open(tickets[0]);
  if (task.kind !== 'query') throw new Error('not a query');
  return task;
}

async function rowsOf(sql: string, principal = ana): Promise<unknown[][]> {
  const { catalog, statements, form } = await taskOf(sql, principal);
  const { rows } = await collect(await engine.run(catalog, statements[0] ?? '', never(), form));
  return rows.map((row) => row.map((cell) => (typeof cell === 'bigint' ? Number(cell) : cell)));
}

describe('tables', () => {
  it.each([
    ['ana', ana],
    ['boss', boss],
    ['olga', olga],
  ])('%s sees what the metadata commands list', async (_, principal) => {
    const visible = await fixture.planner.visibleCatalog(principal);
    expect(visible.tables.length).toBeGreaterThan(0);
    expect(await rowsOf('SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables', principal)).toEqual(
      visible.tables.map(({ schema, name, type }) => ['lake', schema, name, type === 'VIEW' ? 'VIEW' : 'BASE TABLE']),
    );
    const columns = 'SELECT table_name, column_name, ordinal_position, data_type, is_nullable FROM information_schema.columns';
    expect(await rowsOf(columns, principal)).toEqual(
      visible.tables.flatMap(({ name, columns: list }) => list.map((column, index) => [name, column.name, index + 1, column.type, 'YES'])),
    );
    expect(await rowsOf('SELECT schema_name FROM information_schema.schemata', principal)).toEqual([['demo']]);
  });

  it('keys appear where all their columns are visible', async () => {
    const keys = 'SELECT table_name, constraint_name, constraint_type FROM information_schema.table_constraints ORDER BY ALL';
    const visible = await fixture.planner.visibleCatalog(boss);
    const expected = visible.tables.flatMap(({ name, primaryKey, foreignKeys }) => [
      ...(primaryKey.length > 0 ? [[name, `${name}_pkey`, 'PRIMARY KEY']] : []),
      ...foreignKeys.map((key) => [name, key.name, 'FOREIGN KEY']),
    ]);
    expect((await rowsOf(keys, boss)).sort()).toEqual(expected.sort());
    expect(expected.length).toBe(3);
    const usage = 'SELECT table_name, constraint_name, column_name, ordinal_position FROM information_schema.key_column_usage ORDER BY ALL';
    expect(await rowsOf(usage, boss)).toEqual([
      ['people', 'people_pkey', 'id', 1],
      ['sales', 'sale_of', 'person', 1],
      ['sales', 'sales_pkey', 'id', 1],
    ]);
    expect((await rowsOf(keys)).flat()).not.toContain('sale_of');
  });

  it('the statements of the SQLAlchemy dialect and of ibis', async () => {
    expect(
      await rowsOf(
        'SELECT DISTINCT table_schema AS schema_name FROM information_schema.tables WHERE table_catalog = current_catalog() ORDER BY 1 ASC',
      ),
    ).toEqual([['demo']]);
    expect(
      await rowsOf(
        "SELECT 1 FROM information_schema.tables WHERE table_catalog = current_catalog() AND table_schema = 'demo' AND table_name = 'vault'",
      ),
    ).toEqual([]);
    const keys =
      "SELECT constraint_name, constraint_column_names FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY' AND database_name = current_catalog() AND schema_name = 'demo' AND table_name = 'people'";
    expect(await rowsOf(keys)).toEqual([['people_pkey', ['id']]]);
    const foreign =
      "SELECT referenced_table AS pk, constraint_column_names, referenced_column_names FROM duckdb_constraints() c WHERE constraint_type = 'FOREIGN KEY'";
    expect(await rowsOf(foreign, boss)).toEqual([['people', ['person'], ['id']]]);
    expect(await rowsOf('SELECT CURRENT_DATABASE()')).toEqual([['lake']]);
    expect(await rowsOf('SELECT CURRENT_SCHEMA()')).toEqual([['demo']]);
    expect(await rowsOf('SELECT DISTINCT "catalog_name" FROM "information_schema"."schemata"')).toEqual([['lake']]);
    expect(
      await rowsOf(
        "SELECT DISTINCT table_name FROM information_schema.tables WHERE table_catalog IN ('lake', 'temp') AND table_schema = 'demo' AND table_name LIKE 'p%' ORDER BY ALL",
      ),
    ).toEqual([['people'], ['people_sales']]);
    expect(await rowsOf('DESCRIBE SELECT * FROM information_schema.schemata').then((rows) => rows.length)).toBe(4);
  });

  it('SHOW TABLES', async () => {
    expect((await rowsOf(' show tables; ')).flat()).toEqual(['odd_view', 'people', 'people_sales', 'ring_a']);
  });

  it('joins itself, governed datasets and CTEs, in any spelling', async () => {
    const count =
      'SELECT count(*) FROM LAKE.Information_Schema."TABLES" t JOIN "information_schema".columns c USING (table_name) WHERE t.table_name = \'people\'';
    expect(await rowsOf(count)).toEqual([[5]]);
    expect(
      await rowsOf('WITH t AS (SELECT * FROM information_schema . /* x */ tables) SELECT count(*) FROM t, information_schema.tables'),
    ).toEqual([[16]]);
    const task = await taskOf('SELECT p.id FROM demo.people p JOIN information_schema.tables t ON t.table_name = p.name');
    expect(task.datasets).toEqual(expect.arrayContaining(['d-people', 'information_schema.tables']));
  });

  it('tells nothing else', async () => {
    for (const table of ['tables', 'columns', 'schemata', 'table_constraints', 'key_column_usage']) {
      const text = JSON.stringify(await rowsOf(`SELECT * FROM information_schema.${table}`), (_, value) =>
        typeof value === 'bigint' ? `${value}` : value,
      );
      expect(text).not.toMatch(/vault|salary|secret|__|p_[0-9a-f]{8}|nowhere|memory|system/);
    }
  });
});

describe('statements around', () => {
  it.each(['begin', 'commit', 'rollback', "SET timezone = 'UTC'"])('%s does nothing, as a query and as an update', async (sql) => {
    const { tickets } = await fixture.planner.plan({ principal: ana, sql, options: OPTIONS });
    expect(fixture.open(tickets[0]).task).toEqual({ kind: 'command', command: { kind: 'none' }, query: null });
    expect((await fixture.planner.prepare({ principal: ana, sql, options: OPTIONS })).schema).toBeNull();
  });

  it('EXPLAIN POLICY takes its tables for readable', async () => {
    const sql = 'EXPLAIN POLICY SELECT table_name FROM information_schema.tables';
    const { task } = fixture.open((await fixture.planner.plan({ principal: ana, sql, options: OPTIONS })).tickets[0]);
    const [row] = task.kind === 'inline' ? tableFromIPC(task.ipc).toArray() : [];
    expect([row?.['dataset'], row?.['decision'], row?.['path']]).toEqual(['information_schema.tables', 'allow', 'plain']);
  });
});

describe('session', () => {
  it('current_catalog, current_user and their kin answer for the caller', async () => {
    expect(await rowsOf('SELECT current_catalog, current_user, session_user, user, current_database(), current_schema')).toEqual([
      ['lake', 'ana', 'ana', 'ana', 'lake', 'demo'],
    ]);
    expect(await rowsOf('SELECT current_user FROM information_schema.schemata WHERE current_catalog = catalog_name')).toEqual([['ana']]);
  });

  it('a column of that name is the column', async () => {
    expect(await rowsOf('SELECT user FROM (SELECT 7 AS user)')).toEqual([[7]]);
  });
});

describe('attacks', () => {
  it.each([
    'SELECT * FROM information_schema.views',
    'SELECT * FROM information_schema.__proto__',
    'SELECT * FROM information_schema.constructor',
    'SELECT * FROM system.information_schema.tables',
    'SELECT * FROM temp.information_schema.tables',
    'SELECT * FROM memory.information_schema.tables',
    'SELECT * FROM tables',
    'SELECT * FROM main.tables',
    'SELECT * FROM __base_information_schema.tables',
    'SELECT * FROM lake.__base_information_schema.tables',
    'SELECT * FROM pg_catalog.pg_class',
    'WITH information_schema AS (SELECT 1) SELECT * FROM information_schema.tables',
    'SELECT system.main.current_database()',
    'SELECT main.current_catalog()',
    "SELECT current_user('x')",
    'SELECT * FROM system.main.duckdb_constraints()',
    'SELECT * FROM main.duckdb_constraints()',
    "SELECT * FROM duckdb_constraints('x')",
    'SELECT * FROM duckdb_tables()',
    'SELECT duckdb_constraints()',
    'SELECT current_catalog() OVER ()',
    "SELECT list_aggregate(['x'], 'current_catalog')",
  ])('%s', async (sql) => {
    await expect(rowsOf(sql)).rejects.toMatchObject({ code: expect.stringMatching(/^(sql|dataset)\./) });
  });

  it('CTEs can not take the place of a table', async () => {
    expect(await rowsOf('WITH tables AS (SELECT 1 AS x) SELECT count(*) FROM information_schema.tables')).toEqual([[4]]);
  });

  it('a ticket of any table holds only while the whole policy does', async () => {
    const { task, fingerprint } = fixture.open(
      (await fixture.planner.plan({ principal: ana, sql: 'SELECT * FROM information_schema.tables', options: OPTIONS })).tickets[0],
    );
    const datasets = task.kind === 'query' ? task.datasets : [];
    const other = await compilePolicy({ ...fixture.policy.snapshot, contentHash: 'other' });
    expect((await fixture.policy.forPrincipal(ana)).fingerprint(datasets)).toBe(fingerprint);
    expect((await other.forPrincipal(ana)).fingerprint(datasets)).not.toBe(fingerprint);
  });

  it('a catalog too large for a ticket is refused', async () => {
    const [people] = SNAPSHOT.datasets;
    if (people === undefined) throw new Error('no dataset');
    const columns = Array.from({ length: 1000 }, (_, index) => ({ name: `column_${index}`, type: 'BIGINT', tags: [] }));
    const datasets = Array.from({ length: 12 }, (_, index) => ({ ...people, id: `w${index}`, name: `wide_${index}`, columns }));
    const kept = fixture.policy;
    fixture.policy = await compilePolicy({ ...SNAPSHOT, datasets });
    await expect(rowsOf('SELECT * FROM information_schema.columns', boss)).rejects.toMatchObject({ code: 'sql.limit' });
    expect(await rowsOf('SELECT count(*) FROM information_schema.tables', boss)).toEqual([[12]]);
    fixture.policy = kept;
  });
});
