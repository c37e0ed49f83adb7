/**
 * Parameters of a statement: where they stand, and texts with something else in their place. The parser gives them no place, so they are found
 * by an own scan, and a second parse proves each replacement (sameExceptParameters).
 */
import { fail } from '../errors.ts';
import { foldName } from '../names.ts';
import { isObject, type Json, nodesOf, objects } from './ast.ts';
import { scan } from './scan.ts';

const PARAMETERS_MAX = 1_000;
/** Bytes of a marker: texts with markers and with NULLs have everything else at the same place. */
const MARKER_BYTES = 7;

/** One place in the text, as UTF-16 indices; `parameter` counts from 0. */
interface Place {
  readonly start: number;
  readonly end: number;
  readonly parameter: number;
}

export interface Parameters {
  readonly sql: string;
  readonly places: readonly Place[];
  /** One per parameter: its name, or its position from 1. */
  readonly names: readonly string[];
}

/** Throws sql.refused for mixed kinds and gaps, sql.limit for too many. */
export function findParameters(sql: string): Parameters {
  const tokens = /[?$]/.test(sql) ? [...scan(sql)].filter(({ kind }) => kind === 'parameter') : [];
  const written = tokens.map(({ text }) => text);
  const kinds = new Set(written.map(kindOf));
  if (kinds.size > 1) fail('sql.refused', 'use one kind of parameter in a statement: ?, numbers or names');
  const names = parameterNames(written, [...kinds][0]);
  if (names.length > PARAMETERS_MAX) fail('sql.limit', `the statement has more than ${PARAMETERS_MAX} parameters`);
  const indexes = new Map(names.map((name, i) => [foldName(name), i]));
  const places = tokens.map(({ start, end, text }, i) => ({ start, end, parameter: indexOf(text, i, indexes) }));
  return { sql, places, names };
}

type Kind = 'next' | 'number' | 'name';

function kindOf(text: string): Kind {
  if (text === '?') return 'next';
  return /^[?$]\d/.test(text) ? 'number' : 'name';
}

function parameterNames(written: readonly string[], kind: Kind | undefined): readonly string[] {
  if (kind === 'next') return written.map((_, i) => String(i + 1));
  if (kind === 'name') return [...new Map(written.map((text) => [foldName(nameOf(text)), nameOf(text)])).values()];
  const numbers = new Set(written.map((text) => Number(text.slice(1))));
  const most = Math.max(0, ...numbers);
  if (numbers.size !== most) fail('sql.refused', 'parameters must be numbered from 1 without gaps');
  return Array.from({ length: most }, (_, i) => String(i + 1));
}

function nameOf(text: string): string {
  return text.startsWith('$"') ? text.slice(2, -1).replaceAll('""', '"') : text.slice(1);
}

function indexOf(text: string, place: number, indexes: ReadonlyMap<string, number>): number {
  switch (kindOf(text)) {
    case 'next':
      return place;
    case 'number':
      return Number(text.slice(1)) - 1;
    case 'name':
      return indexes.get(foldName(nameOf(text))) ?? -1;
  }
}

/** The text with `$1`, `$2`, … in the order of the parameters. */
export function withMarkers(parameters: Parameters): string {
  return replace(parameters, (parameter) => `$${parameter + 1}`);
}

/** The text with untyped NULLs, all else at the same place as in withMarkers. */
export function withNulls(parameters: Parameters): string {
  return replace(parameters, () => 'NULL');
}

function replace(parameters: Parameters, text: (parameter: number) => string): string {
  return withLiterals(parameters, (parameter) => text(parameter).padEnd(MARKER_BYTES - 1));
}

/** The text with an expression in place of each parameter, set apart by blanks. */
export function withLiterals({ sql, places }: Parameters, literal: (parameter: number) => string): string {
  let text = '';
  let position = 0;
  for (const { start, end, parameter } of places) {
    text += `${sql.slice(position, start)} ${literal(parameter)} `;
    position = end;
  }
  return text + sql.slice(position);
}

/** Functions that nested literals are written with. */
const LITERAL_FUNCTIONS: ReadonlySet<string> = new Set(['list_value', 'struct_pack', '-']);

/** Whether two parse results differ in nothing but places in the text and parameters, which became other parameters or constants. */
export function sameExceptParameters(before: unknown, after: unknown): boolean {
  if (Array.isArray(before))
    return (
      Array.isArray(after) && before.length === after.length && before.every((item, index) => sameExceptParameters(item, after[index]))
    );
  if (!isObject(before) || !isObject(after)) return Object.is(before, after);
  if (before['class'] === 'PARAMETER') return before['alias'] === after['alias'] && isConstantTree(after);
  const keys = Object.keys(before);
  if (keys.length !== Object.keys(after).length) return false;
  return keys.every(
    (key) =>
      Object.hasOwn(after, key) && (key === 'query_location' || key === 'named_param_map' || sameExceptParameters(before[key], after[key])),
  );
}

function isConstantTree(node: Json): boolean {
  switch (node['class']) {
    case 'PARAMETER':
    case 'CONSTANT':
      return true;
    case 'CAST':
      return isObject(node['child']) && isConstantTree(node['child']);
    case 'FUNCTION':
      return LITERAL_FUNCTIONS.has(String(node['function_name'])) && objects(node, 'children').every(isConstantTree);
    default:
      return false;
  }
}

/** Identifiers of the parameters that the parser found. */
export function parsedParameters(ast: unknown): ReadonlySet<string> {
  const found = new Set<string>();
  for (const node of nodesOf(ast)) if (node['class'] === 'PARAMETER') found.add(String(node['identifier']));
  return found;
}
