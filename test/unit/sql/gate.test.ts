/** Names and scopes of the gate, limits on text, splicing, and the row-filter language. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkText, DEFAULT_SQL_LIMITS, gateStatement, qualify, qualifyView, sameExceptCatalog } from '#src/sql/index.js';
import { Demo, parquet } from './demo.ts';

let demo: Demo;
beforeAll(async () => {
  demo = await Demo.open();
});
afterAll(() => demo.close());

const ORDERS = parquet('orders', '/x.parquet', { id: 'BIGINT', region: 'VARCHAR', d: 'DATE', z: 'TIMESTAMP WITH TIME ZONE' });

async function code(sql: string): Promise<string> {
  try {
    await demo.gate(sql, [ORDERS]);
    return 'passed';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

test.each([
  ['WITH a AS (SELECT 1) SELECT * FROM a', 'passed'],
  ['WITH A AS (SELECT 1) SELECT * FROM a', 'passed'],
  ['WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a', 'dataset.unknown'],
  ['WITH a AS (SELECT * FROM a) SELECT * FROM a', 'dataset.unknown'],
  ['WITH orders AS (SELECT * FROM orders) SELECT * FROM orders', 'passed'],
  ['SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) x, a', 'dataset.unknown'],
  ['WITH a AS (WITH b AS (SELECT 1) SELECT * FROM b) SELECT * FROM b', 'dataset.unknown'],
  ['WITH a AS (SELECT 1) SELECT * FROM demo.a', 'dataset.unknown'],
  ['WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r', 'passed'],
  ['WITH RECURSIVE r AS (SELECT n FROM r UNION ALL SELECT n + 1 FROM r) SELECT * FROM r', 'dataset.unknown'],
  ['WITH RECURSIVE r(a, b) USING KEY (a) AS (SELECT 1, 2 UNION SELECT a, b FROM recurring.r) SELECT * FROM r', 'passed'],
  ['SELECT (WITH a AS (SELECT 1) SELECT * FROM a), (SELECT * FROM a)', 'dataset.unknown'],
  ['WITH a AS (SELECT 1) SELECT 1 WHERE EXISTS (SELECT 1 FROM a)', 'passed'],
  ['WITH a AS MATERIALIZED (SELECT 1) FROM a UNION FROM a', 'passed'],
  ['SELECT * FROM sluice.demo.orders, demo.orders b, "ORDERS" c', 'passed'],
  ['SELECT * FROM other.demo.orders', 'dataset.unknown'],
  ["SELECT list_aggregate([1], 'sum')", 'passed'],
  ['SELECT x FROM orders GROUP BY GROUPING SETS ((region), ())', 'passed'],
])('%s: %s', async (sql, expected) => {
  expect(await code(sql)).toBe(expected);
});

describe('what would end the process, or never end', () => {
  const deep = (count: number): string => `${'['.repeat(count)}1${']'.repeat(count)}`;
  test.each([
    [`SELECT json_structure('${deep(5)}')`, 'sql.refused'],
    ["SELECT json_contains('[]', '1'), json_merge_patch('{}', '{}')", 'sql.refused'],
    ["SELECT json_pretty('[]')", 'sql.refused'],
    ["SELECT json_group_structure('[]')", 'sql.refused'],
    ["SELECT damerau_levenshtein('a', 'b')", 'sql.refused'],
    [`SELECT from_json('1', '${deep(90)}')`, 'passed'],
    [`SELECT from_json('1', '${deep(101)}')`, 'sql.limit'],
    [`SELECT json_transform_strict('1', '${deep(101)}')`, 'sql.limit'],
    ['SELECT json_transform(region, region) FROM orders', 'sql.refused'],
    ["SELECT from_json('1', repeat('[', 5))", 'sql.refused'],
    [`SELECT region LIKE '${'%a'.repeat(100)}' FROM orders`, 'passed'],
    [`SELECT region ILIKE '${'%a'.repeat(101)}' FROM orders`, 'sql.limit'],
    [`SELECT region NOT ILIKE '${'%a'.repeat(101)}' FROM orders`, 'sql.limit'],
    [`SELECT region GLOB '${'*a'.repeat(101)}' FROM orders`, 'sql.limit'],
    [`SELECT region LIKE '${'%a'.repeat(101)}' ESCAPE '!' FROM orders`, 'sql.limit'],
    ["SELECT 'a' LIKE region FROM orders", 'sql.refused'],
    ["SELECT 'a' ILIKE repeat('%a', 9)", 'sql.refused'],
    ["SELECT 'a' NOT LIKE ('%' || region) FROM orders", 'sql.refused'],
    ["SELECT list_transform(['%'], p -> 'a' ILIKE p)", 'sql.refused'],
    ['SELECT "~~*"(region, region) FROM orders', 'sql.refused'],
    ["SELECT main.ilike_escape('a', region, '!') FROM orders", 'sql.refused'],
    ["SELECT region LIKE '%' || 'a' || '%', region ILIKE concat('%', upper('a')) FROM orders", 'passed'],
    ["SELECT region LIKE CAST('a%' AS VARCHAR) FROM orders", 'passed'],
    ['SELECT region LIKE NULL FROM orders', 'passed'],
    ["SELECT levenshtein(region, 'abc') FROM orders", 'passed'],
    ["SELECT levenshtein(repeat('a', 60000), repeat('b', 60000))", 'sql.limit'],
    ["SELECT editdist3(repeat('a', 6000), region || repeat('b', 6000)) FROM orders", 'sql.limit'],
    ["SELECT list_transform(range(9), x -> levenshtein(repeat('a', 60000), repeat('b', 6000)))", 'sql.limit'],
    ["SELECT repeat('a', 5000) ILIKE '%a%a%b'", 'sql.limit'],
    ["SELECT repeat('a', 60000) LIKE '%a%a_b'", 'sql.limit'],
    ["SELECT repeat('a', 60000) LIKE '%b'", 'passed'],
    ["SELECT regexp_replace(repeat('a', 60000), 'a*b|a', 'x', 'g')", 'sql.limit'],
    ["SELECT regexp_replace(region, 'a*b|a', 'x', 'g') FROM orders", 'passed'],
  ])('%s: %s', async (sql, expected) => {
    expect(await code(sql)).toBe(expected);
  });
});

const doubling = (steps: number): string =>
  `WITH a0 AS (SELECT 1 x), ${Array.from({ length: steps }, (_, i) => `a${i + 1} AS (SELECT * FROM a${i} b, a${i} c)`).join(', ')} SELECT count(*) FROM a${steps}`;

describe('what a short text can blow up to', () => {
  test.each([
    ['a chain of WITH tables that doubles', doubling(24), 'sql.limit'],
    ['the same, still small', doubling(4), 'passed'],
    [
      'a collected list beside each row',
      'SELECT sum(len(list_append(l, r))) FROM (SELECT list(id) l FROM orders), range(60) t(r)',
      'sql.limit',
    ],
    [
      'a collected text beside each row',
      "SELECT sum(length(s || r)) FROM (SELECT string_agg(region, '-') s FROM orders), range(200) t(r)",
      'sql.limit',
    ],
    ['through a WITH table', "WITH c AS (SELECT string_agg(region, '-') s FROM orders) SELECT max(upper(s)) FROM c, orders", 'sql.limit'],
    ['through a scalar subquery', "SELECT length((SELECT string_agg(region, '') FROM orders) || range) FROM range(2000)", 'sql.limit'],
    ['through ARRAY', 'SELECT list_sort(ARRAY(SELECT id FROM orders)) FROM range(2000)', 'sql.limit'],
    [
      'through a recursion',
      "WITH RECURSIVE r AS (SELECT 1 n, (SELECT string_agg(region, '') FROM orders) s UNION ALL SELECT n + 1, s FROM r WHERE n < 2000) SELECT s || n FROM r",
      'sql.limit',
    ],
    ['through a window', 'SELECT len(list(id) OVER ()) FROM orders', 'sql.limit'],
    ['a collected text decorated where it is made', "SELECT '[' || string_agg(region, ', ') || ']' FROM orders GROUP BY d", 'passed'],
    ['a collected list taken apart', 'SELECT unnest(l) FROM (SELECT list(id) l FROM orders)', 'passed'],
    [
      'a collected list joined, measured and indexed',
      'SELECT len(a.l), a.l[1] + 1, list_contains(a.l, o.id) FROM (SELECT list(id) l, d FROM orders GROUP BY d) a JOIN orders o USING (d)',
      'passed',
    ],
    [
      'a collected text sorted above',
      "SELECT upper(s) FROM (SELECT string_agg(region, ',') s FROM orders GROUP BY d) ORDER BY 1",
      'passed',
    ],
  ])('%s', async (_name, sql, expected) => {
    expect(await code(sql)).toBe(expected);
  });
});

test('hidden and missing datasets are told alike, in the words of the user', async () => {
  await expect(demo.gate('SELECT * FROM "No Such".t', [ORDERS])).rejects.toMatchObject({
    code: 'dataset.unknown',
    message: 'dataset "No Such"."t" does not exist or may not be read',
  });
});

test('a node, field or type that no rule knows is refused', async () => {
  const options = { resolve: () => ORDERS, functions: demo.functions, limits: DEFAULT_SQL_LIMITS };
  const tampered = async (from: string, to: string): Promise<unknown> =>
    JSON.parse(JSON.stringify(await demo.parse('SELECT sum(id) FROM orders WHERE id > 1')).replace(from, to));
  for (const [from, to] of [
    ['"sample":null', '"sample":null,"novel":{"type":"SUBQUERY"}'],
    ['"class":"COMPARISON"', '"class":"NOVEL"'],
    ['"type":"BASE_TABLE"', '"type":"NOVEL"'],
    ['"export_state":false', '"export_state":true'],
    ['"type":"SELECT_NODE"', '"type":"CTE_NODE"'],
  ] as const) {
    const ast = await tampered(from, to);
    expect(() => gateStatement(ast, options), to).toThrow();
  }
});

test.each([
  ['SELECT d + INTERVAL 3 MONTH, d - 5, d - d FROM orders', true],
  ['SELECT z + INTERVAL 3 MONTH FROM orders', false],
  ['SELECT sum(id) / count(*) AS share, round(avg(id), 2) FROM orders GROUP BY region', true],
  ['SELECT x.share * 2 FROM (SELECT sum(id) / count(*) AS share FROM orders) x', true],
  ["SELECT d + 5 FROM (SELECT CASE WHEN region = 'US' THEN DATE '5881580-07-10' ELSE d END AS d FROM orders)", false],
  ['SELECT region::INTEGER FROM orders', true],
  ['SELECT list_transform([region], x -> x) FROM orders', false],
  ["SELECT regexp_matches(region, 'E') FROM orders", false],
  ['SUMMARIZE orders', false],
  ['DESCRIBE orders', true],
])('leakproof: %s is %s', async (sql, expected) => {
  expect((await demo.gate(sql, [ORDERS])).leakproof).toBe(expected);
});

describe('text', () => {
  test.each([
    ['', 'sql.empty'],
    [' -- only /* a comment', 'sql.empty'],
    ['/* nested /* comment */ */ ;', 'sql.empty'],
    ['SELECT 1\0', 'sql.refused'],
    ['SELECT \u001b', 'sql.refused'],
    ['SELECT \ud800', 'sql.refused'],
    [`SELECT ${'('.repeat(200)}`, 'sql.limit'],
    [`SELECT '${'x'.repeat(300_000)}'`, 'sql.limit'],
    [`SELECT 1${' AND 1'.repeat(5_000)}`, 'sql.limit'],
  ])('%# is %s', (sql, expected) => {
    expect(() => checkText(sql, DEFAULT_SQL_LIMITS)).toThrow(expect.objectContaining({ code: expected }));
  });

  test.each([
    'SELECT\t1\r\n',
    `SELECT '${'('.repeat(900)}'`,
    `SELECT $$${'('.repeat(900)}$$`,
    `SELECT 1 /* ${'('.repeat(900)} */`,
    `SELECT "${'['.repeat(200)}"`,
  ])('%# passes', (sql) => {
    expect(() => checkText(sql, DEFAULT_SQL_LIMITS)).not.toThrow();
  });
});

