/** Whether the same task gives the same rows again, as long as policy and files are the same. */
import type { FunctionInfo } from '../engine/index.ts';
import type { AllowDecision, Predicate, Scalar } from '../model.ts';
import { type GatedStatement, nodesOf, type PlanEntry } from '../sql/index.ts';
import { type BindContext, type Bound, bindView } from './bind.ts';
import { isSystem } from './information-schema.ts';

/** What DuckDB calls consistent all the same: with one argument `age` counts from today, the other one draws lots. */
const INCONSISTENT: readonly string[] = ['age', 'reservoir_quantile'];
/** Values of the session and its clock, which may be written without brackets; `current_localtime` is one that DuckDB calls consistent. */
const SESSION_VALUE = /^(?:current_\w+|session_user|user|localtime|localtimestamp)$/i;

/** Lower-case names of functions whose value depends on nothing but what they are given, in every overload. */
export function consistentFunctions(functions: readonly FunctionInfo[]): ReadonlySet<string> {
  const names = new Set(functions.map(({ name }) => name.toLowerCase()));
  for (const { name, stability } of functions) if (stability !== 'CONSISTENT') names.delete(name.toLowerCase());
  for (const name of [...names]) if (INCONSISTENT.includes(name) || SESSION_VALUE.test(name)) names.delete(name);
  return names;
}

/** Without the set nothing is repeatable. */
export async function isRepeatable(
  bounds: readonly Bound[],
  entries: readonly PlanEntry[],
  functions: ReadonlySet<string> | undefined,
  context: BindContext,
): Promise<boolean> {
  if (functions === undefined || !entries.every(isVersioned)) return false;
  const views = await Promise.all(
    entries.flatMap(({ dataset }) => (dataset.source.kind === 'view' ? [bindView(dataset, dataset.source.sql, context)] : [])),
  );
  return [...bounds, ...views].every(({ gated, ast }) => isSteady(gated, ast, functions));
}

/** Tables of a database file have no version of their own. */
function isVersioned({ dataset, decision }: PlanEntry): boolean {
  return dataset.source.kind !== 'duckdb' && !isSystem(dataset) && !readsClock(decision);
}

function readsClock({ rowFilter, columns }: AllowDecision): boolean {
  const conditions = columns.map(({ treatment }) => (treatment.kind === 'masked' ? treatment.rawWhen : null));
  return [rowFilter, ...conditions].some((condition) => condition !== null && isTimed(condition));
}

function isTimed(condition: Predicate): boolean {
  switch (condition.kind) {
    case 'boolean':
      return false;
    case 'and':
    case 'or':
      return condition.operands.some(isTimed);
    case 'not':
      return isTimed(condition.operand);
    case 'compare':
      return isTimedScalar(condition.left) || isTimedScalar(condition.right);
    case 'in':
      return [condition.value, ...condition.list].some(isTimedScalar);
    default:
      return isTimedScalar(condition.value);
  }
}

function isTimedScalar(scalar: Scalar): boolean {
  return scalar.kind === 'call' && (scalar.function === 'current_date' || scalar.args.some(isTimedScalar));
}

function isSteady({ functions: called }: GatedStatement, ast: unknown, functions: ReadonlySet<string>): boolean {
  if (![...called].every((name) => functions.has(name))) return false;
  for (const node of nodesOf(ast)) {
    const [name] = Array.isArray(node['column_names']) ? node['column_names'] : [];
    if ((node['sample'] ?? null) !== null || (typeof name === 'string' && SESSION_VALUE.test(name))) return false;
  }
  return true;
}
