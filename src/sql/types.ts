/** Types a cast may name: the engine's built-in ones, never a user type. */

import { fail } from '../errors.ts';
import { child, isObject, type Json, list, object, text } from './ast.ts';

const PLAIN: ReadonlySet<string> = new Set([
  'NULL',
  'BOOLEAN',
  'TINYINT',
  'SMALLINT',
  'INTEGER',
  'BIGINT',
  'HUGEINT',
  'UTINYINT',
  'USMALLINT',
  'UINTEGER',
  'UBIGINT',
  'UHUGEINT',
  'FLOAT',
  'DOUBLE',
  'DECIMAL',
  'VARCHAR',
  'BLOB',
  'BIT',
  'DATE',
  'TIME',
  'TIME WITH TIME ZONE',
  'TIME_NS',
  'TIMESTAMP',
  'TIMESTAMP_S',
  'TIMESTAMP_MS',
  'TIMESTAMP_NS',
  'TIMESTAMP WITH TIME ZONE',
  'INTERVAL',
  'UUID',
  'BIGNUM',
]);
const NESTED: ReadonlySet<string> = new Set(['LIST', 'ARRAY', 'STRUCT', 'MAP', 'UNION']);
const TYPE_INFO: ReadonlySet<string> = new Set([
  'DECIMAL_TYPE_INFO',
  'LIST_TYPE_INFO',
  'STRUCT_TYPE_INFO',
  'ARRAY_TYPE_INFO',
  'UNBOUND_TYPE_INFO',
]);
const TYPE_INFO_FIELDS: ReadonlySet<string> = new Set([
  'type',
  'alias',
  'extension_info',
  'width',
  'scale',
  'child_type',
  'child_types',
  'size',
  'name',
  'catalog',
  'schema',
  'user_type_modifiers',
]);
/** Elements of a fixed-size array, multiplied over nested ones. */
const ARRAY_ELEMENTS = 4_096;

/** Throws sql.refused unless the type is built in; `seen` records what was checked. */
export function checkType(type: Json, seen: (node: Json) => void, elements = 1): void {
  seen(type);
  const id = text(type['id']);
  const info = child(type, 'type_info');
  if (Object.keys(type).some((key) => key !== 'id' && key !== 'type_info')) refuse(id);
  if (info !== null) checkInfo(info, id, seen, elements);
  else if (!PLAIN.has(id)) refuse(id);
}

function checkInfo(info: Json, id: string, seen: (node: Json) => void, elements: number): void {
  seen(info);
  if (!TYPE_INFO.has(text(info['type'])) || Object.keys(info).some((key) => !TYPE_INFO_FIELDS.has(key))) refuse(id);
  if (info['alias'] !== '' || info['extension_info'] !== null) refuse(id);
  if (id === 'UNBOUND') checkUnbound(info);
  else if (id !== 'DECIMAL' && !NESTED.has(id)) refuse(id);
  const size = info['size'];
  const total = typeof size === 'number' ? elements * size : elements;
  if (total > ARRAY_ELEMENTS) fail('sql.limit', `an array type holds more than ${ARRAY_ELEMENTS} elements`);
  const inner = child(info, 'child_type');
  if (inner !== null) checkType(inner, seen, total);
  for (const member of list(info['child_types'] ?? [])) {
    const pair = object(member);
    seen(pair);
    text(pair['first']);
    checkType(object(pair['second']), seen, total);
  }
}

/** JSON is the one built-in type that the parser leaves unbound. */
function checkUnbound(info: Json): void {
  const name = text(info['name']);
  const plain = info['catalog'] === '' && info['schema'] === '' && list(info['user_type_modifiers'] ?? []).length === 0;
  if (!plain || name.toUpperCase() !== 'JSON') refuse(name);
}

function refuse(name: string): never {
  return fail('sql.refused', `type ${JSON.stringify(name)} is not allowed`);
}

/** A literal's typed value, as in CONSTANT nodes and PIVOT's IN lists. */
export function checkValue(value: unknown, seen: (node: Json) => void): void {
  const node = object(value);
  seen(node);
  if (Object.keys(node).some((key) => key !== 'type' && key !== 'is_null' && key !== 'value'))
    fail('sql.refused', 'a literal has an unexpected form');
  checkType(object(node['type']), seen);
  const inner = node['value'];
  if (isObject(inner)) checkWide(inner, seen);
  else if (Array.isArray(inner)) fail('sql.refused', 'a literal has an unexpected form');
}

/** 128-bit integers come as two halves, the open end of a slice as an empty list. */
function checkWide(value: Json, seen: (node: Json) => void): void {
  seen(value);
  const wide = Object.entries(value).every(([key, part]) =>
    key === 'children' ? Array.isArray(part) && part.length === 0 : (key === 'upper' || key === 'lower') && typeof part === 'number',
  );
  if (!wide) fail('sql.refused', 'a literal has an unexpected form');
}
