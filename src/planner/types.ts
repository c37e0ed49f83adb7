/** What the planner takes and gives; plain values. */
import type { Schema } from 'apache-arrow';
import type { AuditDecision } from '../audit.ts';
import type { Column, Principal } from '../model.ts';

export interface PlanRequest {
  readonly principal: Principal;
  readonly sql: string;
}

/** What FlightInfo needs. No field holds data. */
export interface Plan {
  readonly queryId: string;
  readonly schema: Schema;
  /** Sealed tickets in row order; one endpoint each. */
  readonly tickets: readonly Uint8Array[];
  readonly expiresAtMs: number;
  readonly audit: PlanAudit;
}

export interface PlanAudit {
  readonly queryId: string;
  readonly statement: string;
  readonly epoch: number;
  readonly fingerprint: string;
  readonly decisions: readonly AuditDecision[];
}

/** A prepared statement: the handle is sealed and stateless. */
export interface Prepared {
  readonly handle: Uint8Array;
  readonly schema: Schema;
  readonly audit: PlanAudit;
}

/** What one principal may see of the catalog. */
export interface VisibleCatalog {
  readonly catalogName: string;
  readonly tables: readonly VisibleTable[];
}

export interface VisibleTable {
  readonly schema: string;
  readonly name: string;
  readonly type: 'TABLE' | 'VIEW';
  readonly description: string;
  /** Only columns the principal may see; DuckDB type text. */
  readonly columns: readonly Column[];
  /** Arrow schema of `columns`, with ARROW:FLIGHT:SQL:* field metadata. */
  readonly arrow: Schema;
}

export interface Planner {
  /** A query or `EXPLAIN POLICY`. Rejects with SluiceError: sql.*, dataset.unknown, policy.*. */
  plan(request: PlanRequest): Promise<Plan>;
  prepare(request: PlanRequest): Promise<Prepared>;
  /** Plans a prepared handle again, under the policy in force now. */
  planPrepared(handle: Uint8Array, principal: Principal): Promise<Plan>;
  /** The schema a prepared handle had; checks the principal. */
  schemaOf(request: PlanRequest): Promise<Schema>;
  /** The statement inside a handle of this principal. Rejects with ticket.*. */
  openHandle(handle: Uint8Array, principal: Principal): string;
  visibleCatalog(principal: Principal): Promise<VisibleCatalog>;
}
