/** Predicates over plain rows with SQL's three-valued logic: the tests' own reading of what a filter means. */
import type { Predicate, Scalar } from '#src/model.js';

export type Row = Readonly<Record<string, string | number | boolean | null>>;
type Truth = boolean | null;

export function evaluate(predicate: Predicate, row: Row): Truth {
  switch (predicate.kind) {
    case 'boolean':
      return predicate.value;
    case 'and':
      return conjunction(predicate.operands.map((operand) => evaluate(operand, row)));
    case 'or':
      return not(conjunction(predicate.operands.map((operand) => not(evaluate(operand, row)))));
    case 'not':
      return not(evaluate(predicate.operand, row));
    case 'compare':
      return compare(predicate.op, scalarValue(predicate.left, row), scalarValue(predicate.right, row));
    case 'in': {
      const value = scalarValue(predicate.value, row);
      return not(conjunction(predicate.list.map((item) => not(compare('=', value, scalarValue(item, row))))));
    }
    case 'isNull':
      return scalarValue(predicate.value, row) === null;
    case 'like':
      throw new Error('not needed here');
  }
}

function conjunction(truths: readonly Truth[]): Truth {
  if (truths.includes(false)) return false;
  return truths.includes(null) ? null : true;
}

function not(truth: Truth): Truth {
  return truth === null ? null : !truth;
}

function compare(op: string, a: string | number | boolean | null, b: string | number | boolean | null): Truth {
  if (a === null || b === null) return null;
  switch (op) {
    case '=':
      return a === b;
    case '<>':
      return a !== b;
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    default:
      return a >= b;
  }
}

function scalarValue(scalar: Scalar, row: Row): string | number | boolean | null {
  if (scalar.kind === 'column') return row[scalar.name] ?? null;
  if (scalar.kind === 'literal') return typeof scalar.value === 'bigint' ? Number(scalar.value) : scalar.value;
  throw new Error(`not needed here: ${scalar.kind}`);
}
