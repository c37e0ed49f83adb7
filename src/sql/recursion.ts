/** Functions of the engine that call themselves for each wildcard or bracket of an argument: enough of them would overflow a thread's stack. */
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
