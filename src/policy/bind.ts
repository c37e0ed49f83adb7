/**
 * Puts a principal's attribute values into a filter, as literals, never as text. A filter that holds a missing, empty or
 * unusable attribute lets no row through, whatever stands around the attribute (NOT included).
 */
import type { Column, Predicate, Principal, Scalar } from '../model.ts';
import { allOf, anyOf, memberOf, NEVER, negate, scalarKey } from './predicate.ts';
import { argumentClass, readAttribute, scalarClass, type TypeClass } from './type-class.ts';

interface Context {
  readonly attributes: Principal['attributes'];
  readonly columns: ReadonlyMap<string, Column>;
}

/** Thrown inside this file only: the whole filter becomes false. */
class Unusable extends Error {}

/** `columns` by folded name. The result holds no attribute. */
export function bindFilter(filter: Predicate, attributes: Principal['attributes'], columns: ReadonlyMap<string, Column>): Predicate {
  try {
    return bind(filter, { attributes, columns });
  } catch (error) {
    if (error instanceof Unusable) return NEVER;
    throw error;
  }
}

function bind(predicate: Predicate, context: Context): Predicate {
  switch (predicate.kind) {
    case 'boolean':
      return predicate;
    // Every operand is bound before folding: a false neighbour must not save an unusable attribute under NOT.
    case 'and':
      return allOf(predicate.operands.map((operand) => bind(operand, context)));
    case 'or':
      return anyOf(predicate.operands.map((operand) => bind(operand, context)));
    case 'not':
      return negate(bind(predicate.operand, context));
    case 'compare':
      return bindCompare(predicate, context);
    case 'in':
      return bindIn(predicate, context);
    case 'isNull':
      return bindIsNull(predicate.value, context);
    case 'like':
      return { ...predicate, value: single(values(predicate.value, 'text', context)) };
  }
}

function bindCompare(predicate: Extract<Predicate, { kind: 'compare' }>, context: Context): Predicate {
  const left = values(predicate.left, classOf(predicate.right, context), context);
  const right = values(predicate.right, classOf(predicate.left, context), context);
  if (!holdsAttribute(predicate.left) && !holdsAttribute(predicate.right)) return predicate;
  if (predicate.op !== '=' && predicate.op !== '<>') return { kind: 'compare', op: predicate.op, left: single(left), right: single(right) };
  // The attribute's values are the list; with attributes on both sides one common value is enough.
  const member = holdsAttribute(predicate.right) ? membership(left, right) : membership(right, left);
  return predicate.op === '=' ? member : negate(member);
}

function bindIn(predicate: Extract<Predicate, { kind: 'in' }>, context: Context): Predicate {
  const meets = predicate.list.map((item) => classOf(item, context)).find((each) => each !== null) ?? null;
  const target = classOf(predicate.value, context) ?? meets;
  const list = predicate.list.flatMap((item) => values(item, target, context));
  return membership(values(predicate.value, meets, context), list);
}

/** An attribute that has values is not NULL. */
function bindIsNull(value: Scalar, context: Context): Predicate {
  const [first] = values(value, null, context);
  return first === undefined || value.kind === 'attribute' ? NEVER : { kind: 'isNull', value: first };
}

function membership(candidates: readonly Scalar[], list: readonly Scalar[]): Predicate {
  const literals = new Set(list.filter((item) => item.kind === 'literal').map(scalarKey));
  const open = list.filter((item) => item.kind !== 'literal');
  return anyOf(
    candidates.map((candidate) => {
      if (candidate.kind !== 'literal') return memberOf(candidate, list);
      return literals.has(scalarKey(candidate)) ? { kind: 'boolean', value: true } : memberOf(candidate, open);
    }),
  );
}

/** Every value of the scalar; more than one only where an attribute has several. */
function values(scalar: Scalar, target: TypeClass | null, context: Context): readonly Scalar[] {
  if (scalar.kind === 'attribute') return attributeValues(scalar.name, target, context);
  if (scalar.kind !== 'call' || scalar.args.length === 0) return [scalar];
  const [argument] = argumentClass(scalar.function);
  const [first, ...others] = scalar.args;
  if (first === undefined || others.length > 0) throw new Unusable();
  return values(first, argument ?? null, context).map((value) => ({ ...scalar, args: [value] }));
}

function attributeValues(name: string, target: TypeClass | null, context: Context): readonly Scalar[] {
  const texts = Object.hasOwn(context.attributes, name) ? context.attributes[name] : undefined;
  if (texts === undefined || texts.length === 0) throw new Unusable();
  return [...new Set(texts)].map((text) => {
    const value = readAttribute(text, target ?? 'text');
    if (value === null) throw new Unusable();
    return value;
  });
}

function classOf(scalar: Scalar, context: Context): TypeClass | null {
  return scalarClass(scalar, context.columns) ?? null;
}

function single(scalars: readonly Scalar[]): Scalar {
  const [only, ...others] = scalars;
  if (only === undefined || others.length > 0) throw new Unusable();
  return only;
}

function holdsAttribute(scalar: Scalar): boolean {
  return scalar.kind === 'attribute' || (scalar.kind === 'call' && scalar.args.some(holdsAttribute));
}