describe('splicing', () => {
  test.each([
    ['SELECT id FROM sluice.demo.orders', 'SELECT id FROM "p_1".demo.orders'],
    [
      `SELECT 'é', "Sluice" . /* c */ demo -- x\n . orders.id FROM SLUICE.demo."orders"`,
      `SELECT 'é', "p_1" . /* c */ demo -- x\n . orders.id FROM "p_1".demo."orders"`,
    ],
    ['FROM y: sluice.demo.orders SELECT y.id', 'FROM y: "p_1".demo.orders SELECT y.id'],
    ['SELECT id FROM demo.orders, orders', 'SELECT id FROM demo.orders, orders'],
    ["SELECT 'sluice.demo.orders' AS sluice FROM sluice.demo.orders", 'SELECT \'sluice.demo.orders\' AS sluice FROM "p_1".demo.orders'],
  ])('%s', async (sql, expected) => {
    const target = { catalogName: 'sluice', planCatalog: 'p_1' };
    const spliced = qualify(sql, await demo.gate(sql, [ORDERS]), target);
    expect(spliced).toBe(expected);
    expect(sameExceptCatalog(await demo.parse(sql), await demo.parse(spliced), target)).toBe(true);
  });

  test('a view names every table in full', async () => {
    const sql = 'SELECT o.id FROM Orders o JOIN demo.orders ON true, sluice.demo.orders c';
    const spliced = qualifyView(sql, await demo.gate(sql, [ORDERS]), 'p_1');
    expect(spliced).toBe(
      'SELECT o.id FROM "p_1"."__base_demo"."orders" o JOIN "p_1"."__base_demo"."orders" ON true, "p_1"."__base_demo"."orders" c',
    );
    expect(sameExceptCatalog(await demo.parse(sql), await demo.parse(spliced), { planCatalog: 'p_1', view: true })).toBe(true);
    expect(sameExceptCatalog(await demo.parse(sql), await demo.parse(spliced), { planCatalog: 'p_1' })).toBe(false);
  });

  test('a changed statement is noticed', async () => {
    const before = await demo.parse('SELECT id FROM sluice.demo.orders');
    for (const other of [
      'SELECT id FROM "p_1".demo.orders WHERE true',
      'SELECT region FROM "p_1".demo.orders',
      'SELECT id FROM "p_2".demo.orders',
      'SELECT id FROM "p_1".hidden.orders',
    ])
      expect(sameExceptCatalog(before, await demo.parse(other), { planCatalog: 'p_1' }), other).toBe(false);
  });
});

