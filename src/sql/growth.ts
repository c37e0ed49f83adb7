/** How large a value a function makes, for those that make more than their arguments hold; sizes must be constants. */

import { fail } from '../errors.ts';
import { constantOf, isObject, type Json, object, objects, text } from './ast.ts';

/** Bytes of the result, from the arguments and their sizes. Throws sql.refused where a size is no constant. */
export type Growth = (args: readonly Json[], sizes: readonly number[], name: string) => number;

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
const joined: Growth = (_args, sizes) => Math.max(1, sizes[0] ?? 1) * Math.max(1, sum(sizes.slice(1)));

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

export const GROWING: Readonly<Record<string, Growth>> = {
  repeat,
  lpad: pad,
  rpad: pad,
  replace,
  regexp_replace: (args, sizes) => replace(args, sizes.slice(0, 3), ''),
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

/** Results of a fixed size, whatever the arguments. */
export const FIXED: ReadonlySet<string> = new Set(
  (
    '+ - * / % // ~~ !~~ ~~* !~~* count count_star sum avg length len strlen array_length list_count year month day date_part hash md5 sha256 ' +
    'contains starts_with list_contains list_has array_contains list_position'
  ).split(' '),
);
/** Give a part of an argument and copy nothing. */
export const READING: ReadonlySet<string> = new Set(
  'unnest list_extract list_element array_extract struct_extract struct_extract_at element_at map_extract_value'.split(' '),
);
/** Aggregates whose result grows with the rows of a group. */
export const COLLECTING: ReadonlySet<string> = new Set(
  'list array_agg string_agg group_concat listagg histogram map_from_entries'.split(' '),
);

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
export function rangeCount(args: readonly Json[]): number | undefined {
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

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
