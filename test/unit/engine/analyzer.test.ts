import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Analyzer, createAnalyzer, type Description } from '#src/engine/index.js';
import { catalogOf, EMPTY } from './fixtures.ts';

const NAME = 'p_0123456789abcdef';
const CATALOG = catalogOf(
  NAME,
  `CREATE SCHEMA "${NAME}".__source`,
  `CREATE TABLE "${NAME}".__source."demo.t"(a INTEGER, ssn VARCHAR, d DECIMAL(15,2))`,
  `CREATE VIEW "${NAME}".demo.t AS SELECT a, d, left(getvariable('sluice_token_key'), 1) AS k FROM "${NAME}".__source."demo.t"`,
);

let analyzer: Analyzer;

beforeAll(async () => {
  analyzer = await createAnalyzer();
});

afterAll(async () => {
  await analyzer[Symbol.asyncDispose]();
});

describe('parse', () => {
  it('gives the tree', async () => {
    const tree = await analyzer.parse("SELECT 12345678901234567890123 AS a, 'é\"\\' AS b FROM t");
    expect(tree).toMatchObject({ error: false, statements: [{ node: { type: 'SELECT_NODE', from_table: { table_name: 't' } } }] });
    expect(JSON.stringify(tree)).toContain('é\\"\\\\');
  });

  it('leaves counting statements to the gate', async () => {
    expect(await analyzer.parse('SELECT 1; SELECT 2')).toMatchObject({ statements: [{}, {}] });
    expect(await analyzer.parse('')).toMatchObject({ statements: [] });
  });

  it.each(['selec 1', 'SELECT FROM WHERE', "SELECT 'open"])('a syntax error carries the parser text: %s', async (sql) => {
    await expect(analyzer.parse(sql)).rejects.toMatchObject({
      code: 'sql.syntax',
      message: expect.stringMatching(/at or near|unterminated|syntax/i),
    });
  });

  it.each([
    'INSERT INTO t VALUES (1)',
    'DROP TABLE t',
    "ATTACH 'x'",
    'SET a = 1',
    'EXPLAIN SELECT 1',
    "COPY t TO 'x'",
    'PIVOT t ON a USING sum(b)',
  ])('refuses %s', async (sql) => {
    await expect(analyzer.parse(sql)).rejects.toMatchObject({ code: 'sql.refused' });
  });

  it.each(['1e999', '-1e999', "'Infinity'::DOUBLE + 1e999"])('refuses a number that is not finite: %s', async (value) => {
    await expect(analyzer.parse(`SELECT ${value}`)).rejects.toMatchObject({ code: 'sql.refused' });
  });
});

describe('boundPlan', () => {
  it('shows the casts that the binder adds, with exact types', async () => {
    const plan = JSON.stringify(await analyzer.boundPlan(CATALOG, 'SELECT a > 1.5 FROM t'));
    expect(plan).toContain('"expression_class":"BOUND_CAST"');
    expect(plan).toContain('"width":11,"scale":1');
  });

  it('is an error tree, or null, for what does not bind', async () => {
    expect(await analyzer.boundPlan(CATALOG, 'SELECT nope FROM t')).toMatchObject({ error: true });
    expect(await analyzer.boundPlan(CATALOG, 'SELECT 1; SELECT 2')).not.toMatchObject({ error: false, plans: [{}] });
  });
});

