/** Control plane: SQL + principal → plan with sealed tickets. Reads schemas, never rows. Errors: sql.*, dataset.unknown, policy.*, ticket.*. */
export type { SourceFiles } from './files.ts';
export { createListing, type ListFiles, type ListingPorts } from './listing.ts';
export { locationsOf, type PlacementNode, placementKey, rank } from './placement.ts';
export { createPlanner, type PlannerOptions } from './planner.ts';
export { consistentFunctions } from './repeatable.ts';
export { type ColumnType, type ResolvedColumns, resolveColumns, type SchemaSource } from './schemas.ts';
export { rowFunctions, type SplitRules } from './split.ts';
export type {
  Plan,
  PlanAudit,
  Planner,
  PlanRequest,
  Prepared,
  ResultOptions,
  VisibleCatalog,
  VisibleForeignKey,
  VisibleTable,
} from './types.ts';
