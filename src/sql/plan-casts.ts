/**
 * Casts of a bound plan that could betray hidden rows. The parser's tree does not show them all: comparisons, set operations, joins and
 * function arguments cast without a word, so DuckDB's own binder is asked (json_serialize_plan, not optimised, over empty tables).
 */
import { isObject, type Json, object, objects } from './ast.ts';
import { isSafeCast, isSafeLiteralCast, sameType, typeName } from './cast-safety.ts';

/** A thousand years. */
const MAX_SHIFT_DAYS = 366_000;

/** One output column of an operator. `hidden`: its values may come from rows that a policy hides, or are made from literals. */
interface Output {
  readonly type: unknown;
  readonly hidden: boolean;
}

/** null: not known, every reference counts as hidden. */
type Outputs = readonly Output[] | null;

interface Search {
  readonly isHidden: (schema: string, table: string) => boolean;
  readonly commonTables: Map<unknown, Outputs>;
  readonly found: Set<string>;
}

/**
 * What casts of the plan are not leakproof, as `cast of A to B`; empty when none. `isHidden` tells the tables, by schema and name in the plan,
 * some of whose rows or cells a policy hides. A plan that can not be read is not leakproof.
 */
export function unsafeCasts(plan: unknown, isHidden: Search['isHidden']): readonly string[] {
  const root = isObject(plan) ? plan : {};
  if (root['error'] !== false || !Array.isArray(root['plans']) || root['plans'].length !== 1)
    return ['a statement that can not be analysed'];
  const search: Search = { isHidden, commonTables: new Map(), found: new Set() };
  visit(object(root['plans'][0]), search);
  return [...search.found];
}

function visit(operator: Json, search: Search): Outputs {
  const children = objects(operator, 'children');
  const inputs: Outputs[] = [];
  for (const [i, child] of children.entries()) {
    inputs.push(visit(child, search));
    if (i === 0 && operator['type'] === 'LOGICAL_MATERIALIZED_CTE') search.commonTables.set(operator['table_index'], inputs[0] ?? null);
  }
  for (const [field, value] of Object.entries(operator)) if (field !== 'children') findCasts(value, inputs, search);
  return outputsOf(operator, inputs, search);
}

function outputsOf(operator: Json, inputs: readonly Outputs[], search: Search): Outputs {
  const first = inputs[0] ?? null;
  switch (operator['type']) {
    case 'LOGICAL_GET':
      return tableOutputs(operator, search);
    case 'LOGICAL_CTE_REF':
      return search.commonTables.get(operator['cte_index']) ?? null;
    case 'LOGICAL_MATERIALIZED_CTE':
      return inputs[1] ?? null;
    case 'LOGICAL_PROJECTION':
      return objects(operator, 'expressions').map((expression) => output(expression, inputs));
    case 'LOGICAL_AGGREGATE_AND_GROUP_BY':
      return aggregateOutputs(operator, inputs);
    case 'LOGICAL_WINDOW':
      return first === null ? null : [...first, ...objects(operator, 'expressions').map(computed)];
    case 'LOGICAL_FILTER':
    case 'LOGICAL_ORDER_BY':
    case 'LOGICAL_LIMIT':
    case 'LOGICAL_DISTINCT':
      return keepsPlaces(operator) ? first : null;
    case 'LOGICAL_CROSS_PRODUCT':
    case 'LOGICAL_COMPARISON_JOIN':
    case 'LOGICAL_DELIM_JOIN':
    case 'LOGICAL_ANY_JOIN':
      return keepsPlaces(operator) ? joined(operator, inputs) : null;
    default:
      return null;
  }
}

function tableOutputs(operator: Json, search: Search): Outputs {
  const table = operator['function_data'];
  const types = objects(operator, 'returned_types');
  if (operator['name'] !== 'seq_scan' || !isObject(table) || !isEmptyList(operator['projection_ids'])) return null;
  const hidden = search.isHidden(String(table['schema']), String(table['table']));
  return objects(operator, 'column_indexes').map(({ index }) => ({ type: types[Number(index)], hidden }));
}

/** Filters on a group key move below the aggregate; the aggregates themselves have seen no hidden row. */
function aggregateOutputs(operator: Json, inputs: readonly Outputs[]): Outputs {
  const groups = objects(operator, 'groups').map((group) => output(group, inputs));
  return [...groups, ...objects(operator, 'expressions').map(computed)];
}

