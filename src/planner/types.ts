/** What the planner takes and gives; plain values. */
import type { Schema, Table } from 'apache-arrow';
import type { AuditDecision } from '../audit.ts';
import type { Column, ForeignKey, Principal, WireForm } from '../model.ts';

/** What a client wants of its results; from its session, its headers or what is known of its kind. */
export interface ResultOptions {
  /** For unqualified names; null = the catalog's own default. */
  readonly schema: string | null;
  readonly form: WireForm;
  /** Most endpoints: 1 also for clients that read the first only. */
  readonly endpointsMax: number;
  /** Whether more than one endpoint is right for a result with an order. */
  readonly readsInOrder: boolean;
}

export interface PlanRequest {
  readonly principal: Principal;
  readonly sql: string;
  readonly options: ResultOptions;
}

/** What FlightInfo needs. No field holds data. */
export interface Plan {
  readonly queryId: string;
  readonly schema: Schema;
  /** Sealed tickets in row order; one endpoint each. */
  readonly tickets: readonly Uint8Array[];
  /** By ticket: Flight URIs of who serves it, best first; none = whoever planned it. */
  readonly locations?: readonly (readonly string[])[];
  /** The order of the endpoints carries the order of the rows. */
  readonly ordered: boolean;
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
  /** null for a statement without rows: clients then run it as an update. */
  readonly schema: Schema | null;
  /** One nullable field per `?`, in order; never of type Null. */
  readonly parameters: Schema;
  readonly audit: PlanAudit;
}

/** What one principal may see of the catalog. */
export interface VisibleCatalog {
  readonly catalogName: string;
  /** Where names without a schema are looked for; left out where the principal sees nothing in it. */
  readonly defaultSchema?: string;
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
  /** Keys whose columns are all visible. */
  readonly primaryKey: readonly string[];
  /** Keys whose columns on both sides are visible; `references` is `schema.name` split. */
  readonly foreignKeys: readonly VisibleForeignKey[];
}

export interface VisibleForeignKey extends Omit<ForeignKey, 'references'> {
  readonly references: { readonly schema: string; readonly name: string };
}

export interface Planner {
  /** A query or `EXPLAIN POLICY`. Rejects with SluiceError: sql.*, dataset.unknown, policy.*. */
  plan(request: PlanRequest): Promise<Plan>;
  prepare(request: PlanRequest): Promise<Prepared>;
  /** Plans a prepared handle again, with the parameters bound to it, under the policy in force now. */
  planPrepared(handle: Uint8Array, principal: Principal, options: ResultOptions): Promise<Plan>;
  /** A handle with these parameters bound by position, one execution per row. Throws ticket.*, sql.parameter, sql.limit. */
  bindParameters(handle: Uint8Array, principal: Principal, rows: Table): Uint8Array;
  /** Result schema of a statement, or of a prepared handle; null when it has no rows. */
  schemaOf(request: PlanRequest): Promise<Schema | null>;
  schemaOfPrepared(handle: Uint8Array, principal: Principal, options: ResultOptions): Promise<Schema | null>;
  /** The same task with a later expiry, if its policy still holds. Rejects with ticket.*, policy.changed. */
  renew(ticket: Uint8Array, principal: Principal): Promise<{ readonly ticket: Uint8Array; readonly expiresAtMs: number }>;
  visibleCatalog(principal: Principal): Promise<VisibleCatalog>;
}
