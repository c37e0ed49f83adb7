/** Building and folding predicates. Folding keeps SQL's three-valued truth: a row passes after it iff it passed before. */
import type { Predicate, Scalar } from '../model.ts';
import { canonicalJson } from './canonical.ts';

export const ALWAYS: Predicate = { kind: 'boolean', value: true };
export const NEVER: Predicate = { kind: 'boolean', value: false };

export function isAlways(predicate: Predicate): boolean {
  return predicate.kind === 'boolean' && predicate.value;
}

export function isNever(predicate: Predicate): boolean {
  return predicate.kind === 'boolean' && !predicate.value;
}

const keys = new WeakMap<Predicate, string>();

/** Equal keys mean equal predicates. Kept per value: an IN list may be long. */
export function predicateKey(predicate: Predicate): string {
  const known = keys.get(predicate);
  if (known !== undefined) return known;
  const key = canonicalJson(predicate);
  keys.set(predicate, key);
  return key;
}

export function allOf(operands: readonly Predicate[]): Predicate {
  return combine('and', operands);
}

export function anyOf(operands: readonly Predicate[]): Predicate {
  return combine('or', operands);
}

export function negate(operand: Predicate): Predicate {
  if (operand.kind === 'boolean') return operand.value ? NEVER : ALWAYS;
  return operand.kind === 'not' ? operand.operand : { kind: 'not', operand };
}

/** `anyOf`, with what all operands require taken out in front: (a and b) or (a and c) = a and (b or c). */
export function anyOfFactored(operands: readonly Predicate[]): Predicate {
  const live = operands.filter((operand) => !isNever(operand));
  const parts = live.map(
    (operand) => new Map((operand.kind === 'and' ? operand.operands : [operand]).map((part) => [predicateKey(part), part])),
  );
  const shared = [...(parts[0] ?? new Map<string, Predicate>())].filter(([key]) => parts.every((part) => part.has(key)));
  const sharedKeys = new Set(shared.map(([key]) => key));
  const rest = parts.map((part) => allOf([...part].filter(([key]) => !sharedKeys.has(key)).map(([, each]) => each)));
  return allOf([...shared.map(([, part]) => part), anyOf(rest)]);
}

/** `value IN (list)` without repeats; one item becomes `=`, none is never true. */
export function memberOf(value: Scalar, list: readonly Scalar[]): Predicate {
  const unique = [...new Map(list.map((item) => [scalarKey(item), item])).values()];
  const [first] = unique;
  if (first === undefined) return NEVER;
  if (unique.length === 1) return { kind: 'compare', op: '=', left: value, right: first };
  return { kind: 'in', value, list: unique };
}

/** 5 and 5n are one value; '5' is another. */
export function scalarKey(scalar: Scalar): string {
  if (scalar.kind !== 'literal') return canonicalJson(scalar);
  return `${typeof scalar.value === 'bigint' ? 'number' : typeof scalar.value}:${scalar.type ?? ''}:${scalar.value}`;
}

/** Folds constants, nesting and repeats all the way down. */
export function simplify(predicate: Predicate): Predicate {
  switch (predicate.kind) {
    case 'and':
    case 'or':
      return combine(predicate.kind, predicate.operands.map(simplify));
    case 'not':
      return negate(simplify(predicate.operand));
    default:
      return predicate;
  }
}

/** Calls `visit` for every scalar, also inside function calls. */
export function visitScalars(predicate: Predicate, visit: (scalar: Scalar) => void): void {
  const walk = (scalar: Scalar): void => {
    visit(scalar);
    if (scalar.kind === 'call') scalar.args.forEach(walk);
  };
  switch (predicate.kind) {
    case 'boolean':
      return;
    case 'and':
    case 'or':
      for (const operand of predicate.operands) visitScalars(operand, visit);
      return;
    case 'not':
      visitScalars(predicate.operand, visit);
      return;
    case 'compare':
      walk(predicate.left);
      walk(predicate.right);
      return;
    case 'in':
      walk(predicate.value);
      predicate.list.forEach(walk);
      return;
    case 'isNull':
    case 'like':
      walk(predicate.value);
  }
}

function combine(kind: 'and' | 'or', operands: readonly Predicate[]): Predicate {
  const neutral = kind === 'and';
  const kept = new Map<string, Predicate>();
  for (const operand of operands.flatMap((each) => (each.kind === kind ? each.operands : [each]))) {
    if (operand.kind === 'boolean' && operand.value !== neutral) return operand;
    if (operand.kind !== 'boolean') kept.set(predicateKey(operand), operand);
  }
  const unique = [...kept.values()];
  const [only] = unique;
  if (only === undefined) return neutral ? ALWAYS : NEVER;
  return unique.length === 1 ? only : { kind, operands: unique };
}
