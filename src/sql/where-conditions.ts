/** What a statement's own WHERE clauses say of the rows that it reads of each table it names once. */
import type { CompareOp, Dataset } from '../model.ts';
import { foldName } from '../names.ts';
import { isObject, type Json, location, nodesOf } from './ast.ts';
import { ALWAYS, ANY, type Condition, type ConstantKind, constantKey, likePrefix, MIRRORED, negated, oneOf } from './conditions.ts';
import type { GatedStatement } from './gate.ts';
import type { Key } from './ordered.ts';
import { COMPARISONS } from './predicate.ts';

/** The columns of one table, as a WHERE clause may call them. */
interface Names {
  readonly columns: ReadonlyMap<string, Dataset['columns'][number]>;
  readonly table: string;
}

/**
 * By dataset id: a condition that every row fulfils which the statement makes anything of. Only for a table that is named once, alone in
 * its FROM clause: there no row comes past the WHERE clause, whatever else the statement does. `ast` passed the gate.
 */
export function whereConditions(ast: unknown, gated: Pick<GatedStatement, 'tables'>): ReadonlyMap<string, Condition> {
  const named = new Map<number, Dataset>();
  const counts = new Map<string, number>();
  for (const { dataset, location: at } of gated.tables) {
    named.set(at, dataset);
    counts.set(dataset.id, (counts.get(dataset.id) ?? 0) + 1);
  }
  const found = new Map<string, Condition>();
  for (const node of selects(ast)) {
    const from = node['from_table'];
    const dataset = isObject(from) && isPlainTable(from) ? named.get(location(from)) : undefined;
    if (dataset === undefined || !isObject(from) || counts.get(dataset.id) !== 1 || !isObject(node['where_clause'])) continue;
    found.set(dataset.id, condition(node['where_clause'], namesOf(dataset, from)));
  }
  return found;
}

/** Every SELECT of the statement, however deep. */
function selects(ast: unknown): readonly Json[] {
  return [...nodesOf(ast)].filter((node) => node['type'] === 'SELECT_NODE' && (node['sample'] ?? null) === null);
}

/** A sample is taken before the WHERE clause looks; columns may get other names. */
function isPlainTable(from: Json): boolean {
  const aliases = from['column_name_alias'] ?? [];
  return (
    from['type'] === 'BASE_TABLE' &&
    location(from) >= 0 &&
    (from['sample'] ?? null) === null &&
    Array.isArray(aliases) &&
    aliases.length === 0
  );
}

function namesOf({ columns }: Dataset, from: Json): Names {
  const alias = String(from['alias'] ?? '');
  return {
    columns: new Map(columns.map((column) => [foldName(column.name), column])),
    table: foldName(alias === '' ? String(from['table_name']) : alias),
  };
}

function condition(node: Json, names: Names): Condition {
  switch (node['class']) {
    case 'CONJUNCTION':
      return {
        kind: node['type'] === 'CONJUNCTION_AND' ? 'and' : 'or',
        of: parts(node['children']).map((child) => condition(child, names)),
      };
    case 'COMPARISON':
      return comparison(node, names);
    case 'BETWEEN':
      return between(node, names);
    case 'OPERATOR':
      return operator(node, names);
    case 'FUNCTION':
      return like(node, names);
    default:
      return ANY;
  }
}

