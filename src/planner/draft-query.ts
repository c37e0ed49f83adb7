/** A query → a task: gate, decisions, the private catalog, and the schema from a bind over empty tables. */
import type { Schema } from 'apache-arrow';
import type { Analyzer } from '../engine/index.ts';
import { fail } from '../errors.ts';
import type { PlanCatalog, QueryTask, Snapshot } from '../model.ts';
import {
  anyOf,
  buildPlanCatalog,
  type Condition,
  checkText,
  type PlanEntry,
  qualify,
  sameExceptCatalog,
  sameExceptParameters,
  whereConditions,
} from '../sql/index.ts';
import { schemaMessage } from '../wire/index.ts';
import { type BindContext, type Bound, bindStatement } from './bind.ts';
import { describedSchema } from './columns.ts';
import { auditOf, contextOf, type Draft, type DraftOptions, type DraftRequest, type Query } from './draft.ts';
import { withFiles, withoutFiles } from './files.ts';
import { isSystem, sessionMacros, withSystemRows } from './information-schema.ts';
import { isRepeatable } from './repeatable.ts';
import { splitStatement } from './split.ts';

export interface QueryPlan {
  readonly schema: Schema;
  readonly task: QueryTask;
  readonly entries: readonly PlanEntry[];
  /** The first text. */
  readonly bound: Bound;
}

export async function draftQuery(request: DraftRequest, query: Query, options: DraftOptions): Promise<Draft> {
  const { schema, task, entries, bound } = await planQuery(request, query, options);
  const shares = query.texts.length > 1 ? null : await planShares(request, query.texts[0], task, { ...bound, entries }, options);
  return {
    schema,
    task,
    shares,
    audit: auditOf(request.statement, request.policy.snapshot, request.rights.fingerprint(task.datasets), entries),
  };
}

/** The same statement over the governed views of some files each. */
async function planShares(
  request: DraftRequest,
  text: string,
  task: QueryTask,
  bound: Bound,
  options: DraftOptions,
): Promise<readonly QueryTask[] | null> {
  const { snapshot } = request.policy;
  const { shares } = splitStatement(bound, request.options.endpointsMax, options.split);
  if (shares === null || options.files === null) return null;
  const { defaultSchema } = task.catalog;
  return Promise.all(
    shares.map(async (parts) => {
      const entries = bound.entries.map((entry) => ({ ...entry, parts }));
      const catalog = buildPlanCatalog({ defaultSchema, entries, data: 'rows' });
      return { ...task, catalog, statements: [await governedText(text, bound, catalog.name, snapshot, options.analyzer)] };
    }),
  );
}

/** Rejects with sql.*, dataset.unknown, policy.*. */
export async function planQuery(request: DraftRequest, query: Query, options: DraftOptions): Promise<QueryPlan> {
  const { snapshot } = request.policy;
  const { form } = request.options;
  const context = contextOf(request, options);
  const [first, ...more] = await bindAll(request, query, context);
  const shapes = await withRows(withAllBarriers(first, more), request, options);
  const empty = catalogOf('empty', first, shapes, context);
  const textFor = (catalog: PlanCatalog, bound: Bound, sql: string): Promise<string> =>
    governedText(sql, bound, catalog.name, snapshot, options.analyzer);
  const description = await options.analyzer.describe(empty, await textFor(empty, first, query.texts[0]), form);
  if (description.parameterCount > 0) fail('sql.refused', 'this way of writing a parameter is not supported: write ? or $1');
  const schema = describedSchema(description, first, snapshot, request.rights);
  const datasets = shapes.map(({ dataset }) => dataset.id);
  const entries =
    options.files === null
      ? withoutFiles(shapes)
      : await withFiles(shapes, conditionsOf([first, ...more]), snapshot.connections, options.files);
  const rows = catalogOf('rows', first, entries, context);
  const repeatable = await isRepeatable([first, ...more], entries, options.consistentFunctions, context);
  const statements: string[] = [];
  for (const [i, bound] of [first, ...more].entries()) statements.push(await textFor(rows, bound, query.texts[i] ?? ''));
  return {
    schema,
    task: {
      kind: 'query',
      catalog: rows,
      statements,
      datasets,
      form,
      schema: schemaMessage(schema),
      ...(repeatable ? { repeatable } : {}),
    },
    entries,
    bound: first,
  };
}

/** One statement's rows keep the analyzer busy, but leave room for other statements between them. */
const BOUND_AT_ONCE = 4;

/** Each text goes through the gate by itself: what a constant may be depends on its value. */
async function bindAll(request: DraftRequest, query: Query, context: BindContext): Promise<readonly [Bound, ...Bound[]]> {
  const [text, ...more] = query.texts;
  const same = await templateCheck(query, context);
  const first = same(await bindStatement(text, request.rights, context));
  const rest: Bound[] = [];
  for (let at = 0; at < more.length; at += BOUND_AT_ONCE) {
    const some = more.slice(at, at + BOUND_AT_ONCE).map(async (other) => same(await bindStatement(other, request.rights, context)));
    rest.push(...(await Promise.all(some)));
  }
  return [first, ...rest];
}

/** What proves that a text differs from its template in the values of parameters only. */
export async function templateCheck({ template, texts }: Query, context: BindContext): Promise<(bound: Bound) => Bound> {
  if (texts.length === 1 && texts[0] === template) return (bound) => bound;
  checkText(template, context.limits);
  const ast = await context.analyzer.parse(template);
  return (bound) => {
    if (!sameExceptParameters(ast, bound.ast)) fail('sql.refused', 'a parameter can not stand at this place of the statement');
    return bound;
  };
}

/** All texts share one catalog, so what one of them needs, all get. */
function withAllBarriers(first: Bound, more: readonly Bound[]): readonly PlanEntry[] {
  return first.entries.map((entry, i) => ({
    ...entry,
    barrier: entry.barrier || more.some(({ entries }) => entries[i]?.barrier !== false),
  }));
}

/** What the principal sees of the catalog, where the statement asks for it. */
async function withRows(entries: readonly PlanEntry[], request: DraftRequest, options: DraftOptions): Promise<readonly PlanEntry[]> {
  if (!entries.some(({ dataset }) => isSystem(dataset))) return entries;
  const visible = await options.visible(request.policy, request.principal);
  return entries.map((entry) => withSystemRows(entry, visible));
}

/** What all of the statements leave out. */
export function conditionsOf(bounds: readonly Bound[]): ReadonlyMap<string, Condition> {
  const each = bounds.map(({ ast, gated }) => whereConditions(ast, gated));
  const named = new Set(each.flatMap((conditions) => [...conditions.keys()]));
  return new Map([...named].map((dataset) => [dataset, anyOf(each.map((conditions) => conditions.get(dataset)))]));
}

/** `empty` is for binding. */
export function catalogOf(
  data: 'rows' | 'empty',
  { gated }: Pick<Bound, 'gated'>,
  entries: readonly PlanEntry[],
  { defaultSchema, snapshot, subject }: BindContext,
): PlanCatalog {
  const macros = sessionMacros(gated.functions, { catalogName: snapshot.catalogName, subject: subject ?? '' });
  return buildPlanCatalog({ defaultSchema, entries, data, macros });
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
