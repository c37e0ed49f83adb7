/** Size bombs: an upper estimate of the bytes of every value a statement computes from constants. */

import { fail } from '../errors.ts';
import { child, constantOf, isObject, type Json, list, object, objects, text } from './ast.ts';
import { COLLECTING, FIXED, GROWING, READING, rangeCount } from './growth.ts';
import type { SqlLimits } from './limits.ts';
import { checkSteps } from './recursion.ts';

/** Bytes that a stored column value counts as; what a column really holds is data, not a bomb of the statement. */
const COLUMN_BYTES = 16;
/** Bytes of the smallest list element. */
const ELEMENT_BYTES = 8;
/** Stand-in for the value carried through a fold; a step that doubles it is refused. */
const FOLD_BYTES = 4_096;
/** Steps of a recursion that are tried on sizes: enough to tell doubling from adding. */
const TRIED_STEPS = 8;

/** Sizes of a relation's columns; `most` also covers columns without a known name. */
interface Columns {
  readonly byName: ReadonlyMap<string, number>;
  readonly most: number;
}

interface Sizes {
  readonly limits: SqlLimits;
  /** CTEs in scope. */
  readonly tables: ReadonlyMap<string, Columns>;
  /** Relations that a column name can come from. */
  readonly from: readonly Columns[];
}

const STORED: Columns = { byName: new Map(), most: COLUMN_BYTES };

/** Throws sql.limit for values that would grow past the limits, sql.refused where a size is no constant. */
export function checkSizes(root: Json, limits: SqlLimits): void {
  queryColumns(root, { limits, tables: new Map(), from: [] });
}

function queryColumns(node: Json, outer: Sizes): Columns {
  const sizes = withCommonTables(node, outer);
  const columns = bodyColumns(node, sizes);
  for (const modifier of objects(node, 'modifiers')) scan(modifier, sizes);
  return columns;
}

function bodyColumns(node: Json, sizes: Sizes): Columns {
  if (node['type'] === 'SELECT_NODE') return selectColumns(node, sizes);
  const left = queryColumns(object(node['left']), sizes);
  const right = object(node['right']);
  return node['type'] === 'RECURSIVE_CTE_NODE' ? recursion(node, left, right, sizes) : byPlace(left, queryColumns(right, sizes));
}

/** Sizes after some steps; they may grow by what each step adds, not by what they are. */
function recursion(node: Json, start: Columns, step: Json, sizes: Sizes): Columns {
  const name = text(node['cte_name']).toLowerCase();
  const aliases = list(node['aliases'] ?? []).map(text);
  const steps = [renamed(start, aliases)];
  for (let i = 0; i < 2 * TRIED_STEPS; i++) {
    const before = steps[i] ?? start;
    const after = queryColumns(step, { ...sizes, tables: new Map([...sizes.tables, [name, before] as const]) });
    steps.push(renamed(byPlace(before, after), aliases));
  }
  const [first, middle, last] = [0, TRIED_STEPS, 2 * TRIED_STEPS].map((i) => steps[i]?.most ?? 0);
  if ((last ?? 0) - (middle ?? 0) > 8 * ((middle ?? 0) - (first ?? 0) + COLUMN_BYTES))
    fail('sql.limit', 'a recursive query multiplies a value in each step');
  return repeated(steps.at(-1) ?? start, sizes.limits);
}

/** The first relation names the columns; places beyond what is known count as the largest. */
function byPlace(left: Columns, right: Columns): Columns {
  const places = [...right.byName.values()];
  const exact = left.byName.size === right.byName.size && left.byName.size > 0;
  const byName = new Map(
    [...left.byName].map(([name, size], i) => [name, Math.max(size, exact ? (places[i] ?? right.most) : right.most)] as const),
  );
  return { byName, most: Math.max(left.most, right.most) };
}

function renamed(columns: Columns, aliases: readonly string[]): Columns {
  if (aliases.length === 0) return columns;
  const places = aliases.length === columns.byName.size ? [...columns.byName.values()] : [];
  return { byName: new Map(aliases.map((alias, i) => [alias.toLowerCase(), places[i] ?? columns.most] as const)), most: columns.most };
}

function selectColumns(node: Json, outer: Sizes): Columns {
  const from = child(node, 'from_table');
  const sizes = within(outer, from === null ? [] : refColumns(from, outer));
  const selected = objects(node, 'select_list').map((item) => [outputName(item), expressionSize(item, sizes)] as const);
  for (const [field, value] of Object.entries(node)) {
    if (!['select_list', 'from_table', 'cte_map', 'modifiers'].includes(field)) scan(value, sizes);
  }
  const most = Math.max(COLUMN_BYTES, ...selected.map(([, size]) => size));
  const unique = new Set(selected.map(([name]) => name)).size === selected.length && !selected.some(([name]) => name === '*');
  return { byName: new Map(unique ? selected : []), most };
}

