/** The catalog as one principal may see it, for Flight SQL's metadata commands. */
import { Schema } from 'apache-arrow';
import type { Analyzer } from '../engine/index.ts';
import type { Dataset, Principal, Snapshot } from '../model.ts';
import { compareText } from '../names.ts';
import type { Policy, PrincipalPolicy } from '../policy/index.ts';
import { buildPlanCatalog, qualified } from '../sql/index.ts';
import { withRemarks } from './column-metadata.ts';
import { hiddenColumns, visibleKeys } from './keys.ts';
import { allRaw, asTable } from './shapes.ts';
import type { VisibleCatalog, VisibleTable } from './types.ts';

/** Arrow schemas are computed once per dataset, whoever asks: tables that principals make leave all others as they were. */
export function createVisibleCatalogs(analyzer: Analyzer): (policy: Policy, principal: Principal) => Promise<VisibleCatalog> {
  const cached = new WeakMap<Dataset, Promise<Schema>>();
  const schemaOf = (dataset: Dataset): Promise<Schema> => {
    const schema = cached.get(dataset) ?? describeDataset(analyzer, dataset);
    cached.set(dataset, schema);
    schema.catch(() => cached.delete(dataset));
    return schema;
  };
  return async (policy, principal) => {
    const { snapshot } = policy;
    const rights = await policy.forPrincipal(principal);
    const visible = snapshot.datasets.filter((dataset) => rights.mayDescribe(dataset) && dataset.columns.length > 0);
    const tables = await Promise.all(visible.map(async (dataset) => toTable(dataset, rights, await schemaOf(dataset), snapshot)));
    const { catalogName, defaultSchema } = snapshot;
    return {
      catalogName,
      ...(visible.some(({ schema }) => schema === defaultSchema) ? { defaultSchema } : {}),
      tables: tables.sort((a, b) => compareText(a.schema, b.schema) || compareText(a.name, b.name)),
    };
  };
}

async function describeDataset(analyzer: Analyzer, dataset: Dataset): Promise<Schema> {
  const table = asTable(dataset);
  const catalog = buildPlanCatalog({
    defaultSchema: dataset.schema,
    entries: [{ dataset: table, decision: allRaw(table), base: false, barrier: false }],
    data: 'empty',
  });
  const { schema } = await analyzer.describe(catalog, `SELECT * FROM ${qualified(dataset.schema, dataset.name)}`);
  return schema;
}

function toTable(dataset: Dataset, rights: PrincipalPolicy, schema: Schema, snapshot: Snapshot): VisibleTable {
  const hidden = hiddenColumns(rights, dataset);
  const kept = dataset.columns.map((column, i) => ({ column, field: schema.fields[i] })).filter(({ column }) => !hidden.has(column.name));
  const fields = kept.flatMap(({ column, field }) =>
    field === undefined ? [] : [withRemarks(field, { catalogName: snapshot.catalogName, dataset, column })],
  );
  return {
    schema: dataset.schema,
    name: dataset.name,
    type: dataset.source.kind === 'view' ? 'VIEW' : 'TABLE',
    description: dataset.description ?? '',
    columns: kept.map(({ column }) => column),
    arrow: new Schema(fields),
    ...visibleKeys(dataset, rights, snapshot),
  };
}
