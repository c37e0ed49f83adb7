/**
 * SQL text and trees: the gate (deny by default over DuckDB's AST), policies and masks as SQL expressions, the private catalog of a plan.
 * Pure: no engine, no I/O, no third-party parser. Never makes a user's SQL from an AST. Sizes in bytes, places as UTF-8 byte offsets.
 * Errors: sql.empty, sql.limit, sql.refused, dataset.unknown for users; policy.invalid for stewards.
 */
export { nodesOf } from './ast.ts';
export { type ParsedCommand, parseCommand } from './command.ts';
export type { CommandNames } from './command-reader.ts';
export { ALWAYS, type Condition, filterCondition, onlyColumns } from './conditions.ts';
export { type FunctionFacts, functionAllowList } from './functions.ts';
export { type GatedStatement, gateStatement } from './gate.ts';
export { checkText, DEFAULT_SQL_LIMITS, type SqlLimits } from './limits.ts';
export { type Literal, literalOf, sampleOf, UnreadableValue, type Value } from './literals.ts';
export { supportsMask } from './masks.ts';
export { compareKeys, type Key, keepsOrder, readKey } from './ordered.ts';
export {
  findParameters,
  type Parameters,
  parsedParameters,
  sameExceptParameters,
  withLiterals,
  withMarkers,
  withNulls,
} from './parameters.ts';
export { unsafeCasts } from './plan-casts.ts';
export {
  baseName,
  buildPlanCatalog,
  INFORMATION_SCHEMA,
  type Macro,
  type PlanCatalogInput,
  type PlanEntry,
  parquetPattern,
  shownType,
  sourceRelation,
} from './plan-catalog.ts';
export { toPredicate } from './predicate.ts';
export { type QualifyTarget, qualify, qualifyView, sameExceptCatalog } from './qualify.ts';
export { identifier, qualified, replaceEnums, stringLiteral } from './quote.ts';
export { type ExpandedCatalog, expandScans, scanText } from './scan-views.ts';
export type { CatalogReference, GatedTable, GateOptions } from './walk.ts';
export { anyOf, whereConditions } from './where-conditions.ts';