/** `*` for what makes several columns. */
function outputName(item: Json): string {
  if (typeof item['alias'] === 'string' && item['alias'] !== '') return item['alias'].toLowerCase();
  if (item['class'] === 'COLUMN_REF') return text(list(item['column_names']).at(-1)).toLowerCase();
  return item['class'] === 'STAR' || item['function_name'] === 'unnest' ? '*' : `#${String(item['query_location'])}`;
}

function within(sizes: Sizes, from: readonly Columns[]): Sizes {
  return { ...sizes, from: [...from, ...sizes.from] };
}

function withCommonTables(node: Json, outer: Sizes): Sizes {
  let sizes = outer;
  for (const entry of objects(object(node['cte_map'] ?? {}), 'map')) {
    const table = object(entry['value']);
    const columns = renamed(queryColumns(object(object(table['query'])['node']), sizes), list(table['aliases'] ?? []).map(text));
    sizes = { ...sizes, tables: new Map([...sizes.tables, [text(entry['key']).toLowerCase(), columns] as const]) };
  }
  return sizes;
}

function refColumns(ref: Json, sizes: Sizes): readonly Columns[] {
  const aliases = list(ref['column_name_alias'] ?? []).map(text);
  switch (ref['type']) {
    case 'BASE_TABLE':
      return [renamed(sizes.tables.get(text(ref['table_name']).toLowerCase()) ?? STORED, aliases)];
    case 'SUBQUERY':
      return [renamed(queryColumns(object(object(ref['subquery'])['node']), sizes), aliases)];
    case 'SHOW_REF':
      return [anyName(queryColumns(object(ref['query']), sizes).most)];
    case 'JOIN': {
      const left = refColumns(object(ref['left']), sizes);
      const both = [...left, ...refColumns(object(ref['right']), within(sizes, left))].map((columns) => repeated(columns, sizes.limits));
      scan(ref['condition'], within(sizes, both));
      return both;
    }
    case 'TABLE_FUNCTION':
      return [anyName(tableFunctionSize(object(ref['function']), sizes))];
    case 'PIVOT': {
      const source = refColumns(object(ref['source']), sizes);
      return [anyName(Math.max(most(source), scan([ref['aggregates'], ref['pivots']], within(sizes, source))))];
    }
    default:
      return [anyName(scan(ref['values'], sizes))];
  }
}

/**
 * A join, a recursion or a scalar subquery may repeat a row, and with it a value that an aggregate collected: the engine computes on 2,048 rows at a time, outside of its
 * memory limit. From here on such a value may be read, measured and taken apart, but no function may make another large one of it.
 */
function repeated(columns: Columns, limits: SqlLimits): Columns {
  const size = (bytes: number): number => (bytes > limits.growthBytes ? limits.valueBytes + 1 : bytes);
  return { byName: new Map([...columns.byName].map(([name, bytes]) => [name, size(bytes)] as const)), most: size(columns.most) };
}

function anyName(size: number): Columns {
  return { byName: new Map(), most: Math.max(COLUMN_BYTES, size) };
}

function most(columns: readonly Columns[]): number {
  return columns.reduce((size, each) => Math.max(size, each.most), COLUMN_BYTES);
}

/** By name where every relation's names are known; else the largest column in reach. */
function columnSize(node: Json, sizes: Sizes): number {
  const name = text(list(node['column_names']).at(-1)).toLowerCase();
  const candidates = sizes.from
    .map((columns) => columns.byName.get(name) ?? (columns.byName.size === 0 ? columns.most : undefined))
    .filter((size) => size !== undefined);
  return candidates.length > 0 ? Math.max(COLUMN_BYTES, ...candidates) : most(sizes.from);
}

function tableFunctionSize(call: Json, sizes: Sizes): number {
  const name = text(call['function_name']).toLowerCase();
  const args = objects(call, 'children');
  const inner = scan(args, sizes);
  if (name !== 'range' && name !== 'generate_series') return inner;
  const count = rangeCount(args);
  if (count !== undefined && count > sizes.limits.rangeRows) fail('sql.limit', `${name} makes more than ${sizes.limits.rangeRows} rows`);
  return COLUMN_BYTES;
}

/** The largest expression anywhere below. */
function scan(value: unknown, sizes: Sizes): number {
  if (Array.isArray(value)) return value.reduce((size: number, item) => Math.max(size, scan(item, sizes)), 0);
  if (!isObject(value)) return 0;
  if (typeof value['class'] === 'string') return expressionSize(value, sizes);
  return scan(Object.values(value), sizes);
}

