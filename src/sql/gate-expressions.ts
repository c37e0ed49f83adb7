/** Rules for expressions. */

import { fail } from '../errors.ts';
import { constantOf, type Json, list, location, object, text } from './ast.ts';
import { AGGREGATE_BY_NAME, isSessionFunction } from './functions.ts';
import { checkRecursion } from './recursion.ts';
import { checkType, checkValue } from './types.ts';
import { applyShape, name, names, plain, type Rule, type Scope, type Shape, unused, type Walk } from './walk.ts';

/** Parts of a column name: catalog, schema, table, column and struct fields. */
const MAX_NAME_PARTS = 16;

export const expression: Rule = (walk, value, scope) => visitExpression(walk, object(value), scope);

export const optionalExpression: Rule = (walk, value, scope) => {
  if (value !== null) expression(walk, value, scope);
};

export const expressions: Rule = (walk, value, scope) => {
  for (const item of list(value)) expression(walk, item, scope);
};

export const expressionLists: Rule = (walk, value, scope) => {
  for (const item of list(value)) expressions(walk, item, scope);
};

/** `{node, named_param_map}` wrappers around subqueries. */
export const subquery: Rule = (walk, value, scope) => {
  const statement = object(value);
  walk.seen.add(statement);
  if (Object.keys(statement).some((key) => key !== 'node' && key !== 'named_param_map'))
    fail('sql.refused', 'a subquery has an unexpected form');
  if (list(statement['named_param_map'] ?? []).length > 0) fail('sql.refused', 'a subquery has an unexpected form');
  walk.query(walk, object(statement['node']), scope);
};

export function modifier(walk: Walk, node: Json, scope: Scope): void {
  const limit: Shape = { type: plain, limit: optionalExpression, offset: optionalExpression };
  const shapes: Readonly<Record<string, Shape>> = {
    LIMIT_MODIFIER: limit,
    LIMIT_PERCENT_MODIFIER: limit,
    ORDER_MODIFIER: { type: plain, orders },
    DISTINCT_MODIFIER: { type: plain, distinct_on_targets: expressions },
  };
  const type = text(node['type']);
  const shape = Object.hasOwn(shapes, type) ? shapes[type] : undefined;
  if (shape === undefined) fail('sql.refused', `${type} is not allowed`);
  applyShape(walk, node, shape, scope, 'the query');
}

export const orders: Rule = (walk, value, scope) => {
  for (const item of list(value)) applyShape(walk, object(item), { type: plain, null_order: plain, expression }, scope, 'ORDER BY');
};

const type: Rule = (walk, value) => checkType(object(value), (node) => walk.seen.add(node));

const COMMON: Shape = { class: plain, type: plain, alias: name, query_location: plain };

const CALL: Shape = {
  ...COMMON,
  function_name: plain,
  schema: plain,
  catalog: plain,
  children: expressions,
  distinct: plain,
};

const SHAPES: Readonly<Record<string, Shape>> = {
  COLUMN_REF: { ...COMMON, column_names: names },
  CONSTANT: { ...COMMON, value: (walk, value) => checkValue(value, (node) => walk.seen.add(node)) },
  POSITIONAL_REFERENCE: { ...COMMON, index: plain },
  OPERATOR: { ...COMMON, children: expressions },
  COMPARISON: { ...COMMON, left: expression, right: expression },
  CONJUNCTION: { ...COMMON, children: expressions },
  BETWEEN: { ...COMMON, input: expression, lower: expression, upper: expression },
  CASE: { ...COMMON, case_checks: (walk, value, scope) => caseChecks(walk, value, scope), else_expr: expression },
  CAST: { ...COMMON, child: expression, cast_type: type, try_cast: plain },
  COLLATE: { ...COMMON, child: expression, collation: (_walk, value) => collation(value) },
  LAMBDA: { ...COMMON, lhs: expression, expr: expression, syntax_type: plain, lambda_type: plain },
  SUBQUERY: { ...COMMON, subquery_type: plain, subquery, child: optionalExpression, comparison_type: plain },
  STAR: {
    ...COMMON,
    relation_name: name,
    columns: plain,
    unpacked: plain,
    expr: optionalExpression,
    exclude_list: names,
    qualified_exclude_list: (walk, value, scope) => qualifiedNames(walk, value, scope),
    replace_list: (walk, value, scope) => entries(walk, value, scope, expression),
    rename_list: (walk, value, scope) => entries(walk, value, scope, name),
  },
  WINDOW: {
    ...CALL,
    partitions: expressions,
    orders,
    arg_orders: orders,
    start: plain,
    end: plain,
    start_expr: optionalExpression,
    end_expr: optionalExpression,
    offset_expr: optionalExpression,
    default_expr: optionalExpression,
    filter_expr: optionalExpression,
    ignore_nulls: plain,
    exclude_clause: plain,
  },
};

