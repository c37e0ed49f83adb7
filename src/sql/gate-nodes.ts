/** Rules for query nodes, table references and modifiers. */

import { fail } from '../errors.ts';
import { foldName } from '../names.ts';
import { child, type Json, list, location, object, objects, text } from './ast.ts';
import { isTableFunction, systemTableOf } from './functions.ts';
import { applyFunction, expressionLists, expressions, isOwnCall, modifier, optionalExpression, subquery } from './gate-expressions.ts';
import { INFORMATION_SCHEMA } from './plan-catalog.ts';
import { checkValue } from './types.ts';
import {
  applyShape,
  countNodes,
  name,
  names,
  numbers,
  oneOf,
  plain,
  type Rule,
  type Scope,
  type Shape,
  unused,
  type Walk,
} from './walk.ts';

/** A CTE named like a system view or a file could be read as that where DuckDB no longer sees the CTE. */
const RESERVED_CTE = /^(duckdb_|pg_|pragma_|sqlite_|information_schema$|recurring$|__)|[./\\:*?[\]{}~$'"]/i;

const COMMON_NODE: Shape = {
  type: plain,
  cte_map: (walk, value) => {
    walk.seen.add(object(value));
  },
  modifiers: (walk, value, scope) => {
    for (const item of list(value)) modifier(walk, object(item), scope);
  },
};

const NODES: Readonly<Record<string, Shape>> = {
  SELECT_NODE: {
    ...COMMON_NODE,
    select_list: (walk, value, scope) => expressions(walk, value, scope),
    from_table: (walk, value, scope) => tableRef(walk, object(value), scope),
    where_clause: (walk, value, scope) => optionalExpression(walk, value, scope),
    group_expressions: (walk, value, scope) => expressions(walk, value, scope),
    group_sets: numbers,
    aggregate_handling: plain,
    having: (walk, value, scope) => optionalExpression(walk, value, scope),
    qualify: (walk, value, scope) => optionalExpression(walk, value, scope),
    sample: (walk, value) => sample(walk, value),
  },
  SET_OPERATION_NODE: {
    ...COMMON_NODE,
    setop_type: oneOf('set operation', ['UNION', 'UNION_BY_NAME', 'EXCEPT', 'INTERSECT']),
    setop_all: plain,
    left: (walk, value, scope) => visitNode(walk, object(value), scope),
    right: (walk, value, scope) => visitNode(walk, object(value), scope),
  },
  RECURSIVE_CTE_NODE: {
    ...COMMON_NODE,
    cte_name: name,
    aliases: names,
    union_all: plain,
    left: (walk, value, scope) => visitNode(walk, object(value), scope),
    right: (walk, value, scope) => visitNode(walk, object(value), scope),
    key_targets: (walk, value, scope) => expressions(walk, value, scope),
    payload_aggregates: (walk, value, scope) => expressions(walk, value, scope),
  },
};

export function visitNode(walk: Walk, node: Json, scope: Scope): void {
  const type = text(node['type']);
  const shape = Object.hasOwn(NODES, type) ? NODES[type] : undefined;
  if (shape === undefined) fail('sql.refused', `query form ${type} is not allowed`);
  const inner = commonTables(walk, child(node, 'cte_map'), scope);
  if (type === 'RECURSIVE_CTE_NODE') visitRecursive(walk, node, shape, inner);
  else applyShape(walk, node, shape, inner, 'the query');
}

/** Only the recursive arm sees the CTE itself. */
function visitRecursive(walk: Walk, node: Json, shape: Shape, scope: Scope): void {
  const within: Scope = new Map([...scope, [cteName(node['cte_name']), { recursive: true, nodes: 1 }]]);
  const arm: Rule = (inner, value) => visitNode(inner, object(value), within);
  applyShape(walk, node, { ...shape, right: arm }, scope, 'the recursive query');
}

/** A CTE sees those before it and the outer ones, never itself. */
function commonTables(walk: Walk, map: Json | null, outer: Scope): Scope {
  let scope = outer;
  if (map === null) return scope;
  walk.seen.add(map);
  if (Object.keys(map).some((key) => key !== 'map')) fail('sql.refused', 'the WITH clause has an unexpected form');
  for (const entry of objects(map, 'map')) {
    walk.seen.add(entry);
    const key = cteName(entry['key']);
    if (Object.keys(entry).some((field) => field !== 'key' && field !== 'value'))
      fail('sql.refused', 'the WITH clause has an unexpected form');
    const before = walk.nodes;
    applyShape(walk, object(entry['value']), COMMON_TABLE, scope, 'the WITH clause');
    scope = new Map([...scope, [key, { recursive: false, nodes: walk.nodes - before }]]);
  }
  return scope;
}

function cteName(value: unknown): string {
  const key = foldName(text(value));
  if (RESERVED_CTE.test(key)) fail('sql.refused', `the name ${JSON.stringify(value)} is not allowed in WITH`);
  return key;
}

const COMMON_TABLE: Shape = {
  aliases: names,
  query: subquery,
  materialized: plain,
  key_targets: (walk, value, scope) => expressions(walk, value, scope),
  payload_aggregates: (walk, value, scope) => expressions(walk, value, scope),
};

function sample(walk: Walk, value: unknown): void {
  if (value === null) return;
  const shape: Shape = {
    sample_size: (inner, size) => checkValue(size, (node) => inner.seen.add(node)),
    is_percentage: plain,
    method: plain,
    seed: plain,
  };
  applyShape(walk, object(value), shape, new Map(), 'SAMPLE');
}

const COMMON_REF: Shape = {
  type: plain,
  alias: name,
  query_location: plain,
  sample: (walk, value) => sample(walk, value),
  column_name_alias: names,
};

const REFS: Readonly<Record<string, Shape>> = {
  EMPTY: COMMON_REF,
  BASE_TABLE: { ...COMMON_REF, catalog_name: name, schema_name: name, table_name: name, at_clause: unused('AT (time travel)') },
  SUBQUERY: { ...COMMON_REF, subquery },
  JOIN: {
    ...COMMON_REF,
    left: (walk, value, scope) => tableRef(walk, object(value), scope),
    right: (walk, value, scope) => tableRef(walk, object(value), scope),
    condition: optionalExpression,
    join_type: oneOf('join type', ['INNER', 'LEFT', 'RIGHT', 'FULL', 'SEMI', 'ANTI']),
    ref_type: oneOf('join form', ['REGULAR', 'NATURAL', 'CROSS', 'POSITIONAL', 'ASOF']),
    using_columns: names,
    delim_flipped: plain,
    duplicate_eliminated_columns: expressions,
  },
  TABLE_FUNCTION: {
    ...COMMON_REF,
    function: (walk, value, scope) => tableFunction(walk, object(value), scope),
    with_ordinality: plain,
    subquery: unused('a table argument'),
  },
  EXPRESSION_LIST: { ...COMMON_REF, expected_names: names, expected_types: unused('a typed VALUES list'), values: expressionLists },
  PIVOT: {
    ...COMMON_REF,
    source: (walk, value, scope) => tableRef(walk, object(value), scope),
    aggregates: expressions,
    unpivot_names: names,
    pivots: (walk, value, scope) => pivots(walk, value, scope),
    groups: names,
    include_nulls: plain,
  },
  SHOW_REF: {
    ...COMMON_REF,
    show_type: oneOf('SHOW', ['DESCRIBE', 'SUMMARY']),
    table_name: name,
    catalog_name: name,
    schema_name: name,
    query: (walk, value) => shown(walk, value),
  },
};

function tableRef(walk: Walk, node: Json, scope: Scope): void {
  const type = text(node['type']);
  const shape = Object.hasOwn(REFS, type) ? REFS[type] : undefined;
  if (shape === undefined) fail('sql.refused', `table form ${type} is not allowed`);
  applyShape(walk, node, shape, scope, 'FROM');
  if (type === 'BASE_TABLE') baseTable(walk, node, scope);
}

function baseTable(walk: Walk, node: Json, scope: Scope): void {
  const parts = ['catalog_name', 'schema_name', 'table_name'].map((field) => text(node[field] ?? '')).filter((part) => part !== '');
  const last = foldName(parts.at(-1) ?? '');
  const common = scope.get(last);
  if (common !== undefined && parts.length === 1) {
    countNodes(walk, common.nodes);
    return;
  }
  if (common?.recursive === true && parts.length === 2 && foldName(parts[0] ?? '') === 'recurring') return;
  const dataset = walk.options.resolve(parts);
  if (dataset === null)
    fail('dataset.unknown', `dataset ${parts.map((part) => JSON.stringify(part)).join('.')} does not exist or may not be read`);
  countNodes(walk, dataset.columns.length);
  walk.tables.push({ dataset, parts, location: location(node) });
}

function tableFunction(walk: Walk, node: Json, scope: Scope): void {
  if (node['class'] !== 'FUNCTION') fail('sql.refused', 'this form of table function is not allowed');
  applyFunction(walk, node, scope, (called) => isTableFunction(called) || isSystemTable(walk, node, called), 'table function');
}

/** A catalog function that a macro of the plan answers, over a table of `information_schema`. */
function isSystemTable(walk: Walk, node: Json, called: string): boolean {
  const table = systemTableOf(called);
  const dataset = table === null || !isOwnCall(walk, node) ? null : walk.options.resolve([INFORMATION_SCHEMA, table]);
  if (dataset === null) return false;
  walk.tables.push({ dataset, parts: [], location: location(node) });
  return true;
}

function pivots(walk: Walk, value: unknown, scope: Scope): void {
  const shape: Shape = {
    pivot_expressions: expressions,
    unpivot_names: names,
    entries: pivotEntries,
    pivot_enum: unused('PIVOT over an enum'),
    subquery: unused('PIVOT over a subquery'),
  };
  for (const item of list(value)) applyShape(walk, object(item), shape, scope, 'PIVOT');
}

const pivotEntries: Rule = (walk, value, scope) => {
  const values: Rule = (inner, constants) => {
    for (const constant of list(constants)) checkValue(constant, (node) => inner.seen.add(node));
  };
  for (const item of list(value))
    applyShape(walk, object(item), { values, star_expr: optionalExpression, expr: optionalExpression, alias: name }, scope, 'PIVOT');
};

/** DESCRIBE and SUMMARIZE of a query; DuckDB binds it apart, so no outer CTE counts. */
function shown(walk: Walk, value: unknown): void {
  if (value === null) fail('sql.refused', 'SHOW is not allowed: use the catalog commands of the client, or DESCRIBE of a dataset');
  visitNode(walk, object(value), new Map());
}