describe('describe', () => {
  it('binds in the plan catalog, unqualified and qualified', async () => {
    for (const table of ['t', 'demo.t', `${NAME}.demo.t`]) {
      const { columns } = await analyzer.describe(CATALOG, `SELECT sum(d) AS total, count(*) FROM ${table} WHERE a > ?`);
      expect(columns).toEqual([
        { name: 'total', type: 'DECIMAL(38,2)' },
        { name: 'count_star()', type: 'BIGINT' },
      ]);
    }
  });

  it.each([
    ['SELECT nope FROM t', /Referenced column "nope" not found in FROM clause/],
    ['SELECT t.nope FROM t', /does not have a column named "nope"/],
    ['SELECT * FROM nope', /Table with name nope does not exist/],
    ['SELECT nofn(1)', /nofn does not exist/],
    ['SELECT a::nosuch FROM t', /nosuch does not exist/],
  ])('%s names what the user wrote', async (sql, message) => {
    await expect(analyzer.describe(CATALOG, sql)).rejects.toMatchObject({ code: 'sql.binding', message: expect.stringMatching(message) });
  });

  it.each([
    'SELECT nope FROM t',
    'SELECT t.ss FROM t',
    'SELECT ssn FROM t',
    'SELECT * FROM tt',
    'SELECT * FROM demo.tt',
    'SELECT * FROM __sourc.t',
    `SELECT * FROM ${NAME}.demo.x`,
    `SELECT * FROM ${NAME}.nope.x`,
    'SELECT getvariabl(1)',
    'SELECT * FROM duckdb_view()',
    "SELECT * FROM read_parque('/etc/x')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT '/etc/passwd'::NOSUCH",
    'SELECT sum(k) FROM t',
    'SELECT a FROM t GROUP BY d',
    'SELECT d.x.y FROM t',
  ])('a binding error has no hidden name, hint or path: %s', async (sql) => {
    const error = await analyzer.describe(CATALOG, sql).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'sql.binding' });
    expect(String(error)).not.toMatch(/p_0123|__source|getvariable|Did you mean|Candidate|\/etc|LINE|\n|ssn_/i);
  });

  it.each(['INSERT INTO t VALUES (1, 2, 3)', 'DROP VIEW t', 'CREATE TABLE x(a INTEGER)', 'SELECT 1; SELECT 2', 'SET threads = 2'])(
    'binds nothing but one SELECT: %s',
    async (sql) => {
      await expect(analyzer.describe(EMPTY, sql)).rejects.toMatchObject({ code: expect.stringMatching(/^sql\./) });
    },
  );

  it("a catalog that does not load is our fault, not the user's", async () => {
    await expect(analyzer.describe(catalogOf('p_bad', 'CREATE VIEW "p_bad".demo.x AS SELECT nope'), 'SELECT 1')).rejects.toMatchObject({
      code: 'server.internal',
      message: 'internal error',
    });
  });

  it('has no access to files', async () => {
    for (const statement of [
      'CREATE VIEW "p_f".demo.x AS SELECT * FROM read_csv(\'/etc/passwd\')',
      "ATTACH '/tmp/x.duckdb' AS x",
      'SET threads = 4',
    ]) {
      await expect(analyzer.describe(catalogOf('p_f', statement), 'SELECT 1')).rejects.toMatchObject({ code: expect.any(String) });
    }
  });
});

/** Each CTE reads the one before twice: binding doubles with every step. */
function doubling(steps: number): string {
  const parts = Array.from({ length: steps }, (_, step) => `a${step + 1} AS (SELECT * FROM a${step} x, a${step} y)`);
  return `WITH a0 AS (SELECT 1 AS n), ${parts.join(', ')} SELECT count(*) FROM a${steps}`;
}

it('a statement that takes too long to bind is refused, and does not keep others waiting for good', async () => {
  const hasty = await createAnalyzer(400);
  try {
    // On a busy machine the first tries may be too slow for this deadline.
    const again = (): Promise<Description> => hasty.describe(EMPTY, 'SELECT 1 AS n').catch(again);
    await again();
    const slow = [hasty.describe(EMPTY, doubling(15)), hasty.boundPlan(EMPTY, doubling(15)), hasty.describe(EMPTY, doubling(15))];
    for (const statement of slow) await expect(statement).rejects.toMatchObject({ code: 'sql.limit' });
    expect((await again()).columns).toEqual([{ name: 'n', type: 'INTEGER' }]);
  } finally {
    await hasty[Symbol.asyncDispose]();
  }
});

it('lists the functions', async () => {
  const functions = await analyzer.functions();
  expect(functions.length).toBeGreaterThan(1000);
  expect(functions).toContainEqual(
    expect.objectContaining({ name: 'sum', type: 'aggregate', parameterTypes: ['DECIMAL'], stability: 'CONSISTENT' }),
  );
  expect(functions).toContainEqual(expect.objectContaining({ name: 'read_parquet', type: 'table' }));
});