function visitExpression(walk: Walk, node: Json, scope: Scope): void {
  const kind = text(node['class']);
  if (kind === 'FUNCTION') {
    const allowed = (called: string): boolean => walk.options.functions.has(called) || (isSessionFunction(called) && isOwnCall(walk, node));
    applyFunction(walk, node, scope, allowed, 'function');
    return;
  }
  if (kind === 'WINDOW') allowName(walk, node, (called) => walk.options.functions.has(called), 'function');
  if (kind === 'COLUMN_REF') columnReference(walk, node);
  const shape = Object.hasOwn(SHAPES, kind) ? SHAPES[kind] : undefined;
  if (shape === undefined) fail('sql.refused', `expression ${kind} is not allowed`);
  applyShape(walk, node, shape, scope, 'an expression');
}

export function applyFunction(walk: Walk, node: Json, scope: Scope, allowed: (name: string) => boolean, what: string): void {
  const called = allowName(walk, node, allowed, what);
  if (AGGREGATE_BY_NAME.has(called)) aggregateByName(walk, node);
  checkRecursion(called, node);
  applyShape(walk, node, FUNCTION, scope, 'a function call');
}

const FUNCTION: Shape = {
  ...CALL,
  filter: optionalExpression,
  order_bys: (walk, value, scope) => {
    if (value !== null) modifier(walk, object(value), scope);
  },
  is_operator: plain,
  export_state: unused('EXPORT_STATE'),
};

/** A bare name without arguments, in a statement that has a session: a macro of the plan answers it. */
export function isOwnCall(walk: Walk, node: Json): boolean {
  const isBare = text(node['schema'] ?? '') === '' && text(node['catalog'] ?? '') === '';
  return walk.options.session === true && isBare && list(node['children']).length === 0;
}

/** Built-in names only: no schema but main, no catalog but system; DuckDB compares names without case. */
function allowName(walk: Walk, node: Json, allowed: (name: string) => boolean, what: string): string {
  const called = text(node['function_name']).toLowerCase();
  const schema = text(node['schema'] ?? '').toLowerCase();
  const catalog = text(node['catalog'] ?? '').toLowerCase();
  if ((schema !== '' && schema !== 'main') || (catalog !== '' && catalog !== 'system'))
    fail('sql.refused', `a qualified name for ${what} ${JSON.stringify(called)} is not allowed`);
  if (!allowed(called)) fail('sql.refused', `${what} ${JSON.stringify(called)} is not allowed`);
  walk.functions.add(called);
  return called;
}

function aggregateByName(walk: Walk, node: Json): void {
  const second = list(node['children'])[1];
  const aggregate = second === undefined ? undefined : constantOf(object(second));
  if (typeof aggregate !== 'string' || !walk.options.functions.has(aggregate.toLowerCase()))
    fail('sql.refused', 'the aggregate of a list must be named by a constant that is allowed');
  walk.functions.add(aggregate.toLowerCase());
}

/** An unbound bare name falls back to a function of that name; the engine's own would tell the plan's catalog. */
function sessionName(walk: Walk, name: string): void {
  if (!isSessionFunction(name)) return;
  if (walk.options.session === true) walk.functions.add(name);
  else if (name === 'current_catalog' || name === 'current_database') fail('sql.refused', `${JSON.stringify(name)} is not allowed`);
}

function columnReference(walk: Walk, node: Json): void {
  const parts = list(node['column_names']).map(text);
  if (parts.length === 0 || parts.length > MAX_NAME_PARTS) fail('sql.limit', `a column name has more than ${MAX_NAME_PARTS} parts`);
  if (parts.length === 1) sessionName(walk, (parts[0] ?? '').toLowerCase());
  if (parts.length >= 4) walk.columnReferences.push({ parts, location: location(node) });
}

function caseChecks(walk: Walk, value: unknown, scope: Scope): void {
  for (const item of list(value)) applyShape(walk, object(item), { when_expr: expression, then_expr: expression }, scope, 'CASE');
}

function collation(value: unknown): void {
  if (!/^[a-z_]+(\.[a-z_]+)*$/i.test(text(value))) fail('sql.refused', 'this collation is not allowed');
}

const QUALIFIED_NAME: Shape = { catalog: name, schema: name, table: name, column: name };

function qualifiedNames(walk: Walk, value: unknown, scope: Scope): void {
  for (const item of list(value)) applyShape(walk, object(item), QUALIFIED_NAME, scope, 'a column list');
}

/** `key`/`value` pairs of REPLACE and RENAME. */
function entries(walk: Walk, value: unknown, scope: Scope, inner: Rule): void {
  const key: Rule = (current, field) => {
    if (typeof field === 'string') name(current, field, scope);
    else applyShape(current, object(field), QUALIFIED_NAME, scope, 'a column list');
  };
  for (const item of list(value)) applyShape(walk, object(item), { key, value: inner }, scope, 'a column list');
}