describe('row filters', () => {
  test.each([
    "region = 'EU' AND NOT (id > 5 OR id IS NULL)",
    "region IN ('EU', principal.region) OR region = principal.region",
    "id BETWEEN 1 AND 5 AND region LIKE 'E%'",
    "d >= DATE '2020-01-01' AND year(d) = 2021 AND lower(region) <> 'us' AND d < current_date",
    'true',
    'active',
    'region IS NOT NULL',
    "region NOT IN ('a') AND region NOT LIKE '_b'",
    'id = -1.5',
    'region IN principal.region',
  ])('%s is a filter', async (text) => {
    await expect(demo.predicate(text)).resolves.toHaveProperty('kind');
  });

  test.each([
    'true) UNION SELECT 2 WHERE (true',
    'true) GROUP BY (1',
    'true) ORDER BY (1',
    'true) LIMIT (1',
    'true) QUALIFY (true',
    'true) HAVING (true',
    'true) USING SAMPLE 5 --',
    'true); SELECT (1',
    'true) FROM orders WHERE (true',
    'id IN (SELECT 1)',
    'EXISTS (SELECT 1)',
    "regexp_matches(region, 'a')",
    'id + 1 = 2',
    "getvariable('x') = 'y'",
    'region LIKE principal.region',
    "region LIKE 'a' ESCAPE 'b'",
    'id::VARCHAR = 1',
    'a.b = 1',
    'NULL',
    'id = NULL',
    "lower(region, 'x') = 'a'",
    'count(*) = 1',
    'row_number() OVER () = 1',
    'CASE WHEN true THEN true END',
    "main.lower(region) = 'x' AND other.lower(region) = 'x'",
    "'yes'",
    '1',
    'id = ?',
  ])('%s is refused', async (text) => {
    await expect(demo.predicate(text)).rejects.toMatchObject({ code: 'policy.invalid' });
  });

  test('equality with an attribute is membership', async () => {
    expect(await demo.predicate('region = principal.region')).toEqual({
      kind: 'in',
      value: { kind: 'column', name: 'region' },
      list: [{ kind: 'attribute', name: 'region' }],
    });
  });
});

test.each(['SELECT ?', 'SELECT 1 WHERE $1', 'SELECT * FROM range(?)', 'SELECT 1 LIMIT $n', 'SELECT (SELECT ?)'])(
  'a parameter that no value took the place of is refused: %s',
  async (sql) => {
    await expect(demo.gate(sql, [ORDERS])).rejects.toMatchObject({ code: 'sql.refused' });
  },
);
