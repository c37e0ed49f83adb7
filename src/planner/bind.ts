/** Statement → the datasets it touches, each with its decision and whether it needs the barrier. */
import type { Analyzer } from '../engine/index.ts';
import { fail } from '../errors.ts';
import type { AllowDecision, Dataset, Decision, Snapshot } from '../model.ts';
import { foldName } from '../names.ts';
import type { PrincipalPolicy } from '../policy/index.ts';
import { checkText, type GatedStatement, gateStatement, type PlanEntry, qualifyView, type SqlLimits } from '../sql/index.ts';
import { statementCasts, viewCasts, viewPlan } from './casts.ts';
import { isSystem, systemDataset, systemEntry } from './information-schema.ts';
import { allRaw } from './shapes.ts';
import { createSnapshotCache } from './snapshot-cache.ts';

const VIEW_DEPTH_MAX = 16;

/** What binding needs besides the statement. */
export interface BindContext {
  readonly snapshot: Snapshot;
  /** For names without a schema. */
  readonly defaultSchema: string;
  /** Whose own tables names can mean; null = nobody's. */
  readonly subject: string | null;
  readonly analyzer: Analyzer;
  readonly functions: ReadonlySet<string>;
  readonly limits: SqlLimits;
}

/** A statement bound to the catalog under one principal's policy. */
export interface Bound {
  readonly gated: GatedStatement;
  readonly ast: unknown;
  /** Bases before the views over them; every entry is readable. */
  readonly entries: readonly PlanEntry[];
  /** Datasets that the statement names itself, denied ones only when `showDenied`. */
  readonly decisions: readonly Decision[];
  /** Why the barrier is or is not needed, in words. */
  readonly barrierReason: string;
}

/** `showDenied`: an auditor's EXPLAIN lists denials instead of failing. Rejects with sql.*, dataset.unknown, policy.denied. */
export async function bindStatement(
  sql: string,
  policy: PrincipalPolicy,
  context: BindContext,
  showDenied: boolean = false,
): Promise<Bound> {
  checkText(sql, context.limits);
  const ast = await context.analyzer.parse(sql);
  const gated = gateStatement(ast, {
    resolve: (parts) =>
      systemDataset(parts, context.snapshot.catalogName) ??
      (showDenied ? findDataset(context, parts) : resolveReadable(parts, policy, context)),
    functions: context.functions,
    session: true,
    limits: context.limits,
  });
  const decisions = gated.datasets.map((dataset) => (isSystem(dataset) ? allRaw(dataset) : policy.decide(dataset)));
  const expansion = new Expansion(policy, context);
  for (const [i, dataset] of gated.datasets.entries()) {
    const decision = decisions[i];
    if (isSystem(dataset)) expansion.addSystem(dataset);
    else if (decision?.effect === 'allow') await expansion.add(dataset, decision, []);
  }
  return { gated, ast, decisions, ...(await withBarriers(sql, gated, expansion, context)) };
}

/** Names are matched as DuckDB does, without case; null looks the same for hidden and missing. */
/** Of tables that several principals gave one name, only one's own counts. */
export function findDataset(
  { snapshot, defaultSchema, subject }: Pick<BindContext, 'snapshot' | 'defaultSchema' | 'subject'>,
  parts: readonly string[],
): Dataset | null {
  const folded = parts.map(foldName);
  if (folded.length === 3 && folded.shift() !== foldName(snapshot.catalogName)) return null;
  if (folded.length === 1) folded.unshift(foldName(defaultSchema));
  if (folded.length !== 2) return null;
  const found = nameIndex(snapshot).get(JSON.stringify(folded)) ?? [];
  return found.find(({ owner }) => owner === undefined || owner.subject === subject) ?? null;
}

function resolveReadable(parts: readonly string[], policy: PrincipalPolicy, context: BindContext): Dataset | null {
  const dataset = findDataset(context, parts);
  if (dataset === null) return null;
  const decision = policy.decide(dataset);
  if (decision.effect === 'allow') return dataset;
  if (dataset.owner !== undefined && policy.mayDescribe(dataset))
    fail('policy.denied', `${dataset.schema}.${dataset.name}: ${decision.reason}`);
  if (policy.mayDescribe(dataset))
    fail('policy.denied', `you may see that ${dataset.schema}.${dataset.name} exists, but not read its rows; ask for the select right`);
  return null;
}

const indexes = new WeakMap<Snapshot, ReadonlyMap<string, readonly Dataset[]>>();

function nameIndex(snapshot: Snapshot): ReadonlyMap<string, readonly Dataset[]> {
  let index = indexes.get(snapshot);
  if (index === undefined) {
    const byName = new Map<string, Dataset[]>();
    for (const dataset of snapshot.datasets) {
      const key = JSON.stringify([foldName(dataset.schema), foldName(dataset.name)]);
      byName.set(key, [...(byName.get(key) ?? []), dataset]);
    }
    index = byName;
    indexes.set(snapshot, index);
  }
  return index;
}

export interface BoundView {
  readonly sql: string;
  readonly ast: unknown;
  readonly gated: GatedStatement;
  /** Bound over its bases' raw columns, at the first use. */
  readonly plan: () => Promise<unknown>;
}

const boundViews = createSnapshotCache<Promise<BoundView>>();

