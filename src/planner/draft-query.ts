/** A query → a task: gate, decisions, the private catalog, and the schema from a bind over empty tables. */
import type { Schema } from 'apache-arrow';
import type { Analyzer } from '../engine/index.ts';
import { fail } from '../errors.ts';
import type { PlanCatalog, QueryTask, Snapshot } from '../model.ts';
import { buildPlanCatalog, type PlanEntry, qualify, sameExceptCatalog } from '../sql/index.ts';
import { type BindContext, type Bound, bindStatement } from './bind.ts';
import { auditOf, contextOf, type Draft, type DraftOptions, type DraftRequest } from './draft.ts';

export interface QueryPlan {
  readonly schema: Schema;
  readonly task: QueryTask;
  readonly entries: readonly PlanEntry[];
}

export async function draftQuery(request: DraftRequest, sql: string, options: DraftOptions): Promise<Draft> {
  const { schema, task, entries } = await planQuery(request, sql, options);
  return { schema, task, audit: auditOf(request.statement, request.policy.snapshot, request.rights.fingerprint(task.datasets), entries) };
}

/** Rejects with sql.*, dataset.unknown, policy.*. */
export async function planQuery(request: DraftRequest, sql: string, options: DraftOptions): Promise<QueryPlan> {
  const { snapshot } = request.policy;
  const context = contextOf(snapshot, request.options.schema, options);
  const bound = await bindStatement(sql, request.rights, context);
  const [empty, rows] = catalogsOf(bound.entries, context);
  const textFor = (catalog: PlanCatalog): Promise<string> => governedText(sql, bound, catalog.name, snapshot, options.analyzer);
  const description = await options.analyzer.describe(empty, await textFor(empty));
  if (description.parameterCount > 0) fail('request.unimplemented', 'parameters are not supported; write the values into the statement');
  const datasets = bound.entries.map(({ dataset }) => dataset.id);
  const { schema, schemaHeader } = description;
  const statements = [await textFor(rows)];
  return {
    schema,
    task: { kind: 'query', catalog: rows, statements, datasets, form: request.options.form, schema: schemaHeader },
    entries: bound.entries,
  };
}

function catalogsOf(entries: readonly PlanEntry[], { defaultSchema }: BindContext): readonly [PlanCatalog, PlanCatalog] {
  const build = (data: 'rows' | 'empty'): PlanCatalog => buildPlanCatalog({ defaultSchema, entries, data });
  return [build('empty'), build('rows')];
}

/** The user's own text; only the catalog part of qualified names changes, and a second parse proves it. */
async function governedText(sql: string, bound: Bound, planCatalog: string, snapshot: Snapshot, analyzer: Analyzer): Promise<string> {
  const names = { catalogName: snapshot.catalogName, planCatalog };
  const governed = qualify(sql, bound.gated, names);
  if (governed === sql) return sql;
  if (!sameExceptCatalog(bound.ast, await analyzer.parse(governed), names))
    fail('sql.refused', 'this use of the catalog name can not be planned; write schema.table instead');
  return governed;
}
