/** Size bombs: an upper estimate of the bytes of every value a statement computes from constants. */

import { fail } from '../errors.ts';
import { child, constantOf, isObject, type Json, list, object, objects, text } from './ast.ts';
import type { SqlLimits } from './limits.ts';

/** Bytes that a stored column value counts as; what a column really holds is data, not a bomb of the statement. */
const COLUMN_BYTES = 16;
/** Bytes of the smallest list element. */
const ELEMENT_BYTES = 8;
/** Stand-in for the value carried around a recursion; a step that doubles it is refused. */
const RECURSION_BYTES = 4_096;

interface Sizes {
  readonly limits: SqlLimits;
  /** Largest column of each CTE in scope. */
  readonly tables: ReadonlyMap<string, number>;
  /** Largest column that a name in scope can mean. */
  readonly column: number;
}

/** Throws sql.limit for values that would grow past the limits, sql.refused where a size is no constant. */
export function checkSizes(root: Json, limits: SqlLimits): void {
  querySize(root, { limits, tables: new Map(), column: COLUMN_BYTES });
}

/** Bytes of the largest column a query returns. */
function querySize(node: Json, outer: Sizes): number {
  const sizes = withCommonTables(node, outer);
  const size = bodySize(node, sizes);
  for (const modifier of objects(node, 'modifiers')) scan(modifier, sizes);
  return size;
}

function bodySize(node: Json, sizes: Sizes): number {
  if (node['type'] === 'SELECT_NODE') return selectSize(node, sizes);
  const left = querySize(object(node['left']), sizes);
  if (node['type'] !== 'RECURSIVE_CTE_NODE') return Math.max(left, querySize(object(node['right']), sizes));
  const start = Math.max(left, RECURSION_BYTES);
  const tables = new Map([...sizes.tables, [text(node['cte_name']).toLowerCase(), start] as const]);
  const step = querySize(object(node['right']), { ...sizes, tables });
  if (step >= 2 * start) fail('sql.limit', 'a recursive query doubles a value in each step');
  return step;
}

function selectSize(node: Json, outer: Sizes): number {
  const from = child(node, 'from_table');
  const sizes = { ...outer, column: Math.max(outer.column, from === null ? 0 : refSize(from, outer)) };
  const selected = objects(node, 'select_list').map((item) => expressionSize(item, sizes));
  for (const [field, value] of Object.entries(node)) {
    if (!['select_list', 'from_table', 'cte_map', 'modifiers'].includes(field)) scan(value, sizes);
  }
  return Math.max(COLUMN_BYTES, ...selected);
}

function withCommonTables(node: Json, outer: Sizes): Sizes {
  let sizes = outer;
  for (const entry of objects(object(node['cte_map'] ?? {}), 'map')) {
    const size = querySize(object(object(object(entry['value'])['query'])['node']), sizes);
    sizes = { ...sizes, tables: new Map([...sizes.tables, [text(entry['key']).toLowerCase(), size] as const]) };
  }
  return sizes;
}

function refSize(ref: Json, sizes: Sizes): number {
  switch (ref['type']) {
    case 'BASE_TABLE':
      return sizes.tables.get(text(ref['table_name']).toLowerCase()) ?? COLUMN_BYTES;
    case 'SUBQUERY':
      return querySize(object(object(ref['subquery'])['node']), sizes);
    case 'SHOW_REF':
      return querySize(object(ref['query']), sizes);
    case 'JOIN': {
      const left = refSize(object(ref['left']), sizes);
      const right = refSize(object(ref['right']), { ...sizes, column: Math.max(left, sizes.column) });
      const size = Math.max(left, right);
      scan(ref['condition'], { ...sizes, column: Math.max(size, sizes.column) });
      return size;
    }
    case 'TABLE_FUNCTION':
      return tableFunctionSize(object(ref['function']), sizes);
    case 'PIVOT': {
      const size = refSize(object(ref['source']), sizes);
      return Math.max(size, scan([ref['aggregates'], ref['pivots']], { ...sizes, column: Math.max(size, sizes.column) }));
    }
    default:
      return scan(ref['values'], sizes);
  }
}

function tableFunctionSize(call: Json, sizes: Sizes): number {
  const name = text(call['function_name']).toLowerCase();
  const args = objects(call, 'children');
  const inner = scan(args, sizes);
  if (name === 'range' || name === 'generate_series') {
    const count = rangeCount(args);
    if (count !== undefined && count > sizes.limits.rangeRows) fail('sql.limit', `${name} makes more than ${sizes.limits.rangeRows} rows`);
    return COLUMN_BYTES;
  }
  return inner;
}

/** The largest expression anywhere below. */
function scan(value: unknown, sizes: Sizes): number {
  if (Array.isArray(value)) return value.reduce((most: number, item) => Math.max(most, scan(item, sizes)), 0);
  if (!isObject(value)) return 0;
  if (typeof value['class'] === 'string') return expressionSize(value, sizes);
  return scan(Object.values(value), sizes);
}

