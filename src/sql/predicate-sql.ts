/** Row conditions as SQL over raw columns; built so that no stored value makes them fail. */
import { fail } from '../errors.ts';
import type { Column, Predicate, Scalar } from '../model.ts';
import { familyOf } from './column-type.ts';
import { identifier, numberLiteral, stringLiteral, typeText } from './quote.ts';

/** How names of the predicate reach their columns. */
export interface Row {
  /** Quoted alias of the relation that holds the raw columns. */
  readonly alias: string;
  readonly columns: readonly Column[];
}

/** NULL (unknown) where SQL says so: such a row is not visible. Throws policy.invalid for unbound attributes and missing columns. */
export function predicateSql(predicate: Predicate, row: Row): string {
  switch (predicate.kind) {
    case 'boolean':
      return predicate.value ? 'TRUE' : 'FALSE';
    case 'and':
    case 'or':
      return junction(predicate.kind, predicate.operands, row);
    case 'not':
      return `(NOT ${predicateSql(predicate.operand, row)})`;
    case 'compare':
      return comparison(predicate.op, predicate.left, predicate.right, row);
    case 'in':
      return membership(predicate.value, predicate.list, row);
    case 'isNull':
      return `(${scalarSql(predicate.value, row).sql} IS NULL)`;
    case 'like':
      return `(${asText(scalarSql(predicate.value, row))} LIKE ${stringLiteral(predicate.pattern)})`;
  }
}

function junction(kind: 'and' | 'or', operands: readonly Predicate[], row: Row): string {
  if (operands.length === 0) return kind === 'and' ? 'TRUE' : 'FALSE';
  return `(${operands.map((operand) => predicateSql(operand, row)).join(kind === 'and' ? ' AND ' : ' OR ')})`;
}

/** Empty lists are unknown, not false, so that NOT does not turn "nothing allowed" into "everything". */
function membership(value: Scalar, items: readonly Scalar[], row: Row): string {
  if (items.length === 0) return 'CAST(NULL AS BOOLEAN)';
  const [left, ...list] = unify([value, ...items].map((item) => scalarSql(item, row)));
  return `(${left} IN (${list.join(', ')}))`;
}

function comparison(op: string, left: Scalar, right: Scalar, row: Row): string {
  const [a, b] = unify([scalarSql(left, row), scalarSql(right, row)]);
  return `(${a} ${op} ${b})`;
}

interface Typed {
  readonly sql: string;
  /** Type text; `literal` texts and numbers take the type of what they meet. */
  readonly type: string;
  readonly literal: boolean;
}

/** Literals take the type of the columns they meet; a mix of texts and other types compares as text. Neither can fail. */
function unify(values: readonly Typed[]): readonly string[] {
  const types = new Set(values.filter((value) => !value.literal).map((value) => value.type));
  const text = [...types].some((type) => familyOf(type) === 'text');
  if (text) return values.map((value) => asText(value));
  const [type] = types.size === 1 ? [...types] : [];
  return values.map((value) =>
    type !== undefined && value.literal && !sameFamily(value.type, type) ? `TRY_CAST(${value.sql} AS ${typeText(type)})` : value.sql,
  );
}

/** Numbers compare with numbers as they are: a cast to the column's type would round them. */
function sameFamily(literal: string, column: string): boolean {
  const numeric = ['integer', 'decimal', 'float'];
  return literal === column || (numeric.includes(familyOf(literal)) && numeric.includes(familyOf(column)));
}

function asText(value: Typed): string {
  return familyOf(value.type) === 'text' ? value.sql : `CAST(${value.sql} AS VARCHAR)`;
}

function scalarSql(scalar: Scalar, row: Row): Typed {
  switch (scalar.kind) {
    case 'column':
      return columnSql(scalar.name, row);
    case 'literal':
      return literalSql(scalar);
    case 'attribute':
      return fail('policy.invalid', 'an attribute of the principal is not bound');
    case 'call':
      return callSql(scalar, row);
  }
}

/** The relation's alias before the name keeps the condition from meeting a masked column of the same name. */
function columnSql(name: string, row: Row): Typed {
  const column =
    row.columns.find((candidate) => candidate.name === name) ??
    row.columns.find((candidate) => candidate.name.toLowerCase() === name.toLowerCase());
  if (column === undefined) fail('policy.invalid', 'a row condition names a column that the dataset does not have');
  return { sql: `${row.alias}.${identifier(column.name)}`, type: column.type, literal: false };
}

function literalSql(scalar: Extract<Scalar, { kind: 'literal' }>): Typed {
  const { value, type } = scalar;
  if (type !== undefined)
    return { sql: `TRY_CAST(${stringLiteral(String(value))} AS ${type === 'DATE' ? 'DATE' : 'TIMESTAMP'})`, type, literal: true };
  if (typeof value === 'boolean') return { sql: value ? 'TRUE' : 'FALSE', type: 'BOOLEAN', literal: true };
  if (typeof value === 'string') return { sql: stringLiteral(value), type: 'VARCHAR', literal: true };
  return { sql: numberLiteral(value), type: Number.isInteger(Number(value)) ? 'BIGINT' : 'DOUBLE', literal: true };
}

function callSql(scalar: Extract<Scalar, { kind: 'call' }>, row: Row): Typed {
  if (scalar.function === 'current_date') return { sql: 'current_date()', type: 'DATE', literal: false };
  const [argument] = scalar.args;
  if (argument === undefined || scalar.args.length !== 1) fail('policy.invalid', `${scalar.function} takes one argument`);
  const inner = scalarSql(argument, row);
  if (scalar.function === 'lower' || scalar.function === 'upper')
    return { sql: `${scalar.function}(${asText(inner)})`, type: 'VARCHAR', literal: inner.literal };
  const dated = ['date', 'timestamp'].includes(familyOf(inner.type)) ? inner.sql : `TRY_CAST(${inner.sql} AS DATE)`;
  return { sql: `${scalar.function}(${dated})`, type: 'BIGINT', literal: false };
}