function parts(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** Its folded name and type. A bare name, or behind the table's own; anything else may be a member of a struct. */
function columnOf(node: unknown, { columns, table }: Names): { readonly name: string; readonly type: string } | null {
  if (!isObject(node) || node['class'] !== 'COLUMN_REF' || !Array.isArray(node['column_names'])) return null;
  const written = node['column_names'].map((part) => foldName(String(part)));
  const [first = '', second = ''] = written;
  const name = written.length === 1 ? first : written.length === 2 && first === table && !columns.has(first) ? second : '';
  const column = columns.get(name);
  return column === undefined ? null : { name, type: column.type };
}

function comparison(node: Json, names: Names): Condition {
  const op = COMPARISONS[String(node['type'])];
  if (op === undefined) return ANY;
  const column = columnOf(node['left'], names);
  if (column !== null) return compared(column, op, node['right']);
  const right = columnOf(node['right'], names);
  return right === null ? ANY : compared(right, MIRRORED[op], node['left']);
}

function compared({ name, type }: { readonly name: string; readonly type: string }, op: CompareOp, constant: unknown): Condition {
  const key = keyOf(constant, type);
  return key === null ? ANY : { kind: 'compare', column: name, op, key };
}

/** All three have one type in the engine: what is not understood of one is not of the others. */
function between(node: Json, names: Names): Condition {
  const column = columnOf(node['input'], names);
  const [lower, upper] = column === null ? [] : keysOf([node['lower'], node['upper']], column.type);
  if (column === null || lower === undefined || upper === undefined) return ANY;
  const bound = (op: CompareOp, key: Key): Condition => ({ kind: 'compare', column: column.name, op, key });
  return { kind: 'and', of: [bound('>=', lower), bound('<=', upper)] };
}

function operator(node: Json, names: Names): Condition {
  const [first, ...rest] = parts(node['children']);
  if (first === undefined) return ANY;
  if (node['type'] === 'OPERATOR_NOT') return negated(condition(first, names));
  const column = columnOf(first, names);
  if (column === null) return ANY;
  switch (node['type']) {
    case 'OPERATOR_IS_NULL':
      return { kind: 'isNull', column: column.name };
    case 'OPERATOR_IS_NOT_NULL':
      return { kind: 'isNotNull', column: column.name };
    case 'COMPARE_IN': {
      const keys = keysOf(rest, column.type);
      return keys.length === 0 ? ANY : oneOf(column.name, keys);
    }
    default:
      return ANY;
  }
}

function like(node: Json, names: Names): Condition {
  const [value, pattern] = parts(node['children']);
  const column = columnOf(value, names);
  const constant = pattern === undefined ? null : constantOf(pattern);
  const plain = node['function_name'] === '~~' && node['is_operator'] === true && constant?.kind === 'text';
  return plain && column?.type === 'VARCHAR' ? likePrefix(column.name, constant.text) : ANY;
}

/** None unless all are understood and of one kind. */
function keysOf(constants: readonly unknown[], type: string): readonly Key[] {
  const kinds = new Set(constants.map((constant) => constantOf(constant)?.kind));
  const keys = constants.map((constant) => keyOf(constant, type)).filter((key) => key !== null);
  return kinds.size === 1 && keys.length === constants.length ? keys : [];
}

function keyOf(node: unknown, type: string): Key | null {
  const constant = constantOf(node);
  return constant === null ? null : constantKey(constant.text, constant.kind, type);
}

interface Constant {
  readonly kind: ConstantKind;
  readonly text: string;
}

const CASTS: Readonly<Record<string, ConstantKind>> = { DATE: 'DATE', TIMESTAMP: 'TIMESTAMP', BOOLEAN: 'boolean' };
const INTEGERS: ReadonlySet<unknown> = new Set(['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT']);

/** A plain constant, or a text cast to a date, a timestamp or a truth value, as `DATE '…'` and `true` are written. */
function constantOf(node: unknown): Constant | null {
  if (!isObject(node)) return null;
  if (node['class'] === 'CAST') return castOf(node);
  const value = node['value'];
  if (node['class'] !== 'CONSTANT' || !isObject(value) || value['is_null'] !== false || !isObject(value['type'])) return null;
  const { id, type_info: info } = value['type'];
  const content = value['value'];
  if (id === 'VARCHAR' && typeof content === 'string') return { kind: 'text', text: content };
  if (typeof content !== 'number' || !Number.isSafeInteger(content)) return null;
  if (INTEGERS.has(id)) return { kind: 'number', text: String(content) };
  const scale = id === 'DECIMAL' && isObject(info) ? info['scale'] : null;
  return typeof scale === 'number' ? { kind: 'number', text: decimalText(content, scale) } : null;
}

function castOf(node: Json): Constant | null {
  const type = node['cast_type'];
  const kind = isObject(type) ? CASTS[String(type['id'])] : undefined;
  const inner = constantOf(node['child']);
  if (kind === undefined || inner?.kind !== 'text' || node['try_cast'] !== false) return null;
  if (kind !== 'boolean') return { kind, text: inner.text };
  return inner.text === 't' || inner.text === 'f' ? { kind, text: inner.text === 't' ? 'true' : 'false' } : null;
}

function decimalText(unscaled: number, scale: number): string {
  const digits = String(Math.abs(unscaled)).padStart(scale + 1, '0');
  const point = digits.length - scale;
  return `${unscaled < 0 ? '-' : ''}${digits.slice(0, point)}${scale === 0 ? '' : `.${digits.slice(point)}`}`;
}

/** Any of the statements may make something of a row. */
export function anyOf(conditions: readonly (Condition | undefined)[]): Condition {
  const known = conditions.filter((each) => each !== undefined);
  return known.length < conditions.length ? ALWAYS : { kind: 'or', of: known };
}
