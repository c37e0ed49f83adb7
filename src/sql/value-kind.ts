/** A coarse type for expressions: enough to tell numbers from dates, where names are known. */
import { child, constantOf, type Json, object, objects, text } from './ast.ts';
import { familyOf } from './column-type.ts';
import { type Definition, type Definitions, lastPart } from './names.ts';

/** `open`: not settled yet, agrees with every kind; outside solveNames as good as unknown. */
export type Kind = 'number' | 'temporal' | 'interval' | 'text' | 'boolean' | 'other' | 'unknown' | 'open';

const NUMBER_FUNCTIONS: ReadonlySet<string> = new Set(
  `count count_star sum avg stddev stddev_samp stddev_pop variance var_samp var_pop median_number row_number rank dense_rank ntile percent_rank cume_dist
   length len strlen year month day quarter hour minute second date_part datepart dayofweek dayofyear week ascii instr strpos position
   abs_number extract grouping sign ceil ceiling floor round trunc sqrt exp ln log cbrt corr covar_samp covar_pop regr_slope epoch datediff date_diff`.split(
    /\s+/,
  ),
);
/** The kind of the first argument is the kind of the result. */
const SAME_AS_FIRST: ReadonlySet<string> = new Set(
  'abs min max first last any_value arbitrary lag lead first_value last_value nth_value nullif greatest least mode median round floor ceil ceiling trunc'.split(
    ' ',
  ),
);
const TEXT_FUNCTIONS: ReadonlySet<string> = new Set(
  'lower upper trim ltrim rtrim substring substr left right concat concat_ws replace lpad rpad md5 sha256 || reverse string_agg'.split(' '),
);

/** What is known of each column name in a statement. */
export interface Names {
  readonly kinds: ReadonlyMap<string, Kind>;
  /** Names that only ever mean plain dates (plainTemporal). */
  readonly plain: ReadonlySet<string>;
}

/** Names refer to each other, also in circles: start from the best and correct until nothing changes. */
export function solveNames(definitions: Definitions): Names {
  const known = [...definitions].flatMap(([name, list]) => (list === null ? [] : [[name, list] as const]));
  const kinds = new Map<string, Kind>(known.map(([name]) => [name, 'open']));
  const plain = new Set(known.map(([name]) => name));
  const names: Names = { kinds, plain };
  for (let changed = true; changed; ) {
    changed = false;
    for (const [name, list] of known) {
      const kind = joined(list.map((definition) => definitionKind(definition, names)));
      if (kind !== kinds.get(name)) changed = true;
      kinds.set(name, kind);
      if (plain.has(name) && !list.every((definition) => definitionPlain(definition, names))) changed = plain.delete(name);
    }
  }
  for (const [name, kind] of kinds) if (kind === 'open') plain.delete(name);
  return names;
}

function definitionKind(definition: Definition, names: Names): Kind {
  return typeof definition === 'string' ? kindOfType(definition) : kindOf(definition, names);
}

function definitionPlain(definition: Definition, names: Names): boolean {
  return typeof definition === 'string' ? isPlainType(definition) : plainTemporal(definition, names);
}

export function kindOfType(type: string): Kind {
  switch (familyOf(type)) {
    case 'integer':
    case 'decimal':
    case 'float':
      return 'number';
    case 'date':
    case 'timestamp':
      return 'temporal';
    case 'text':
      return 'text';
    case 'boolean':
      return 'boolean';
    case 'other':
      return type.toUpperCase() === 'INTERVAL' ? 'interval' : 'other';
  }
}

const CONSTANT_KINDS: Readonly<Record<string, Kind>> = { VARCHAR: 'text', BOOLEAN: 'boolean', INTERVAL: 'interval', DATE: 'temporal' };

export function kindOf(node: Json, names: Names): Kind {
  const next = (inner: Json): Kind => kindOf(inner, names);
  switch (node['class']) {
    case 'CONSTANT': {
      const id = String(object(object(node['value'])['type'])['id']);
      if (id === 'NULL') return 'number';
      return CONSTANT_KINDS[id] ?? kindOfType(id === 'DECIMAL' ? 'DOUBLE' : id);
    }
    case 'CAST':
      return kindOfType(castName(node));
    case 'COLUMN_REF':
      return names.kinds.get(lastPart(node) ?? '') ?? 'unknown';
    case 'CASE':
      return joined([...objects(node, 'case_checks').map((check) => object(check['then_expr'])), object(node['else_expr'])].map(next));
    case 'OPERATOR':
      return node['type'] === 'OPERATOR_COALESCE' || node['type'] === 'OPERATOR_NULLIF'
        ? joined(objects(node, 'children').map(next))
        : node['type'] === 'GROUPING_FUNCTION'
          ? 'number'
          : 'unknown';
    case 'COMPARISON':
    case 'CONJUNCTION':
    case 'BETWEEN':
      return 'boolean';
    case 'SUBQUERY':
      return subqueryKind(node, next);
    case 'FUNCTION':
    case 'WINDOW':
      return callKind(node, next);
    default:
      return 'unknown';
  }
}

/** A cast's target; DECIMAL's digits do not matter here. */
function castName(node: Json): string {
  const id = String(object(node['cast_type'])['id']);
  return id === 'DECIMAL' ? 'DOUBLE' : id;
}

function joined(kinds: readonly Kind[]): Kind {
  const settled = kinds.filter((kind) => kind !== 'open');
  const [first] = settled;
  if (first === undefined) return kinds.length > 0 ? 'open' : 'unknown';
  return settled.every((kind) => kind === first) ? first : 'unknown';
}