function expressionSize(node: Json, sizes: Sizes): number {
  switch (node['class']) {
    case 'CONSTANT':
      return constantSize(node);
    case 'COLUMN_REF':
    case 'STAR':
    case 'POSITIONAL_REFERENCE':
      return Math.max(sizes.column, scan(node['expr'], sizes), scan(node['replace_list'], sizes));
    case 'SUBQUERY':
      return Math.max(querySize(object(object(node['subquery'])['node']), sizes), scan(node['child'], sizes));
    case 'CASE':
      return scan(Object.values(node), sizes);
    case 'FUNCTION':
      return bounded(callSize(node, sizes), sizes);
    case 'OPERATOR':
      return bounded(sum(list(node['children']).map((item) => scan(item, sizes))), sizes);
    default:
      return scan(Object.values(node), sizes);
  }
}

function bounded(size: number, sizes: Sizes): number {
  if (size > sizes.limits.valueBytes) fail('sql.limit', `an expression makes a value of more than ${sizes.limits.valueBytes} bytes`);
  return size;
}

function constantSize(node: Json): number {
  const value = constantOf(node);
  return typeof value === 'string' ? Buffer.byteLength(value) : 8;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function product(values: readonly number[]): number {
  return values.reduce((total, value) => total * Math.max(1, value), 1);
}

const LAMBDA_FOLD: ReadonlySet<string> = new Set(['list_reduce', 'array_reduce', 'reduce']);

function callSize(node: Json, sizes: Sizes): number {
  const name = text(node['function_name']).toLowerCase();
  const args = objects(node, 'children');
  scan(node['filter'], sizes);
  scan(node['order_bys'], sizes);
  const lambda = args.find((arg) => arg['class'] === 'LAMBDA' || arg['type'] === 'LAMBDA');
  if (lambda !== undefined) return lambdaSize(name, args, lambda, sizes);
  const rule = Object.hasOwn(GROWING, name) ? GROWING[name] : undefined;
  const argSizes = args.map((arg) => expressionSize(arg, sizes));
  if (rule === undefined) return Math.max(COLUMN_BYTES, sum(argSizes));
  const size = rule(args, argSizes, name, sizes.limits);
  if (size > sizes.limits.growthBytes && size > sum(argSizes))
    fail('sql.limit', `${name} makes a value of more than ${sizes.limits.growthBytes} bytes`);
  return size;
}

/** The body runs once per element; folding feeds its own result back. */
function lambdaSize(name: string, args: readonly Json[], lambda: Json, sizes: Sizes): number {
  const input = sum(args.filter((arg) => arg !== lambda).map((arg) => expressionSize(arg, sizes)));
  const body = (element: number): number => scan(lambda['expr'], { ...sizes, column: Math.max(element, sizes.column) });
  if (LAMBDA_FOLD.has(name)) {
    const carried = Math.max(input, RECURSION_BYTES);
    if (body(carried) >= 2 * carried) fail('sql.limit', `${name} doubles a value in each step`);
    return body(carried) + input * body(0);
  }
  // Many small elements cost the body's fixed part each; one large element costs its growth.
  const large = Math.max(input, sizes.column);
  const growth = (body(large) - body(0)) / Math.max(1, large - sizes.column);
  return bounded(growth * input + Math.ceil(input / ELEMENT_BYTES) * body(0), sizes);
}

type Growth = (args: readonly Json[], sizes: readonly number[], name: string, limits: SqlLimits) => number;

/** The constant at a position, or a refusal: sizes may not depend on data. */
function size(args: readonly Json[], index: number, name: string): number {
  const arg = args[index];
  const value = arg === undefined ? 0 : numberOf(arg);
  if (value === undefined) fail('sql.refused', `the size given to ${name} must be a number constant`);
  return Math.max(0, value);
}

/** A numeric constant, also signed and below casts. */
function numberOf(node: Json): number | undefined {
  const value = constantOf(node);
  if (value === null) return 0;
  if (typeof value === 'number') return value;
  if (typeof value === 'string' && /^\s*[+-]?\d+(\.\d+)?\s*$/.test(value)) return Number(value);
  if (isObject(value)) return Number.POSITIVE_INFINITY;
  const args = node['class'] === 'FUNCTION' ? objects(node, 'children') : [];
  const inner = args.length === 1 && args[0] !== undefined ? numberOf(args[0]) : undefined;
  if (inner === undefined) return undefined;
  return node['function_name'] === '-' ? -inner : node['function_name'] === '+' ? inner : undefined;
}

const repeat: Growth = (args, sizes, name) => size(args, 1, name) * Math.max(1, sizes[0] ?? 1);
const pad: Growth = (args, sizes, name) => 4 * size(args, 1, name) + (sizes[2] ?? 0);
const replace: Growth = (_args, sizes) => Math.max(1, sizes[0] ?? 1) * Math.max(1, sizes.at(-1) ?? 1);
const resize: Growth = (args, sizes, name) => (8 + (sizes[2] ?? 8)) * size(args, 1, name) + (sizes[0] ?? 0);
const atSize =
  (index: number, unit: number): Growth =>
  (args, _sizes, name) =>
    unit * size(args, index, name);
const joined: Growth = (_args, sizes) => product(sizes.slice(0, 1)) * Math.max(1, sum(sizes.slice(1)));

const range: Growth = (args, _sizes, name) => {
  const count = rangeCount(args);
  if (count === undefined) fail('sql.refused', `the bounds given to ${name} outside FROM must be constants`);
  return 8 * count;
};

/** Numbers in a format text are widths; a width taken from an argument is refused. */
const format: Growth = (args, sizes, name) => {
  const pattern = args[0] === undefined ? '' : constantOf(args[0]);
  if (typeof pattern !== 'string') fail('sql.refused', `the format given to ${name} must be a text constant`);
  const dynamic = name === 'printf' ? /%[^a-z%]*\*/i.test(pattern) : /\{[^}]*\{/.test(pattern.replaceAll('{{', ''));
  if (dynamic) fail('sql.refused', `a width taken from an argument of ${name} is not allowed`);
  const widths = (pattern.match(/\d+/g) ?? []).map(Number);
  const fields = Math.max(1, pattern.split(name === 'printf' ? '%' : '{').length - 1);
  return sum(widths) + fields * Math.max(1, sum(sizes));
};

const separator: Growth = (args, sizes) => sum(sizes) + args.length * (sizes[0] ?? 0);

const GROWING: Readonly<Record<string, Growth>> = {
  repeat,
  lpad: pad,
  rpad: pad,
  replace,
  regexp_replace: (args, sizes) => replace(args, sizes.slice(0, 3), '', NO_LIMITS),
  list_resize: resize,
  array_resize: resize,
  range,
  generate_series: range,
  format,
  printf: format,
  concat_ws: separator,
  bitstring: atSize(1, 1),
  to_base: atSize(2, 1),
  bar: (args) => (args.length > 3 ? 4 * size(args, 3, 'bar') : 320),
  equi_width_bins: atSize(2, 16),
  array_to_string: joined,
  list_aggregate: joined,
  list_aggr: joined,
  array_aggregate: joined,
  array_aggr: joined,
  aggregate: joined,
  list_string_agg: joined,
  approx_top_k: atSize(1, 64),
  factorial: () => 64,
};

const NO_LIMITS: SqlLimits = { textBytes: 0, depth: 0, connectives: 0, nodes: 0, growthBytes: 0, valueBytes: 0, rangeRows: 0 };

const STEP_SECONDS: Readonly<Record<string, number>> = {
  to_microseconds: 1e-6,
  to_milliseconds: 1e-3,
  to_seconds: 1,
  to_minutes: 60,
  to_hours: 3600,
  to_days: 86400,
  to_weeks: 604800,
  to_months: 2.4e6,
  to_quarters: 7e6,
  to_years: 3e7,
  to_decades: 3e8,
  to_centuries: 3e9,
  to_millennia: 3e10,
};

/** Elements of range(stop), range(start, stop), range(start, stop, step); undefined when not constant. */
function rangeCount(args: readonly Json[]): number | undefined {
  const [first, second, third] = args;
  if (first === undefined) return 0;
  if (second === undefined) return numberOf(first);
  const from = boundOf(first);
  const to = boundOf(second);
  const step = third === undefined ? 1 : stepOf(third);
  if (from === undefined || to === undefined || step === undefined) return undefined;
  return step === 0 ? Number.POSITIVE_INFINITY : Math.max(0, (to - from) / step) + 1;
}

/** A number, or a date or timestamp in seconds. */
function boundOf(node: Json): number | undefined {
  const number = numberOf(node);
  if (number !== undefined) return number;
  const value = constantOf(node);
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? undefined : time / 1000;
}

function stepOf(node: Json): number | undefined {
  const number = numberOf(node);
  if (number !== undefined) return number;
  const unit = node['class'] === 'FUNCTION' ? STEP_SECONDS[text(node['function_name']).toLowerCase()] : undefined;
  const amount = unit === undefined ? undefined : objects(node, 'children')[0];
  const count = amount === undefined ? undefined : numberBelow(amount);
  if (unit !== undefined && count !== undefined) return unit * count;
  return typeof constantOf(node) === 'string' ? intervalText(String(constantOf(node))) : undefined;
}

/** The parser wraps the amount of `INTERVAL 3 DAY` in casts and trunc. */
function numberBelow(node: Json): number | undefined {
  const number = numberOf(node);
  if (number !== undefined) return number;
  if (node['class'] === 'CAST') return numberBelow(object(node['child']));
  const first = node['class'] === 'FUNCTION' && node['function_name'] === 'trunc' ? objects(node, 'children')[0] : undefined;
  return first === undefined ? undefined : numberBelow(first);
}

/** `'3 days'`: one amount and unit; anything richer is unknown. */
function intervalText(value: string): number | undefined {
  const match = /^\s*(\d+)\s*(microsecond|millisecond|second|minute|hour|day|week|month|quarter|year)s?\s*$/i.exec(value);
  const unit = match === null ? undefined : STEP_SECONDS[`to_${match[2]?.toLowerCase()}s`];
  return unit === undefined || match === null ? undefined : unit * Number(match[1]);
}
