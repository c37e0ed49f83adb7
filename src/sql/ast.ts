/** Reading DuckDB's JSON AST: every access is checked, nothing is assumed about its shape. */
import { fail } from '../errors.ts';

export type Json = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function object(value: unknown): Json {
  return isObject(value) ? value : fail('sql.refused', 'the statement has an unexpected form');
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : fail('sql.refused', 'the statement has an unexpected form');
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : fail('sql.refused', 'the statement has an unexpected form');
}

/** Every object of the tree, however deep, the root first. */
export function* nodesOf(root: unknown): Generator<Json> {
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (isObject(value)) yield value;
    for (const item of Object.values(value)) pending.push(item);
  }
}

/** The objects of a list field; absent or null counts as none. */
export function objects(node: Json, field: string): readonly Json[] {
  const value = node[field];
  return value === null || value === undefined ? [] : list(value).map(object);
}

export function child(node: Json, field: string): Json | null {
  const value = node[field];
  return value === null || value === undefined ? null : object(value);
}

/** The only statement's query node. Rejects several statements and parse results that are errors. */
export function onlyStatement(ast: unknown): Json {
  const root = object(ast);
  if (root['error'] === true) fail('sql.refused', 'only SELECT statements are allowed');
  const statements = list(root['statements']);
  if (statements.length === 0) fail('sql.empty', 'the statement is empty');
  if (statements.length > 1) fail('sql.refused', 'only one statement at a time is allowed');
  return object(statements[0]);
}

/** Byte offset in the UTF-8 text; -1 when the parser gives none. */
export function location(node: Json): number {
  const value = node['query_location'];
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : -1;
}

/** A constant's plain value, also below casts that keep it (`DATE '…'`); undefined when it is none. */
export function constantOf(node: Json): unknown {
  if (node['class'] === 'CAST') {
    const inner = child(node, 'child');
    return inner === null ? undefined : constantOf(inner);
  }
  if (node['class'] !== 'CONSTANT') return undefined;
  const value = object(node['value']);
  if (value['is_null'] === true) return null;
  return decimalOf(value) ?? value['value'];
}

/** DECIMAL constants come as an unscaled integer. */
function decimalOf(value: Json): number | undefined {
  const type = object(value['type']);
  if (type['id'] !== 'DECIMAL' || typeof value['value'] !== 'number') return undefined;
  const scale = object(type['type_info'])['scale'];
  return typeof scale === 'number' ? value['value'] / 10 ** scale : undefined;
}