/** A steward's view, parsed and gated once per snapshot; it may name any dataset, the caller decides each. A reader's schema is not its own. */
export function bindView(dataset: Dataset, sql: string, context: BindContext): Promise<BoundView> {
  return boundViews(context.snapshot, dataset.id, () =>
    gateView(sql, { ...context, defaultSchema: context.snapshot.defaultSchema, subject: null }),
  );
}

async function gateView(sql: string, context: BindContext): Promise<BoundView> {
  checkText(sql, context.limits);
  const ast = await context.analyzer.parse(sql);
  const resolve = (parts: readonly string[]): Dataset | null => findDataset(context, parts);
  const gated = gateStatement(ast, { resolve, functions: context.functions, limits: context.limits });
  let plan: Promise<unknown> | undefined;
  return {
    sql,
    ast,
    gated,
    plan: () => {
      plan ??= viewPlan(sql, gated, context).catch((error: unknown) => {
        plan = undefined;
        throw error;
      });
      return plan;
    },
  };
}

/** Collects what a statement names and, for views, everything below it. */
class Expansion {
  /** By name and by base: a view reads its bases by another right than the reader's own. */
  readonly entries = new Map<string, PlanEntry>();
  /** Views whose own text is not leakproof; what stands in it is not the reader's to know. */
  readonly notLeakproof: string[] = [];
  /** By entry: whether the policy hides rows or cells of it on a condition, also through what a view stands on. */
  readonly #hides = new Map<string, boolean>();
  readonly #policy: PrincipalPolicy;
  readonly #context: BindContext;

  constructor(policy: PrincipalPolicy, context: BindContext) {
    this.#policy = policy;
    this.#context = context;
  }

  /** `path`: the views above this dataset, outermost first. Whether a condition hides some of what the dataset holds. */
  async add(dataset: Dataset, decision: AllowDecision, path: readonly string[]): Promise<boolean> {
    const base = path.length > 0;
    const key = keyOf(dataset, base);
    const known = this.#hides.get(key);
    if (known !== undefined) return known;
    if (path.includes(dataset.id) || path.length > VIEW_DEPTH_MAX)
      fail('policy.invalid', 'a view refers to itself or is nested too deep; ask the data steward');
    const entry = { dataset, decision, base, barrier: false };
    let hides = isConditional(decision);
    if (dataset.source.kind === 'view') {
      const view = await bindView(dataset, dataset.source.sql, this.#context);
      hides = (await this.#addBases(view, dataset, path)) || hides;
      this.entries.set(key, { ...entry, viewSql: (catalog) => qualifyView(view.sql, view.gated, catalog) });
    } else {
      this.entries.set(key, entry);
    }
    this.#hides.set(key, hides);
    return hides;
  }

  addSystem(dataset: Dataset): void {
    this.entries.set(keyOf(dataset, true), systemEntry(dataset));
  }

  /** Datasets that the statement names and that hide something. */
  hiding(): readonly Dataset[] {
    return [...this.entries].filter(([key, { base }]) => base !== true && this.#hides.get(key) === true).map(([, { dataset }]) => dataset);
  }

  async #addBases(view: BoundView, dataset: Dataset, path: readonly string[]): Promise<boolean> {
    const hiding: Dataset[] = [];
    for (const below of view.gated.datasets) if (await this.#addBase(below, [...path, dataset.id])) hiding.push(below);
    if (!view.gated.leakproof || (await viewCasts(view, hiding)).length > 0)
      this.notLeakproof.push(path.length > 0 ? 'a view below' : `the view ${dataset.schema}.${dataset.name}`);
    return hiding.length > 0;
  }

  async #addBase(base: Dataset, path: readonly string[]): Promise<boolean> {
    const decision = this.#policy.decideThroughView(base);
    if (decision.effect === 'deny') fail('policy.invalid', 'a view refers to a dataset that can not be read; ask the data steward');
    return this.add(base, decision, path);
  }
}

function keyOf(dataset: Dataset, base: boolean): string {
  return `${base ? 'base' : 'named'} ${dataset.id}`;
}

/** Rows or cells depend on raw values: user expressions must not see them before the policy did. */
export function isConditional(decision: AllowDecision): boolean {
  return decision.rowFilter !== null || decision.columns.some(({ treatment }) => treatment.kind === 'masked' && treatment.rawWhen !== null);
}

async function withBarriers(
  sql: string,
  gated: GatedStatement,
  expansion: Expansion,
  context: BindContext,
): Promise<Pick<Bound, 'entries' | 'barrierReason'>> {
  const entries = [...expansion.entries.values()];
  if (!entries.some(({ decision }) => isConditional(decision))) return { entries, barrierReason: 'no row depends on a policy condition' };
  const parts = [...new Set([...gated.notLeakproof, ...expansion.notLeakproof])];
  const reasons = parts.length > 0 ? parts : await statementCasts(sql, gated, entries, expansion.hiding(), context);
  if (reasons.length === 0) return { entries, barrierReason: 'every expression of the query is leakproof' };
  return {
    entries: entries.map((entry) => ({ ...entry, barrier: isConditional(entry.decision) })),
    barrierReason: `not leakproof: ${reasons.slice(0, 5).join(', ')}`,
  };
}
