/** Datasets and decisions reduced to their columns, to describe shapes over empty tables; they never reach a plan. */
import type { AllowDecision, Dataset, PlanCatalog } from '../model.ts';
import { buildPlanCatalog, type GatedStatement, type PlanEntry, qualifyView } from '../sql/index.ts';

/** A view stands in as a table of its columns. */
export function asTable(dataset: Dataset): Dataset {
  if (dataset.source.kind !== 'view') return dataset;
  return { ...dataset, source: { kind: 'parquet', connection: '', path: '', hivePartitioning: false } };
}

/** A decision without conditions, to describe shapes; it never reaches a plan. */
export function allRaw(dataset: Dataset): AllowDecision {
  return {
    effect: 'allow',
    dataset: dataset.id,
    rowFilter: null,
    columns: dataset.columns.map(({ name }) => ({ name, treatment: { kind: 'raw' }, rules: [], reason: '' })),
    roles: [],
    grants: [],
    rules: [],
  };
}

/** A steward's view text over its bases' raw columns, without rows; the same for every reader. `shape` may change a base's types. */
export function openView(
  sql: string,
  gated: GatedStatement,
  defaultSchema: string,
  shape: (base: Dataset) => Dataset = (base) => base,
): { readonly catalog: PlanCatalog; readonly text: string } {
  const entries = gated.datasets.map(
    (base): PlanEntry => ({ dataset: asTable(shape(base)), decision: allRaw(base), base: true, barrier: false }),
  );
  const catalog = buildPlanCatalog({ defaultSchema, entries, data: 'empty' });
  return { catalog, text: qualifyView(sql, gated, catalog.name) };
}
