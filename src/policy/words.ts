/** Predicates and masks in words, for the principal's own EXPLAIN POLICY. Never used to build SQL. */
import type { Mask, Predicate, Scalar } from '../model.ts';

/** Longer lists are cut: an attribute may have thousands of values. */
const LIST_MAX = 10;

export function describeMask(mask: Mask): string {
  switch (mask.kind) {
    case 'null':
      return 'replaced by NULL';
    case 'constant':
      return `replaced by ${quote(mask.value)}`;
    case 'redact':
      return 'every letter and digit replaced';
    case 'first':
    case 'last':
      return `only the ${mask.kind} ${mask.count} characters`;
    case 'email':
      return 'only the domain of the address';
    case 'hash':
      return 'hashed';
    case 'token':
      return 'a token: equal values stay equal';
    case 'date':
      return `only the ${mask.unit}`;
    case 'round':
      return `rounded to ${mask.step}`;
  }
}

export function describePredicate(predicate: Predicate): string {
  switch (predicate.kind) {
    case 'boolean':
      return predicate.value ? 'every row' : 'no row';
    case 'and':
    case 'or':
      return predicate.operands.map(describeOperand).join(` ${predicate.kind} `);
    case 'not':
      return `not ${describeOperand(predicate.operand)}`;
    case 'compare':
      return `${describeScalar(predicate.left)} ${predicate.op} ${describeScalar(predicate.right)}`;
    case 'in':
      return `${describeScalar(predicate.value)} is one of ${describeList(predicate.list)}`;
    case 'isNull':
      return `${describeScalar(predicate.value)} is missing`;
    case 'like':
      return `${describeScalar(predicate.value)} is like ${quote(predicate.pattern)}`;
  }
}

function describeOperand(predicate: Predicate): string {
  const nested = predicate.kind === 'and' || predicate.kind === 'or';
  return nested ? `(${describePredicate(predicate)})` : describePredicate(predicate);
}

function describeScalar(scalar: Scalar): string {
  switch (scalar.kind) {
    case 'column':
      return scalar.name;
    case 'literal':
      return quote(scalar.value);
    case 'attribute':
      return `your ${scalar.name}`;
    case 'call':
      return scalar.function === 'current_date' ? 'today' : `${scalar.function} of ${scalar.args.map(describeScalar).join(', ')}`;
  }
}

function describeList(list: readonly Scalar[]): string {
  const shown = list.slice(0, LIST_MAX).map(describeScalar).join(', ');
  return list.length > LIST_MAX ? `${shown} and ${list.length - LIST_MAX} more` : shown;
}

function quote(value: string | number | bigint | boolean): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}
