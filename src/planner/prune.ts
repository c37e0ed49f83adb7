/** Whether rows of a file can fulfil a condition, by what is known of its values without opening it. */
import { type Condition, compareKeys, type Key } from '../sql/index.ts';

/** Every value that is not NULL lies within [min, max]; both are null when there is none. */
export interface Fact {
  readonly min: Key | null;
  readonly max: Key | null;
  readonly hasNull: boolean;
}

/** Of the rows of both. */
export function united(a: Fact, b: Fact): Fact {
  const hasNull = a.hasNull || b.hasNull;
  if (a.min === null || a.max === null) return { ...b, hasNull };
  if (b.min === null || b.max === null) return { ...a, hasNull };
  return { min: compareKeys(a.min, b.min) <= 0 ? a.min : b.min, max: compareKeys(a.max, b.max) >= 0 ? a.max : b.max, hasNull };
}

/** By folded column name; null = nothing is known. */
export type Facts = (column: string) => Fact | null;

/** Of the rows that the facts are of: whether one may fulfil the condition, and whether one may not. */
export interface Outcome {
  readonly holds: boolean;
  readonly fails: boolean;
}

const UNKNOWN: Outcome = { holds: true, fails: true };

export function outcomeOf(condition: Condition, facts: Facts): Outcome {
  switch (condition.kind) {
    case 'any':
      return UNKNOWN;
    case 'and':
    case 'or':
      return joined(condition.kind, condition.of, facts);
    default: {
      const fact = facts(condition.column);
      return fact === null ? UNKNOWN : leafOutcome(condition, fact);
    }
  }
}

function joined(kind: 'and' | 'or', of: readonly Condition[], facts: Facts): Outcome {
  const outcomes = of.map((each) => outcomeOf(each, facts));
  return kind === 'and'
    ? { holds: outcomes.every(({ holds }) => holds), fails: outcomes.some(({ fails }) => fails) }
    : { holds: outcomes.some(({ holds }) => holds), fails: outcomes.every(({ fails }) => fails) };
}

type Leaf = Exclude<Condition, { kind: 'any' | 'and' | 'or' }>;

function leafOutcome(leaf: Leaf, { min, max, hasNull }: Fact): Outcome {
  if (leaf.kind === 'isNull') return { holds: hasNull, fails: min !== null };
  if (leaf.kind === 'isNotNull') return { holds: min !== null, fails: hasNull };
  // A comparison with NULL is not true.
  if (min === null || max === null) return { holds: false, fails: true };
  const { holds, fails } = rangeOutcome(leaf, min, max);
  return { holds, fails: fails || hasNull };
}

function rangeOutcome(leaf: Exclude<Leaf, { kind: 'isNull' | 'isNotNull' }>, min: Key, max: Key): Outcome {
  if (leaf.kind === 'in') return inOutcome(leaf.keys, min, max);
  if (leaf.kind === 'prefix') return prefixOutcome(leaf.text, min, max);
  const low = compareKeys(min, leaf.key);
  const high = compareKeys(max, leaf.key);
  const within = low <= 0 && high >= 0;
  const only = low === 0 && high === 0;
  switch (leaf.op) {
    case '=':
      return { holds: within, fails: !only };
    case '<>':
      return { holds: !only, fails: within };
    case '<':
      return { holds: low < 0, fails: high >= 0 };
    case '<=':
      return { holds: low <= 0, fails: high > 0 };
    case '>':
      return { holds: high > 0, fails: low <= 0 };
    case '>=':
      return { holds: high >= 0, fails: low < 0 };
  }
}

/** `keys` are in order. */
function inOutcome(keys: readonly Key[], min: Key, max: Key): Outcome {
  let from = 0;
  let to = keys.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareKeys(keys[middle] ?? min, min) < 0) from = middle + 1;
    else to = middle;
  }
  const next = keys[from];
  const holds = next !== undefined && compareKeys(next, max) <= 0;
  return { holds, fails: !(holds && compareKeys(min, max) === 0) };
}

/** Texts with the prefix follow each other, beginning at the prefix itself. */
function prefixOutcome(prefix: string, min: Key, max: Key): Outcome {
  if (typeof min !== 'string' || typeof max !== 'string') return UNKNOWN;
  const holds = compareKeys(max, prefix) >= 0 && (min.startsWith(prefix) || compareKeys(min, prefix) < 0);
  return { holds, fails: !(min.startsWith(prefix) && max.startsWith(prefix)) };
}
