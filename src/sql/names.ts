/** What a column name can mean anywhere in a statement: stored columns and the expressions that some query gives that name. */

import type { Dataset } from '../model.ts';
import { child, isObject, type Json, list, object, objects } from './ast.ts';

/** A stored column's type text, or the expression behind an output column. */
export type Definition = string | Json;

interface Environment {
  readonly known: Map<string, Definition[]>;
  readonly unknown: Set<string>;
  /** Some construct makes names that are not in the text. */
  opaque: boolean;
}

/** Definitions by lower-case name; a name that is not a key, or maps to null, can mean anything. */
export type Definitions = ReadonlyMap<string, readonly Definition[] | null>;

export function definitionsOf(root: Json, datasets: readonly Dataset[]): Definitions {
  const env: Environment = { known: new Map(), unknown: new Set(), opaque: false };
  for (const dataset of datasets) for (const column of dataset.columns) define(env, column.name, column.type);
  collect(env, root);
  if (env.opaque) return new Map();
  return new Map([...env.known].map(([name, definitions]) => [name, env.unknown.has(name) ? null : definitions]));
}

/** The name that decides what a column reference means, whatever its scope. */
export function lastPart(reference: Json): string | undefined {
  const last = list(reference['column_names']).at(-1);
  return typeof last === 'string' ? last.toLowerCase() : undefined;
}

function define(env: Environment, name: string, definition: Definition): void {
  const key = name.toLowerCase();
  const definitions = env.known.get(key);
  if (definitions === undefined) env.known.set(key, [definition]);
  else definitions.push(definition);
}

function collect(env: Environment, value: unknown): void {
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const item = pending.pop();
    if (Array.isArray(item)) pending.push(...item);
    else if (isObject(item)) {
      visit(env, item);
      pending.push(...Object.values(item));
    }
  }
}

const TABLE_FUNCTION_COLUMNS = 'range generate_series unnest key value type atom id parent fullkey path ordinality rowid json'.split(' ');

function visit(env: Environment, node: Json): void {
  if (typeof node['class'] === 'string') visitExpression(env, node);
  switch (node['type']) {
    case 'SET_OPERATION_NODE':
    case 'RECURSIVE_CTE_NODE':
      defineArms(env, node);
      break;
    case 'PIVOT':
    case 'SHOW_REF':
      env.opaque = true;
      break;
    case 'TABLE_FUNCTION':
      for (const name of TABLE_FUNCTION_COLUMNS) env.unknown.add(name);
      break;
  }
  if (Array.isArray(node['column_name_alias'])) defineAliases(env, node['column_name_alias'], queryOf(node));
  if (Array.isArray(node['aliases'])) defineAliases(env, node['aliases'], queryOf(node));
  if (node['type'] === 'STRUCT_TYPE_INFO')
    for (const member of objects(node, 'child_types')) env.unknown.add(String(member['first']).toLowerCase());
}

function visitExpression(env: Environment, node: Json): void {
  const alias = typeof node['alias'] === 'string' ? node['alias'] : '';
  if (alias !== '' && !(node['class'] === 'COLUMN_REF' && lastPart(node) === alias.toLowerCase())) define(env, alias, node);
  if (node['class'] === 'LAMBDA') env.opaque = true;
  if (node['class'] !== 'STAR') return;
  if (node['columns'] === true || child(node, 'expr') !== null || alias !== '') env.opaque = true;
  for (const entry of objects(node, 'replace_list')) define(env, String(entry['key']), object(entry['value']));
  for (const entry of objects(node, 'rename_list')) env.unknown.add(String(entry['value']).toLowerCase());
}

/** The query whose columns an alias list renames. */
function queryOf(node: Json): Json | null {
  if (node['type'] === 'RECURSIVE_CTE_NODE') return node;
  const wrapper = child(node, 'subquery') ?? child(node, 'query');
  return wrapper === null ? null : child(wrapper, 'node');
}

function defineAliases(env: Environment, aliases: readonly unknown[], query: Json | null): void {
  const arms = query === null ? null : armsOf(query);
  for (const [index, alias] of aliases.entries()) {
    const columns = arms?.map((arm) => arm?.[index]) ?? [undefined];
    for (const column of columns) {
      if (column === undefined) env.unknown.add(String(alias).toLowerCase());
      else define(env, String(alias), column);
    }
  }
}

/** In a set operation the left-most query names the columns that the others fill by place. */
function defineArms(env: Environment, node: Json): void {
  const [first, ...others] = armsOf(node);
  if (first === null || first === undefined || others.some((arm) => arm === null) || node['setop_type'] === 'UNION_BY_NAME') {
    if (others.length > 0) env.opaque = true;
    return;
  }
  for (const [index, column] of first.entries()) {
    const name = nameOf(column);
    for (const arm of others) {
      const filled = arm?.[index];
      if (name !== undefined && filled !== undefined && nameOf(filled) !== name) define(env, name, filled);
    }
  }
}

function nameOf(column: Json): string | undefined {
  if (typeof column['alias'] === 'string' && column['alias'] !== '') return column['alias'].toLowerCase();
  return column['class'] === 'COLUMN_REF' ? lastPart(column) : undefined;
}

/** The select lists of a query's arms from left to right; null for one whose columns are not all written out. */
function armsOf(node: Json): readonly (readonly Json[] | null)[] {
  if (node['type'] !== 'SELECT_NODE') return [...armsOf(object(node['left'])), ...armsOf(object(node['right']))];
  const columns = objects(node, 'select_list');
  return [columns.some(expands) ? null : columns];
}

/** A star makes several columns. */
function expands(column: Json): boolean {
  const pending: unknown[] = [column];
  while (pending.length > 0) {
    const item = pending.pop();
    if (Array.isArray(item)) pending.push(...item);
    else if (isObject(item)) {
      if (item['class'] === 'STAR' || item['function_name'] === 'unnest') return true;
      if (item['class'] !== 'SUBQUERY') pending.push(...Object.values(item));
    }
  }
  return false;
}