function subqueryKind(node: Json, next: (inner: Json) => Kind): Kind {
  if (node['subquery_type'] !== 'SCALAR') return 'boolean';
  const query = object(object(node['subquery'])['node']);
  const [selected] = query['type'] === 'SELECT_NODE' ? objects(query, 'select_list') : [];
  return selected === undefined ? 'unknown' : next(selected);
}

function callKind(node: Json, next: (inner: Json) => Kind): Kind {
  const called = text(node['function_name']).toLowerCase();
  const args = objects(node, 'children');
  const [first] = args;
  if (SAME_AS_FIRST.has(called) && first !== undefined) return next(first);
  if (NUMBER_FUNCTIONS.has(called)) return 'number';
  if (TEXT_FUNCTIONS.has(called)) return 'text';
  if (['+', '-', '*', '/', '%', '//'].includes(called)) return arithmeticKind(args.map(next));
  if (called.startsWith('to_') && STEP_DAYS[called] !== undefined) return 'interval';
  return 'unknown';
}

/** Numbers give numbers; anything else is left open, since it may be a date. */
function arithmeticKind(kinds: readonly Kind[]): Kind {
  if (kinds.every((kind) => kind === 'number')) return 'number';
  return kinds.every((kind) => kind === 'number' || kind === 'open') ? 'open' : 'unknown';
}

/** Arithmetic with a time zone fails on infinite and extreme times, which stored data may hold. */
function isPlainType(type: string): boolean {
  return kindOfType(type) === 'temporal' && !type.toUpperCase().includes('ZONE');
}

/** A date whose range is that of stored data or of literals with four-digit years, so that a bounded step can't leave the type. */
export function plainTemporal(node: Json, names: Names): boolean {
  const next = (inner: Json): boolean => plainTemporal(inner, names);
  switch (node['class']) {
    case 'COLUMN_REF':
      return names.plain.has(lastPart(node) ?? '');
    case 'CAST':
      return isPlainType(castName(node)) && (shortDate(node) || next(object(node['child'])));
    case 'CASE':
      return [...objects(node, 'case_checks').map((check) => object(check['then_expr'])), object(node['else_expr'])].every(
        (branch) => isNull(branch) || next(branch),
      );
    case 'FUNCTION':
    case 'WINDOW':
      return plainCall(node, next);
    default:
      return node['type'] === 'OPERATOR_COALESCE' && objects(node, 'children').every((branch) => isNull(branch) || next(branch));
  }
}

function isNull(node: Json): boolean {
  return node['class'] === 'CONSTANT' && constantOf(node) === null;
}

function shortDate(node: Json): boolean {
  const value = constantOf(node);
  return typeof value === 'string' && /^\d{4}-\d{1,2}-\d{1,2}([ T].*)?$/.test(value);
}

function plainCall(node: Json, next: (inner: Json) => boolean): boolean {
  const called = text(node['function_name']).toLowerCase();
  const [first, second] = objects(node, 'children');
  if (called === 'today' || called === 'current_date') return true;
  if (['min', 'max', 'first', 'last', 'any_value'].includes(called)) return first !== undefined && next(first);
  if (called === 'date_trunc') return second !== undefined && next(second);
  if (called !== '+' && called !== '-') return false;
  return first !== undefined && second !== undefined && next(first) && boundedInterval(second);
}

const STEP_DAYS: Readonly<Record<string, number>> = {
  to_microseconds: 1e-11,
  to_milliseconds: 1e-8,
  to_seconds: 1e-5,
  to_minutes: 1e-3,
  to_hours: 1 / 24,
  to_days: 1,
  to_weeks: 7,
  to_months: 31,
  to_quarters: 92,
  to_years: 366,
};
/** A thousand years: dates of four-digit years stay far inside every date type, also after a hundred steps. */
const MAX_STEP_DAYS = 366_000;

/** A constant number of days, or a constant interval, of at most a thousand years. */
export function boundedInterval(node: Json): boolean {
  const value = constantOf(node);
  if (node['class'] === 'CONSTANT') return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= MAX_STEP_DAYS;
  if (node['class'] === 'CAST' && object(node['cast_type'])['id'] === 'INTERVAL') return typeof value === 'string' && shortInterval(value);
  const unit = node['class'] === 'FUNCTION' ? STEP_DAYS[text(node['function_name']).toLowerCase()] : undefined;
  const [amount] = objects(node, 'children');
  const count = amount === undefined ? undefined : amountOf(amount);
  return unit !== undefined && count !== undefined && Math.abs(count) * unit <= MAX_STEP_DAYS;
}

/** The amount of an interval: a constant of at most a thousand years in days, whatever the unit. */
export function boundedAmount(node: Json): boolean {
  const amount = amountOf(node);
  return amount !== undefined && Math.abs(amount) <= MAX_STEP_DAYS;
}

/** The parser wraps the amount of `INTERVAL 3 DAY` in casts and trunc. */
function amountOf(node: Json): number | undefined {
  const value = constantOf(node);
  if (typeof value === 'number') return value;
  if (typeof value === 'string' && /^-?\d{1,6}$/.test(value)) return Number(value);
  const inner =
    node['class'] === 'CAST'
      ? child(node, 'child')
      : node['function_name'] === 'trunc' || node['function_name'] === '-'
        ? (objects(node, 'children')[0] ?? null)
        : null;
  return inner === null ? undefined : amountOf(inner);
}

function shortInterval(value: string): boolean {
  const match = /^\s*-?(\d{1,6})\s*(second|minute|hour|day|week|month|quarter|year)s?\s*$/i.exec(value);
  return match !== null && Number(match[1]) * (STEP_DAYS[`to_${match[2]?.toLowerCase()}s`] ?? Number.POSITIVE_INFINITY) <= MAX_STEP_DAYS;
}
