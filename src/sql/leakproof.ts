/**
 * Whether a statement could fail, or answer differently, because of values that a filter hides (docs/decisions/002).
 * DuckDB may run a user's expression on rows before the policy's filter has removed them, and over whole Parquet dictionaries, when it
 * believes that the expression can't fail. So only expressions known never to fail keep the plain view.
 */

import type { Dataset } from '../model.ts';
import { child, constantOf, isObject, type Json, nodesOf, object, objects, text } from './ast.ts';
import { AGGREGATES, ALWAYS, type ArgumentRule, OPERATORS, WITH_CONSTANTS } from './leakproof-list.ts';
import { definitionsOf } from './names.ts';
import { boundedAmount, boundedInterval, kindOf, type Names, plainTemporal, solveNames } from './value-kind.ts';

/** Reasons why the statement is not leakproof; empty when it is. */
export function classify(root: Json, datasets: readonly Dataset[]): readonly string[] {
  const reasons = new Set<string>();
  const names = solveNames(definitionsOf(root, datasets));
  for (const node of nodesOf(root)) {
    const reason = reasonOf(node, names);
    if (reason !== null) reasons.add(reason);
  }
  return [...reasons];
}

function reasonOf(node: Json, names: Names): string | null {
  switch (node['class']) {
    case 'FUNCTION':
      return callReason(node, names);
    case 'WINDOW':
      return AGGREGATES.has(text(node['function_name']).toLowerCase()) ? null : `window ${text(node['function_name'])}`;
    case 'LAMBDA':
      return 'lambda';
    case 'OPERATOR':
      return operatorReason(node);
    default:
      return node['type'] === 'SHOW_REF' && node['show_type'] !== 'DESCRIBE' ? 'SUMMARIZE' : null;
  }
}

function operatorReason(node: Json): string | null {
  const type = text(node['type']);
  if (OPERATORS.has(type)) return null;
  const [, index] = objects(node, 'children');
  if (type === 'ARRAY_EXTRACT' && index !== undefined && isSmallConstant(index)) return null;
  return `operator ${type}`;
}

function callReason(node: Json, names: Names): string | null {
  const called = text(node['function_name']).toLowerCase();
  if (ALWAYS.has(called) || AGGREGATES.has(called)) return null;
  const args = objects(node, 'children');
  if (isArithmetic(called)) return arithmeticReason(called, args, names);
  const rules = Object.hasOwn(WITH_CONSTANTS, called) ? WITH_CONSTANTS[called] : undefined;
  if (rules?.some((rule) => satisfies(args, rule, names))) return null;
  return `function ${called}`;
}

function isArithmetic(called: string): boolean {
  return ['+', '-', '*', '/', '%', '//', 'add', 'subtract', 'multiply', 'divide', 'mod'].includes(called);
}

/** Numbers overflow with a flag that DuckDB honours; dates and intervals without one. */
function arithmeticReason(called: string, args: readonly Json[], names: Names): string | null {
  const kinds = args.map((arg) => kindOf(arg, names));
  if (kinds.every((kind) => kind === 'number')) return null;
  const [left, right] = args;
  if (left !== undefined && right !== undefined && (called === '+' || called === '-')) {
    if (plainTemporal(left, names) && boundedInterval(right)) return null;
    if (called === '+' && plainTemporal(right, names) && boundedInterval(left)) return null;
    if (called === '-' && plainTemporal(left, names) && plainTemporal(right, names)) return null;
  }
  return `${called} over values that may not be numbers`;
}

function satisfies(args: readonly Json[], rule: readonly ArgumentRule[], names: Names): boolean {
  return (
    args.length === rule.length &&
    rule.every((need, index) => {
      const arg = args[index];
      return arg !== undefined && meets(arg, need, names);
    })
  );
}

function meets(arg: Json, need: ArgumentRule, names: Names): boolean {
  if (need === 'any') return true;
  if (need === 'text' || need === 'number') return kindOf(arg, names) === need;
  if (need === 'date') return plainTemporal(arg, names);
  if (need === 'small') return isSmallConstant(arg);
  if (need === 'interval') return boundedAmount(arg);
  const value = constantOf(arg);
  return typeof value === 'string' && need.test(value);
}

/** A size, place or digit count that no function rejects. */
function isSmallConstant(node: Json): boolean {
  const inner = node['class'] === 'FUNCTION' && node['function_name'] === '-' ? objects(node, 'children')[0] : node;
  const value = inner === undefined ? undefined : constantOf(inner);
  const type = node['class'] === 'CONSTANT' ? object(child(node, 'value') ?? {})['type'] : undefined;
  if (isObject(type) && type['id'] !== 'INTEGER') return false;
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 65_536;
}
