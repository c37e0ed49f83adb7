/** Conditions on single columns, for leaving files unread: what a row must fulfil, as far as it is understood. */
import type { Column, CompareOp, Predicate, Scalar } from '../model.ts';
import { foldName } from '../names.ts';
import { compareKeys, type Key, numberKey, type Order, orderOf, readKey, timestampKey } from './ordered.ts';

/** Columns by folded name. */
export type Condition =
  /** Nothing is known: any row may fulfil it. */
  | { readonly kind: 'any' }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Condition[] }
  | { readonly kind: 'compare'; readonly column: string; readonly op: CompareOp; readonly key: Key }
  /** Keys in order. */
  | { readonly kind: 'in'; readonly column: string; readonly keys: readonly Key[] }
  | { readonly kind: 'isNull'; readonly column: string }
  | { readonly kind: 'isNotNull'; readonly column: string }
  | { readonly kind: 'prefix'; readonly column: string; readonly text: string };

export const ANY: Condition = { kind: 'any' };
/** Of no operands: every row fulfils it, or none does. */
export const ALWAYS: Condition = { kind: 'and', of: [] };
export const NEVER: Condition = { kind: 'or', of: [] };

const OPPOSITE: Readonly<Record<CompareOp, CompareOp>> = { '=': '<>', '<>': '=', '<': '>=', '<=': '>', '>': '<=', '>=': '<' };
export const MIRRORED: Readonly<Record<CompareOp, CompareOp>> = { '=': '=', '<>': '<>', '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

/** True on the same rows as NOT: what is unknown of a NULL stays unknown. */
export function negated(condition: Condition): Condition {
  switch (condition.kind) {
    case 'and':
      return { kind: 'or', of: condition.of.map(negated) };
    case 'or':
      return { kind: 'and', of: condition.of.map(negated) };
    case 'compare':
      return { ...condition, op: OPPOSITE[condition.op] };
    case 'isNull':
      return { ...condition, kind: 'isNotNull' };
    case 'isNotNull':
      return { ...condition, kind: 'isNull' };
    default:
      return ANY;
  }
}

export function oneOf(column: string, keys: readonly Key[]): Condition {
  return keys.length === 0 ? NEVER : { kind: 'in', column, keys: [...keys].sort(compareKeys) };
}

/** The text before the first wildcard of a LIKE pattern; `\` may escape one. */
export function likePrefix(column: string, pattern: string): Condition {
  const text = /^[^%_\\]*/.exec(pattern)?.[0] ?? '';
  if (text === '') return ANY;
  return text === pattern ? { kind: 'compare', column, op: '=', key: text } : { kind: 'prefix', column, text };
}

/** The same, as if nothing were known of other columns. */
export function onlyColumns(condition: Condition, columns: ReadonlySet<string>): Condition {
  if ('of' in condition) return { ...condition, of: condition.of.map((each) => onlyColumns(each, columns)) };
  if (condition.kind === 'any') return condition;
  return columns.has(condition.column) ? condition : ANY;
}

/** A row filter with bound attributes, as predicateSql compares. */
export function filterCondition(filter: Predicate, columns: readonly Column[]): Condition {
  switch (filter.kind) {
    case 'boolean':
      return filter.value ? ALWAYS : NEVER;
    case 'and':
    case 'or':
      return { kind: filter.kind, of: filter.operands.map((operand) => filterCondition(operand, columns)) };
    case 'not':
      return negated(filterCondition(filter.operand, columns));
    case 'compare':
      return comparison(filter.op, filter.left, filter.right, columns);
    case 'in':
      return membership(filter.value, filter.list, columns);
    case 'isNull': {
      const column = columnOf(filter.value, columns);
      return column === null ? ANY : { kind: 'isNull', column: foldName(column.name) };
    }
    case 'like': {
      const column = columnOf(filter.value, columns);
      return column?.type === 'VARCHAR' ? likePrefix(foldName(column.name), filter.pattern) : ANY;
    }
  }
}

/** Exact names first, as predicateSql finds them. */
function columnOf(scalar: Scalar, columns: readonly Column[]): Column | null {
  if (scalar.kind !== 'column') return null;
  const { name } = scalar;
  return columns.find((column) => column.name === name) ?? columns.find((column) => foldName(column.name) === foldName(name)) ?? null;
}

function comparison(op: CompareOp, left: Scalar, right: Scalar, columns: readonly Column[]): Condition {
  const column = columnOf(left, columns);
  if (column === null) return columnOf(right, columns) === null ? ANY : comparison(MIRRORED[op], right, left, columns);
  const key = literalKey(right, column.type);
  return key === null ? ANY : { kind: 'compare', column: foldName(column.name), op, key };
}

function membership(value: Scalar, list: readonly Scalar[], columns: readonly Column[]): Condition {
  const column = columnOf(value, columns);
  // Unknown, not false, so that NOT does not turn it into every row.
  if (list.length === 0) return ANY;
  if (column === null) return ANY;
  const keys = list.map((item) => literalKey(item, column.type)).filter((key) => key !== null);
  return keys.length < list.length ? ANY : oneOf(foldName(column.name), keys);
}

function literalKey(scalar: Scalar, type: string): Key | null {
  if (scalar.kind !== 'literal') return null;
  const { value } = scalar;
  const kind = scalar.type ?? (typeof value === 'string' ? 'text' : typeof value === 'boolean' ? 'boolean' : 'number');
  return constantKey(String(value), kind, type);
}

export type ConstantKind = 'text' | 'number' | 'boolean' | 'DATE' | 'TIMESTAMP';

type Reading = (text: string, type: string) => Key | null;

const asNumber: Reading = (text, type) =>
  /HUGEINT/.test(type) && text.includes('.') ? null : /^-?\d{1,18}(\.\d{1,15})?$/.test(text) ? numberKey(text) : null;
/** Digits that the type holds in any case: a text that it does not hold is no number but NULL, or an error. */
const TEXT_DIGITS: Readonly<Record<string, number>> = { INTEGER: 9, BIGINT: 18, HUGEINT: 18 };
const asInteger: Reading = (text, type) =>
  /^-?\d+$/.test(text) && text.replace('-', '').length <= (TEXT_DIGITS[type] ?? 0) ? numberKey(text) : null;

/** By the column's kind and the constant's: how they are compared, where both the policy's SQL and DuckDB's binder agree with it. */
const READINGS: Readonly<Record<Order, Partial<Record<ConstantKind, Reading>>>> = {
  text: { text: (text) => text },
  number: { number: asNumber, text: asInteger },
  boolean: { boolean: readKey },
  date: { DATE: readKey, text: readKey },
  timestamp: { TIMESTAMP: readKey, DATE: (text) => (text.length === 10 ? timestampKey(text) : null), text: readKey },
};

/** What a constant is when it is compared with a column of this type; null when that is not certain. */
export function constantKey(text: string, kind: ConstantKind, type: string): Key | null {
  const order = orderOf(type);
  return order === null ? null : (READINGS[order][kind]?.(text, type) ?? null);
}
