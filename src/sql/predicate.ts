/** The small language of row filters, read from DuckDB's AST of `SELECT 1 WHERE (<text>)`. */

import { fail } from '../errors.ts';
import type { CompareOp, Predicate, Scalar } from '../model.ts';
import { child, isObject, type Json, list, object, objects } from './ast.ts';

const SUPPORTED =
  'a row filter may use and, or, not, = <> < <= > >=, IN (list), BETWEEN, IS [NOT] NULL, LIKE with a constant pattern, columns, ' +
  "literals (text, number, true, false, DATE '…', TIMESTAMP '…'), principal.<attribute>, lower, upper, year, month and current_date";

function unsupported(what: string): never {
  return fail('policy.invalid', `${what} is not supported: ${SUPPORTED}`);
}

/** Throws policy.invalid with what is supported. The text can add nothing to the WHERE clause: the query must be exactly this one form. */
export function toPredicate(ast: unknown): Predicate {
  const root = isObject(ast) ? ast : unsupported('this text');
  const statements = root['error'] === true || !Array.isArray(root['statements']) ? unsupported('this text') : root['statements'];
  if (statements.length !== 1) unsupported('more than one statement');
  const node = object(object(statements[0])['node']);
  checkFrame(node);
  const where = child(node, 'where_clause');
  return where === null ? unsupported('an empty condition') : predicate(where);
}

const FRAME: ReadonlySet<string> = new Set([
  'type',
  'modifiers',
  'cte_map',
  'select_list',
  'from_table',
  'where_clause',
  'aggregate_handling',
  'group_expressions',
  'group_sets',
  'having',
  'sample',
  'qualify',
]);

function checkFrame(node: Json): void {
  const selected = node['type'] === 'SELECT_NODE' ? objects(node, 'select_list') : unsupported('a set operation');
  const value = selected.length === 1 && selected[0]?.['class'] === 'CONSTANT' ? object(selected[0]['value'])['value'] : undefined;
  const from = child(node, 'from_table');
  const empty = ['modifiers', 'group_expressions', 'group_sets'].every((field) => list(node[field] ?? []).length === 0);
  const bare = ['having', 'sample', 'qualify'].every((field) => (node[field] ?? null) === null);
  const noCte = objects(object(node['cte_map'] ?? {}), 'map').length === 0;
  const standard = (node['aggregate_handling'] ?? 'STANDARD_HANDLING') === 'STANDARD_HANDLING';
  const known = Object.keys(node).every((field) => FRAME.has(field));
  if (value !== 1 || from?.['type'] !== 'EMPTY' || !empty || !bare || !noCte || !standard || !known) unsupported('more than a condition');
}

function predicate(node: Json): Predicate {
  switch (node['class']) {
    case 'CONJUNCTION':
      return { kind: node['type'] === 'CONJUNCTION_AND' ? 'and' : 'or', operands: objects(node, 'children').map(predicate) };
    case 'COMPARISON':
      return compare(node);
    case 'BETWEEN':
      return between(node);
    case 'OPERATOR':
      return operator(node);
    case 'FUNCTION':
      return like(node);
    case 'CAST':
      return bare(node);
    case 'COLUMN_REF':
      return bare(node);
    default:
      return unsupported(`${String(node['class']).toLowerCase()}`);
  }
}

/** `true`, `false`, or a column that is itself the condition. */
function bare(node: Json): Predicate {
  const value = scalar(node);
  if (value.kind === 'literal' && typeof value.value === 'boolean') return { kind: 'boolean', value: value.value };
  if (value.kind === 'column') return { kind: 'compare', op: '=', left: value, right: { kind: 'literal', value: true } };
  return unsupported('a value as a condition');
}

/** The parser's names of them. */
export const COMPARISONS: Readonly<Record<string, CompareOp>> = {
  COMPARE_EQUAL: '=',
  COMPARE_NOTEQUAL: '<>',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
};

/** Equality with an attribute is membership in all its values. */
function compare(node: Json): Predicate {
  const op = COMPARISONS[String(node['type'])];
  if (op === undefined) return unsupported('this comparison');
  const left = scalar(object(node['left']));
  const right = scalar(object(node['right']));
  if (op !== '=' && op !== '<>') return { kind: 'compare', op, left, right };
  const member = membership(left, right) ?? membership(right, left);
  if (member === undefined) return { kind: 'compare', op, left, right };
  return op === '=' ? member : { kind: 'not', operand: member };
}

function membership(value: Scalar, attribute: Scalar): Predicate | undefined {
  return attribute.kind === 'attribute' ? { kind: 'in', value, list: [attribute] } : undefined;
}

function between(node: Json): Predicate {
  const value = scalar(object(node['input']));
  const lower: Predicate = { kind: 'compare', op: '>=', left: value, right: scalar(object(node['lower'])) };
  const upper: Predicate = { kind: 'compare', op: '<=', left: value, right: scalar(object(node['upper'])) };
  return { kind: 'and', operands: [lower, upper] };
}

