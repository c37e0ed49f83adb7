/** A planned statement before its ticket is sealed. */
import { randomUUID } from 'node:crypto';
import type { Schema } from 'apache-arrow';
import type { AuditDecision } from '../audit.ts';
import type { Analyzer } from '../engine/index.ts';
import type { Principal, Snapshot, Task } from '../model.ts';
import type { Policy, PrincipalPolicy } from '../policy/index.ts';
import type { PlanEntry, SqlLimits } from '../sql/index.ts';
import { type BindContext, isConditional } from './bind.ts';
import type { PlanAudit, ResultOptions } from './types.ts';

export interface DraftOptions {
  readonly analyzer: Analyzer;
  /** Lower-case names that a statement may call. */
  readonly functions: ReadonlySet<string>;
  readonly limits: SqlLimits;
}

export interface Draft {
  /** null for a statement without rows. */
  readonly schema: Schema | null;
  readonly task: Task;
  readonly audit: PlanAudit;
}

/** One statement under the policy in force. */
export interface DraftRequest {
  readonly principal: Principal;
  /** As the client wrote it, for the audit log. */
  readonly statement: string;
  readonly policy: Policy;
  readonly rights: PrincipalPolicy;
  readonly options: ResultOptions;
}

/** A session's schema replaces the catalog's own for names without one. */
export function contextOf(snapshot: Snapshot, schema: string | null, options: DraftOptions): BindContext {
  const { analyzer, functions, limits } = options;
  return { snapshot, defaultSchema: schema ?? snapshot.defaultSchema, analyzer, functions, limits };
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
