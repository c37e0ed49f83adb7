/** Casts that could betray hidden rows, found in plans bound over empty tables that have the shape of what is read, without any policy. */
import type { AllowDecision, Dataset } from '../model.ts';
import { buildPlanCatalog, type GatedStatement, type PlanEntry, qualify, replaceEnums, shownType, unsafeCasts } from '../sql/index.ts';
import type { BindContext, BoundView } from './bind.ts';
import { asTable, openView } from './shapes.ts';

/** Reasons in a user's statement; `hiding` are the datasets it names of which a condition hides something. */
export async function statementCasts(
  sql: string,
  gated: GatedStatement,
  entries: readonly PlanEntry[],
  hiding: readonly Dataset[],
  context: BindContext,
): Promise<readonly string[]> {
  const { snapshot, defaultSchema, analyzer } = context;
  const shapes = entries
    .filter(({ base }) => base !== true)
    .map(({ dataset, decision }): PlanEntry => ({ dataset: asShown(dataset, decision), decision: opened(decision), barrier: false }));
  const catalog = buildPlanCatalog({ defaultSchema, entries: shapes, data: 'empty' });
  const text = qualify(sql, gated, { catalogName: snapshot.catalogName, planCatalog: catalog.name });
  return unsafeCasts(await analyzer.boundPlan(catalog, text), among(hiding));
}

/** Types as the governed view gives them. */
function asShown(dataset: Dataset, decision: AllowDecision): Dataset {
  const columns = dataset.columns.map((column) => ({ ...column, type: shownType(column, decision) }));
  return { ...asTable(dataset), columns };
}

/** The same columns in sight, whatever is done to their values: treatments keep types, but for enums. */
function opened(decision: AllowDecision): AllowDecision {
  const columns = decision.columns.map((column) =>
    column.treatment.kind === 'masked' ? { ...column, treatment: { kind: 'raw' as const } } : column,
  );
  return { ...decision, rowFilter: null, columns };
}

/** A view's own text over its bases' columns as a condition shows them; the same for every reader. */
export async function viewPlan(sql: string, gated: GatedStatement, context: BindContext): Promise<unknown> {
  const { catalog, text } = openView(sql, gated, context.defaultSchema, withoutEnums);
  return context.analyzer.boundPlan(catalog, text);
}

function withoutEnums(base: Dataset): Dataset {
  return { ...base, columns: base.columns.map((column) => ({ ...column, type: replaceEnums(column.type, 'VARCHAR') })) };
}

/** Reasons in a view's text; `hiding` are its bases of which a condition hides something. */
export async function viewCasts(view: BoundView, hiding: readonly Dataset[]): Promise<readonly string[]> {
  return hiding.length === 0 ? [] : unsafeCasts(await view.plan(), among(hiding));
}

/** The plan names a table by its source layer. */
function among(datasets: readonly Dataset[]): (schema: string, table: string) => boolean {
  const names = new Set(datasets.map(({ schema, name }) => `${schema}.${name}`.toLowerCase()));
  return (_schema, table) => names.has(table.toLowerCase());
}
