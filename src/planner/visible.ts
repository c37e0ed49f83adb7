/** The catalog as one principal may see it, for Flight SQL's metadata commands. */
import { Field, Schema } from 'apache-arrow';
import type { Analyzer } from '../engine/index.ts';
import type { Column, Dataset, Principal, Snapshot } from '../model.ts';
import type { Policy, PrincipalPolicy } from '../policy/index.ts';
import { buildPlanCatalog, qualified } from '../sql/index.ts';
import { allRaw, asTable } from './shapes.ts';
import { createSnapshotCache } from './snapshot-cache.ts';
import type { VisibleCatalog, VisibleTable } from './types.ts';

/** Arrow schemas are computed once per snapshot and dataset, whoever asks. */
export function createVisibleCatalogs(analyzer: Analyzer): (policy: Policy, principal: Principal) => Promise<VisibleCatalog> {
  const cached = createSnapshotCache<Promise<Schema>>();
  const schemaOf = (snapshot: Snapshot, dataset: Dataset): Promise<Schema> =>
    cached(snapshot, dataset.id, () => describeDataset(analyzer, dataset));
  return async (policy, principal) => {
    const { snapshot } = policy;
    const rights = await policy.forPrincipal(principal);
    const visible = snapshot.datasets.filter((dataset) => rights.mayDescribe(dataset) && dataset.columns.length > 0);
    const tables = await Promise.all(visible.map(async (dataset) => toTable(dataset, rights, await schemaOf(snapshot, dataset), snapshot)));
    return { catalogName: snapshot.catalogName, tables: tables.sort((a, b) => compare(a.schema, b.schema) || compare(a.name, b.name)) };
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
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
  const decision = rights.decide(dataset);
  const hidden = new Set(
    decision.effect === 'allow' ? decision.columns.filter(({ treatment }) => treatment.kind === 'hidden').map(({ name }) => name) : [],
  );
  const kept = dataset.columns.map((column, i) => ({ column, field: schema.fields[i] })).filter(({ column }) => !hidden.has(column.name));
  const fields = kept.flatMap(({ column, field }) => (field === undefined ? [] : [withMetadata(field, column, dataset, snapshot)]));
  return {
    schema: dataset.schema,
    name: dataset.name,
    type: dataset.source.kind === 'view' ? 'VIEW' : 'TABLE',
    description: dataset.description ?? '',
    columns: kept.map(({ column }) => column),
    arrow: new Schema(fields),
    primaryKey: [],
    foreignKeys: [],
  };
}

/** Column metadata keys of FlightSql.proto; booleans are "1" or "0". */
function withMetadata(field: Field, column: Column, dataset: Dataset, snapshot: Snapshot): Field {
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(column.type);
  const remarks = [column.description, column.tags.length > 0 ? `tags: ${column.tags.join(', ')}` : undefined].filter(
    (part) => part !== undefined,
  );
  const metadata = new Map([
    ['ARROW:FLIGHT:SQL:CATALOG_NAME', snapshot.catalogName],
    ['ARROW:FLIGHT:SQL:DB_SCHEMA_NAME', dataset.schema],
    ['ARROW:FLIGHT:SQL:TABLE_NAME', dataset.name],
    ['ARROW:FLIGHT:SQL:TYPE_NAME', column.type],
    ['ARROW:FLIGHT:SQL:IS_READ_ONLY', '1'],
    ['ARROW:FLIGHT:SQL:IS_SEARCHABLE', '1'],
    ['ARROW:FLIGHT:SQL:IS_AUTO_INCREMENT', '0'],
    ['ARROW:FLIGHT:SQL:IS_CASE_SENSITIVE', /CHAR|TEXT/.test(column.type) ? '1' : '0'],
    ...(decimal === null
      ? []
      : ([
          ['ARROW:FLIGHT:SQL:PRECISION', decimal[1] ?? ''],
          ['ARROW:FLIGHT:SQL:SCALE', decimal[2] ?? ''],
        ] as const)),
    ...(remarks.length === 0 ? [] : ([['ARROW:FLIGHT:SQL:REMARKS', remarks.join('; ')]] as const)),
  ]);
  return new Field(field.name, field.type, field.nullable, metadata);
}
