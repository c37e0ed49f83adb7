/** SQL + principal → sealed tickets. Reads no data rows (invariant I4). */
import { randomUUID } from 'node:crypto';
import { type Schema, tableToIPC } from 'apache-arrow';
import type { AuditDecision } from '../audit.ts';
import type { Analyzer } from '../engine/index.ts';
import { fail } from '../errors.ts';
import type { PlanCatalog, Principal, Snapshot, Task } from '../model.ts';
import type { Policy, PrincipalPolicy } from '../policy/index.ts';
import { buildPlanCatalog, type PlanEntry, qualify, type SqlLimits, sameExceptCatalog } from '../sql/index.ts';
import { decodePrepared, encodePrepared, encodeTicket, inlineFingerprint, type Sealer } from '../wire/index.ts';
import { type BindContext, type Bound, bindStatement, isConditional } from './bind.ts';
import { explainTable, parseExplain } from './explain.ts';
import type { Plan, PlanAudit, Planner, PlanRequest } from './types.ts';
import { createVisibleCatalogs } from './visible.ts';

export interface PlannerOptions {
  readonly analyzer: Analyzer;
  /** Lower-case names that a statement may call. */
  readonly functions: ReadonlySet<string>;
  readonly limits: SqlLimits;
  /** The policy in force now; its snapshot is the catalog in force. */
  readonly policy: () => Promise<Policy>;
  readonly sealer: Sealer;
  readonly cluster: string;
  readonly ticketTtlMs: number;
  /** Drivers keep prepared statements as long as their connection. */
  readonly preparedTtlMs: number;
  readonly now?: () => number;
}

/** A planned statement before its ticket is sealed. */
interface Draft {
  readonly schema: Schema;
  readonly task: Task;
  readonly audit: PlanAudit;
}

export function createPlanner(options: PlannerOptions): Planner {
  const now = options.now ?? Date.now;
  const visibleCatalogOf = createVisibleCatalogs(options.analyzer);
  const draft = async (request: PlanRequest): Promise<Draft> => {
    const policy = await options.policy();
    const rights = await policy.forPrincipal(request.principal);
    const explain = parseExplain(request.sql);
    return explain === null
      ? draftQuery(request, policy.snapshot, rights, options)
      : draftExplain(request, explain, policy, rights, options);
  };
  const plan = async (request: PlanRequest): Promise<Plan> => {
    const { schema, task, audit } = await draft(request);
    const expiresAtMs = now() + options.ticketTtlMs;
    const ticket = encodeTicket({
      cluster: options.cluster,
      queryId: audit.queryId,
      taskId: 0,
      subject: request.principal.subject,
      fingerprint: audit.fingerprint,
      epoch: audit.epoch,
      datasets: task.kind === 'query' ? task.datasets : [],
      expiresAtMs,
      statement: request.sql,
      task,
    });
    return { queryId: audit.queryId, schema, tickets: [options.sealer.seal('ticket', ticket)], ordered: true, expiresAtMs, audit };
  };
  const openHandle = (handle: Uint8Array, principal: Principal): string => {
    const prepared = decodePrepared(options.sealer.open('prepared', handle));
    if (prepared.subject !== principal.subject) fail('ticket.principal', 'this prepared statement belongs to another principal');
    if (prepared.expiresAtMs <= now()) fail('ticket.expired', 'this prepared statement has expired; prepare it again');
    return prepared.sql;
  };
  return {
    plan,
    prepare: async (request) => {
      const { schema, audit } = await draft(request);
      const prepared = encodePrepared({ sql: request.sql, subject: request.principal.subject, expiresAtMs: now() + options.preparedTtlMs });
      return { handle: options.sealer.seal('prepared', prepared), schema, audit };
    },
    planPrepared: async (handle, principal) => plan({ principal, sql: openHandle(handle, principal) }),
    schemaOf: async (request) => (await draft(request)).schema,
    openHandle,
    visibleCatalog: async (principal) => visibleCatalogOf(await options.policy(), principal),
  };
}

async function draftQuery(request: PlanRequest, snapshot: Snapshot, rights: PrincipalPolicy, options: PlannerOptions): Promise<Draft> {
  const bound = await bindStatement(request.sql, rights, contextOf(snapshot, options));
  const catalogOf = (data: 'rows' | 'empty'): PlanCatalog =>
    buildPlanCatalog({ defaultSchema: snapshot.defaultSchema, entries: bound.entries, data });
  const empty = catalogOf('empty');
  const rows = catalogOf('rows');
  const textFor = (catalog: PlanCatalog): Promise<string> => governedText(request.sql, bound, catalog.name, snapshot, options.analyzer);
  const description = await options.analyzer.describe(empty, await textFor(empty));
  if (description.parameterCount > 0) fail('request.unimplemented', 'parameters are not supported; write the values into the statement');
  const datasets = bound.entries.map(({ dataset }) => dataset.id);
  return {
    schema: description.schema,
    task: {
      kind: 'query',
      catalog: rows,
      statements: [await textFor(rows)],
      datasets,
      form: request.options.form,
      schema: description.schemaHeader,
    },
    audit: auditOf(request.sql, snapshot, rights.fingerprint(datasets), bound.entries),
  };
}

async function draftExplain(
  request: PlanRequest,
  explain: { readonly user: string | null; readonly query: string },
  policy: Policy,
  rights: PrincipalPolicy,
  options: PlannerOptions,
): Promise<Draft> {
  const { snapshot } = policy;
  const audits = rights.may('audit');
  if (explain.user !== null && !audits) fail('policy.denied', 'EXPLAIN POLICY AS USER needs the audit right');
  const subject = explain.user === null ? rights : await policy.forPrincipal(principalOf(explain.user, snapshot));
  const bound = await bindStatement(explain.query, subject, contextOf(snapshot, options), audits);
  const table = explainTable(bound, snapshot, subject, audits ? 'auditor' : 'self');
  return {
    schema: table.schema,
    task: { kind: 'inline', ipc: tableToIPC(table, 'stream') },
    audit: auditOf(request.sql, snapshot, inlineFingerprint(rights.fingerprint([]), snapshot.contentHash), bound.entries),
  };
}

function principalOf(name: string, snapshot: Snapshot): Principal {
  const user = snapshot.users.find((candidate) => candidate.name === name);
  if (user === undefined) fail('request.malformed', 'EXPLAIN POLICY AS USER: there is no such user');
  return { subject: user.name, groups: user.groups, attributes: user.attributes };
}

function contextOf(snapshot: Snapshot, options: PlannerOptions): BindContext {
  return { snapshot, analyzer: options.analyzer, functions: options.functions, limits: options.limits };
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

function auditOf(statement: string, snapshot: Snapshot, fingerprint: string, entries: readonly PlanEntry[]): PlanAudit {
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
