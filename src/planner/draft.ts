/** A planned statement before its ticket is sealed. */
import { randomUUID } from 'node:crypto';
import type { Schema } from 'apache-arrow';
import type { AuditDecision } from '../audit.ts';
import type { Analyzer } from '../engine/index.ts';
import { fail } from '../errors.ts';
import type { Principal, QueryTask, Snapshot, Task } from '../model.ts';
import type { Policy, PrincipalPolicy } from '../policy/index.ts';
import type { PlanEntry, SqlLimits } from '../sql/index.ts';
import { type BindContext, isConditional } from './bind.ts';
import type { SourceFiles } from './files.ts';
import type { SplitRules } from './split.ts';
import type { PlanAudit, ResultOptions, VisibleCatalog } from './types.ts';

export interface DraftOptions {
  readonly analyzer: Analyzer;
  /** Lower-case names that a statement may call. */
  readonly functions: ReadonlySet<string>;
  readonly limits: SqlLimits;
  /** null: a draft for its schema, not to be run. */
  readonly files: SourceFiles | null;
  readonly split: SplitRules;
  /** From `consistentFunctions`; left out = no task counts as repeatable. */
  readonly consistentFunctions?: ReadonlySet<string>;
  readonly visible: (policy: Policy, principal: Principal) => Promise<VisibleCatalog>;
}

export interface Draft {
  /** null for a statement without rows. */
  readonly schema: Schema | null;
  readonly task: Task;
  /** What together, in order, is the task; null = it is not split. */
  readonly shares?: readonly QueryTask[] | null;
  readonly audit: PlanAudit;
}

/** One statement under the policy in force. */
export interface DraftRequest {
  readonly principal: Principal;
  /** As the client wrote it. */
  readonly statement: string;
  readonly policy: Policy;
  readonly rights: PrincipalPolicy;
  readonly options: ResultOptions;
}

/** The query part of a statement. */
export interface Query {
  /** As written; its parameters are what may differ in the texts. */
  readonly template: string;
  /** What runs, one after the other. */
  readonly texts: readonly [string, ...string[]];
}

/** Schemas of DuckDB itself and of plans' own layers. */
const RESERVED_SCHEMA = /^(?:__|pg_|sqlite_|information_schema$|main$)/i;

/** A session's schema replaces the catalog's own for names without one. */
export function contextOf({ policy, principal, options: { schema } }: DraftRequest, options: DraftOptions): BindContext {
  const { analyzer, functions, limits } = options;
  const { snapshot } = policy;
  return { snapshot, defaultSchema: defaultSchemaOf(snapshot, schema), subject: principal.subject, analyzer, functions, limits };
}

/** Schemas that do not exist pass: hidden ones must look the same. */
export function defaultSchemaOf(snapshot: Snapshot, schema: string | null): string {
  if (schema === null) return snapshot.defaultSchema;
  const known = snapshot.datasets.some((dataset) => dataset.schema === schema);
  if (!known && (RESERVED_SCHEMA.test(schema) || !/^[\p{L}\p{N}_][\p{L}\p{N}\p{P}\p{S} ]{0,254}$/u.test(schema)))
    fail('dataset.unknown', "the session's schema does not exist");
  return schema;
}

export function auditOf(statement: string, snapshot: Snapshot, fingerprint: string, entries: readonly PlanEntry[]): PlanAudit {
  return { queryId: randomUUID(), statement, epoch: snapshot.epoch, fingerprint, decisions: entries.map(toAuditDecision) };
}

function toAuditDecision({ dataset, decision, barrier }: PlanEntry): AuditDecision {
  const whole = !isConditional(decision) && decision.columns.every(({ treatment }) => treatment.kind === 'raw');
  return {
    dataset: `${dataset.schema}.${dataset.name}`,
    effect: whole ? 'allow' : 'conditional',
    grants: decision.grants,
    rules: [...new Set([...decision.rules, ...decision.columns.flatMap(({ rules }) => rules)])],
    path: barrier ? 'barrier' : 'plain',
  };
}
