/**
 * Functions of the engine that no interrupt reaches: some call themselves for each wildcard or bracket of an argument, and enough of them
 * would overflow a thread's stack; others take steps by the product of their arguments' sizes.
 */
import { fail } from '../errors.ts';
import { constantOf, type Json, list, object, text } from './ast.ts';

const COUNT_MAX = 100;

interface Rule {
  readonly functions: readonly string[];
  /** In their second argument. */
  readonly counted: RegExp;
  readonly what: string;
  readonly instead: string;
}

const RULES: readonly Rule[] = [
  {
    functions: ['~~', '!~~', '~~*', '!~~*', '~~~', 'like_escape', 'not_like_escape', 'ilike_escape', 'not_ilike_escape'],
    counted: /[%*]/g,
    what: 'the pattern of LIKE, ILIKE or GLOB',
    instead: 'starts_with, contains or regexp_matches',
  },
  {
    functions: ['json_transform', 'json_transform_strict', 'from_json', 'from_json_strict'],
    counted: /[[{]/g,
    what: 'the structure of a JSON value',
    instead: 'a written structure',
  },
];
/** What joins constants into one. */
const JOINING: ReadonlySet<string> = new Set(['||', 'concat', 'lower', 'upper', 'lcase', 'ucase']);

/** Throws sql.refused for an argument that is no constant, sql.limit for one with too many. */
export function checkRecursion(called: string, node: Json): void {
  const rule = RULES.find(({ functions }) => functions.includes(called));
  if (rule === undefined) return;
  const argument = list(node['children'])[1];
  const value = argument === undefined ? '' : constantText(object(argument));
  if (value === null) fail('sql.refused', `${rule.what} must be a constant; use ${rule.instead}`);
  if ((value.match(rule.counted) ?? []).length > COUNT_MAX)
    fail('sql.limit', `${rule.what} holds more than ${COUNT_MAX} wildcards or brackets; use ${rule.instead}`);
}

/** Steps of one call; a call is made for each row. */
const STEPS_MAX = 1_000_000;
const PAIRS: ReadonlySet<string> = new Set(['levenshtein', 'editdist3']);
const MATCHES: ReadonlySet<string> = new Set(
  'regexp_replace regexp_extract_all regexp_split_to_array string_split_regex str_split_regex'.split(' '),
);
/** Matching tries each place for each wildcard but the last ones; more of them are no longer told apart. */
const WILDCARDS_TRIED = 3;

/** `sizes`: of the arguments, bytes. Throws sql.limit for a call that would take too long. */
export function checkSteps(called: string, args: readonly Json[], sizes: readonly number[]): void {
  if (stepsOf(called, args, sizes) > STEPS_MAX) fail('sql.limit', `${called} would take too long on values of this size`);
}

function stepsOf(called: string, args: readonly Json[], [first = 1, second = 1]: readonly number[]): number {
  if (PAIRS.has(called)) return 16 * first * second;
  if (MATCHES.has(called)) return (first * first) / 100;
  const pattern = RULES[0]?.functions.includes(called) === true ? args[1] : undefined;
  if (pattern === undefined) return 0;
  const wildcards = (constantText(pattern)?.match(/[%*]/g) ?? []).length;
  return first ** Math.min(wildcards, WILDCARDS_TRIED);
}

/** The text that constants make together; null when a part of it is none. */
function constantText(node: Json): string | null {
  if (node['class'] === 'CAST') return constantText(object(node['child']));
  if (node['class'] === 'COLLATE') return constantText(object(node['child']));
  if (node['class'] === 'FUNCTION' && JOINING.has(text(node['function_name']).toLowerCase())) {
    const parts = list(node['children']).map((part) => constantText(object(part)));
    return parts.includes(null) ? null : parts.join('');
  }
  const value = constantOf(node);
  return value === undefined && node['class'] !== 'PARAMETER' ? null : String(value ?? '');
}