function expressionSize(node: Json, sizes: Sizes): number {
  switch (node['class']) {
    case 'CONSTANT':
      return constantSize(node);
    case 'COLUMN_REF':
      return columnSize(node, sizes);
    case 'STAR':
    case 'POSITIONAL_REFERENCE':
      return Math.max(most(sizes.from), scan(node['expr'], sizes), scan(node['replace_list'], sizes));
    case 'SUBQUERY': {
      const columns = queryColumns(object(object(node['subquery'])['node']), sizes);
      scan(node['child'], sizes);
      return repeated(columns, sizes.limits).most;
    }
    case 'COMPARISON':
    case 'CONJUNCTION':
    case 'BETWEEN':
      scan(Object.values(node), sizes);
      return COLUMN_BYTES;
    case 'FUNCTION':
      return bounded(callSize(node, sizes), sizes);
    case 'OPERATOR':
      return operatorSize(node, sizes);
    case 'WINDOW':
      if (COLLECTING.has(text(node['function_name']).toLowerCase()))
        fail('sql.limit', 'an aggregate that collects values is not allowed as a window function');
      return scan(Object.values(node), sizes);
    default:
      return scan(Object.values(node), sizes);
  }
}

function operatorSize(node: Json, sizes: Sizes): number {
  const size = sum(list(node['children']).map((item) => scan(item, sizes)));
  const type = text(node['type']);
  if (/IN$|NULL$|NOT$/.test(type)) return COLUMN_BYTES;
  return type.endsWith('_EXTRACT') ? size : bounded(size, sizes);
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

const LAMBDA_FOLD: ReadonlySet<string> = new Set(['list_reduce', 'array_reduce', 'reduce']);
function callSize(node: Json, sizes: Sizes): number {
  const name = text(node['function_name']).toLowerCase();
  const args = objects(node, 'children');
  scan(node['filter'], sizes);
  scan(node['order_bys'], sizes);
  const lambda = args.find((arg) => arg['class'] === 'LAMBDA');
  if (lambda !== undefined) return lambdaSize(name, args, lambda, sizes);
  const rule = Object.hasOwn(GROWING, name) ? GROWING[name] : undefined;
  const argSizes = args.map((arg) => expressionSize(arg, sizes));
  checkSteps(name, args, argSizes);
  if (FIXED.has(name)) return 4 * COLUMN_BYTES;
  if (READING.has(name)) return sum(argSizes);
  if (COLLECTING.has(name)) return bounded(sum(argSizes), sizes) + sizes.limits.growthBytes;
  if (rule === undefined) return Math.max(COLUMN_BYTES, sum(argSizes));
  const size = rule(args, argSizes, name);
  if (size > sizes.limits.growthBytes && size > sum(argSizes))
    fail('sql.limit', `${name} makes a value of more than ${sizes.limits.growthBytes} bytes`);
  return size;
}

/** The body runs once per element; folding feeds its own result back. */
function lambdaSize(name: string, args: readonly Json[], lambda: Json, sizes: Sizes): number {
  const input = sum(args.filter((arg) => arg !== lambda).map((arg) => expressionSize(arg, sizes)));
  const body = (element: number): number => scan(lambda['expr'], { ...sizes, from: [{ byName: new Map(), most: element }, ...sizes.from] });
  const small = body(COLUMN_BYTES);
  if (LAMBDA_FOLD.has(name)) {
    const carried = Math.max(input, FOLD_BYTES);
    // A step may add to what it carries; the accumulator counted twice is a doubling.
    if (body(carried) - small >= 2 * (carried - COLUMN_BYTES) && !joinsOnce(lambda))
      fail('sql.limit', `${name} multiplies a value in each step`);
    return bounded(body(carried) + Math.ceil(input / ELEMENT_BYTES) * small, sizes);
  }
  // Many small elements cost the body's fixed part each; one large element costs its growth.
  const growth = (body(Math.max(input, 2 * COLUMN_BYTES)) - small) / Math.max(COLUMN_BYTES, input - COLUMN_BYTES);
  return bounded(growth * input + Math.ceil(input / ELEMENT_BYTES) * small, sizes);
}

/** The fold's first parameter, its accumulator, stands in the body at most once. */
function joinsOnce(lambda: Json): boolean {
  const [first] = objects(object(lambda['lhs']), 'children');
  const name = first?.['class'] === 'COLUMN_REF' ? list(first['column_names'])[0] : undefined;
  return name !== undefined && occurrences(lambda['expr'], name) <= 1;
}

function occurrences(value: unknown, name: unknown): number {
  if (Array.isArray(value)) return sum(value.map((item) => occurrences(item, name)));
  if (!isObject(value)) return 0;
  const here = value['class'] === 'COLUMN_REF' && list(value['column_names'])[0] === name ? 1 : 0;
  return here + sum(Object.values(value).map((item) => occurrences(item, name)));
}