function operator(node: Json): Predicate {
  const operands = objects(node, 'children');
  const [first, ...rest] = operands;
  if (first === undefined) return unsupported('an empty condition');
  switch (node['type']) {
    case 'OPERATOR_NOT':
      return { kind: 'not', operand: predicate(first) };
    case 'OPERATOR_IS_NULL':
      return { kind: 'isNull', value: scalar(first) };
    case 'OPERATOR_IS_NOT_NULL':
      return { kind: 'not', operand: { kind: 'isNull', value: scalar(first) } };
    case 'COMPARE_IN':
      return { kind: 'in', value: scalar(first), list: rest.map(scalar) };
    case 'COMPARE_NOT_IN':
      return { kind: 'not', operand: { kind: 'in', value: scalar(first), list: rest.map(scalar) } };
    default:
      return unsupported('this operator');
  }
}

/** LIKE, NOT LIKE, and `= ANY`-like `contains` that the parser makes of `x IN attribute`. */
function like(node: Json): Predicate {
  const called = String(node['function_name']).toLowerCase();
  const [value, pattern] = objects(node, 'children').map(scalar);
  if (value === undefined || pattern === undefined || objects(node, 'children').length !== 2) return unsupported(`function ${called}`);
  plainCall(node);
  if (called === 'contains' && value.kind === 'attribute') return { kind: 'in', value: pattern, list: [value] };
  if (called !== '~~' && called !== '!~~') return unsupported(`function ${called}`);
  if (pattern.kind !== 'literal' || typeof pattern.value !== 'string') return unsupported('LIKE with a pattern that is not constant');
  const condition: Predicate = { kind: 'like', value, pattern: pattern.value };
  return called === '~~' ? condition : { kind: 'not', operand: condition };
}

function plainCall(node: Json): void {
  const order = child(node, 'order_bys');
  const schema = String(node['schema'] ?? '');
  const ordered = order !== null && objects(order, 'orders').length > 0;
  if (
    (schema !== '' && schema !== 'main') ||
    (node['catalog'] ?? '') !== '' ||
    (node['filter'] ?? null) !== null ||
    node['distinct'] === true ||
    ordered
  )
    unsupported('this form of function call');
}

const CALLS = { lower: 'lower', upper: 'upper', year: 'year', month: 'month', current_date: 'current_date' } as const;

function scalar(node: Json): Scalar {
  switch (node['class']) {
    case 'COLUMN_REF':
      return named(list(node['column_names']).map(String));
    case 'CONSTANT':
      return constant(object(node['value']));
    case 'CAST':
      return castLiteral(node);
    case 'FUNCTION':
      return call(node);
    default:
      return unsupported(String(node['class']).toLowerCase());
  }
}

function named(parts: readonly string[]): Scalar {
  const [first, second] = parts;
  if (parts.length === 1 && first !== undefined)
    return first.toLowerCase() === 'current_date' ? { kind: 'call', function: 'current_date', args: [] } : { kind: 'column', name: first };
  if (parts.length === 2 && first?.toLowerCase() === 'principal' && second !== undefined) return { kind: 'attribute', name: second };
  return unsupported('a name of several parts');
}

function constant(value: Json): Scalar {
  const inner = value['value'];
  const type = object(value['type']);
  if (value['is_null'] === true) return unsupported('NULL (use IS NULL)');
  if (type['id'] === 'DECIMAL') return decimal(inner, type);
  if (typeof inner === 'number' && !Number.isSafeInteger(inner) && type['id'] !== 'DOUBLE') return unsupported('a number this large');
  if (typeof inner === 'string' || typeof inner === 'number' || typeof inner === 'boolean') return { kind: 'literal', value: inner };
  return unsupported('this literal');
}

function decimal(value: unknown, type: Json): Scalar {
  const scale = object(type['type_info'])['scale'];
  if (typeof value !== 'number' || typeof scale !== 'number' || !Number.isSafeInteger(value)) return unsupported('a number this long');
  return { kind: 'literal', value: value / 10 ** scale };
}

/** `true`, `false`, `DATE '…'`, `TIMESTAMP '…'`: casts of a text constant. */
function castLiteral(node: Json): Scalar {
  const inner = object(node['child']);
  const id = object(node['cast_type'])['id'];
  const value = inner['class'] === 'CONSTANT' ? constant(object(inner['value'])) : undefined;
  const content = value?.kind === 'literal' && typeof value.value === 'string' && node['try_cast'] === false ? value.value : undefined;
  if (content === undefined) return unsupported('a cast');
  if (id === 'BOOLEAN' && (content === 't' || content === 'f')) return { kind: 'literal', value: content === 't' };
  if (id === 'DATE' && /^\d{4}-\d\d-\d\d$/.test(content)) return { kind: 'literal', value: content, type: 'DATE' };
  if (id === 'TIMESTAMP' && /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(content))
    return { kind: 'literal', value: content, type: 'TIMESTAMP' };
  return unsupported('this cast');
}

function call(node: Json): Scalar {
  const called = String(node['function_name']).toLowerCase();
  const allowed = Object.hasOwn(CALLS, called) ? CALLS[called as keyof typeof CALLS] : unsupported(`function ${called}`);
  plainCall(node);
  const args = objects(node, 'children').map(scalar);
  if (args.length !== (allowed === 'current_date' ? 0 : 1)) return unsupported(`function ${called} with this many arguments`);
  return { kind: 'call', function: allowed, args };
}