/** Results of aggregates and window functions. */
function computed(expression: Json): Output {
  return { type: expression['return_type'], hidden: false };
}

function joined(operator: Json, inputs: readonly Outputs[]): Outputs {
  const [left, right] = inputs;
  const type = operator['join_type'] ?? 'INNER';
  if (left === null || left === undefined) return null;
  if (type === 'SEMI' || type === 'ANTI' || type === 'MARK') return left;
  if (right === null || right === undefined) return null;
  return ['INNER', 'LEFT', 'RIGHT', 'OUTER', 'SINGLE'].includes(String(type)) ? [...left, ...right] : null;
}

function keepsPlaces(operator: Json): boolean {
  return ['projection_map', 'projections', 'left_projection_map', 'right_projection_map'].every((field) => isEmptyList(operator[field]));
}

function isEmptyList(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

function output(expression: Json, inputs: readonly Outputs[]): Output {
  return { type: expression['return_type'], hidden: mayHide(expression, inputs) };
}

/** Literals alone count as hidden: beside a condition on a hidden row, a failing literal is as good as that row. */
function mayHide(expression: Json, inputs: readonly Outputs[]): boolean {
  const references = referencesIn(expression);
  return references.length === 0 || references.some((reference) => isHiddenReference(reference, inputs));
}

/** A join's condition refers to either side by place; both must be known to be open. */
function isHiddenReference(reference: Json, inputs: readonly Outputs[]): boolean {
  if (inputs.length !== 1) return inputs.some((outputs) => outputs === null || outputs.some(({ hidden }) => hidden));
  const found = inputs[0]?.[Number(reference['index'])];
  const type = reference['return_type'];
  return found === undefined || found.hidden || !isObject(found.type) || !isObject(type) || !sameType(found.type, type);
}

function referencesIn(value: unknown): readonly Json[] {
  if (Array.isArray(value)) return value.flatMap(referencesIn);
  if (!isObject(value)) return [];
  if (/^BOUND_(COLUMN_REF|REF|LAMBDA_REF|SUBQUERY|PARAMETER)$/.test(String(value['expression_class']))) return [value];
  return Object.values(value).flatMap(referencesIn);
}

function findCasts(value: unknown, inputs: readonly Outputs[], search: Search): void {
  if (Array.isArray(value)) for (const item of value) findCasts(item, inputs, search);
  if (!isObject(value)) return;
  if (value['expression_class'] === 'BOUND_CAST' && !isSafe(value, inputs)) {
    const from = typeOf(object(value['child']));
    search.found.add(`cast of ${from === undefined ? 'a value' : typeName(from)} to ${typeName(object(value['return_type']))}`);
  }
  for (const item of Object.values(value)) findCasts(item, inputs, search);
}

function isSafe(cast: Json, inputs: readonly Outputs[]): boolean {
  const child = object(cast['child']);
  const to = object(cast['return_type']);
  const from = typeOf(child);
  if (cast['try_cast'] === true || (from !== undefined && isSafeCast(from, to))) return true;
  const literal = literalOf(child);
  return literal === undefined ? !mayHide(child, inputs) || isToday(child, to) : isSafeLiteralCast(literal, to);
}

/** `ts >= current_date` and `current_date - 30`. */
function isToday(expression: Json, to: Json): boolean {
  if (expression['expression_class'] !== 'BOUND_FUNCTION' || to['id'] !== 'TIMESTAMP') return false;
  const [first, second] = objects(expression, 'children');
  if (first === undefined) return expression['name'] === 'today' || expression['name'] === 'current_date';
  const days = second?.['expression_class'] === 'BOUND_CONSTANT' ? object(second['value'])['value'] : undefined;
  const shifts = expression['name'] === '+' || expression['name'] === '-';
  return shifts && typeof days === 'number' && Math.abs(days) <= MAX_SHIFT_DAYS && isToday(first, to);
}

/** The literal below casts, each of which is judged on its own. */
function literalOf(expression: Json): Json | undefined {
  if (expression['expression_class'] === 'BOUND_CAST') return literalOf(object(expression['child']));
  return expression['expression_class'] === 'BOUND_CONSTANT' ? object(expression['value']) : undefined;
}

/** Comparisons and conditions are written without a type; what is not known here makes a cast unsafe. */
function typeOf(expression: Json): Json | undefined {
  if (expression['expression_class'] === 'BOUND_CONSTANT') return object(object(expression['value'])['type']);
  const type = expression['return_type'];
  return isObject(type) ? type : undefined;
}
