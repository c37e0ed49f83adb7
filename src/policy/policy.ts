/** A snapshot made ready to answer: Casbin loaded once, one index per principal, one decision per dataset. */
import type { Dataset, Decision, Lineage, Principal, Snapshot, TableName } from '../model.ts';
import { canonicalHash } from './canonical.ts';
import { createEnforcer, type Enforcer, expandPrincipal } from './casbin.ts';
import { grantsIn } from './clusters.ts';
import { decideBelowView, decideDataset } from './decide.ts';
import { decideOwnTable, hashDecisions, lineageOf, mayCreate, mayDescribeOwnTable, type OwnTableFacts } from './own-tables.ts';
import { indexRights, type Rights } from './rights.ts';

/** Principals kept per snapshot; the oldest goes first. */
const PRINCIPALS_MAX = 1000;

/** One snapshot's policy; a new epoch makes a new one. */
export interface Policy {
  readonly snapshot: Snapshot;
  /** Cached per principal facts. */
  forPrincipal(principal: Principal): Promise<PrincipalPolicy>;
  /** How often a principal's policy was there, or had to be made. */
  uses(): { readonly hits: number; readonly misses: number };
}

/** What one principal may do. Synchronous and cached. */
export interface PrincipalPolicy {
  /** Whose tables in the scratch schema exist for this principal. */
  readonly subject: string;
  /** Inherited roles too, sorted. */
  readonly roles: readonly string[];
  decide(dataset: Dataset): Decision;
  /** For a dataset that a view reads: the view's owner holds the right, the principal's filters and masks stay. */
  decideThroughView(dataset: Dataset): Decision;
  /** Metadata may be seen: `describe` or a readable dataset. */
  mayDescribe(dataset: Dataset): boolean;
  /** Rights on the server itself. */
  may(action: 'audit' | 'operate'): boolean;
  /** Whether the principal may make a table of this name in the scratch schema. */
  mayCreate(table: TableName): boolean;
  /** Hex SHA-256 of what this principal may read of the dataset; the same in every process. */
  decisionHash(dataset: Dataset): string;
  /** What a table made of these datasets is made of: the decision on each governed one as it is now. */
  lineage(datasetIds: readonly string[]): readonly Lineage[];
  /** Hex SHA-256 over everything that decided about these datasets for this principal; the same in every process. */
  fingerprint(datasetIds: readonly string[]): string;
}

/**
 * `cluster`: whose grants hold here beside those of all clusters; null = of one without a name.
 * Rejects with policy.invalid when the model or the lines do not load.
 */
export async function compilePolicy(whole: Snapshot, cluster: string | null = null): Promise<Policy> {
  const snapshot = { ...whole, grants: grantsIn(whole.grants, cluster) };
  const enforcer = await enforcerOf(snapshot);
  const named = namedRoles(snapshot);
  const byFacts = new Map<string, Promise<PrincipalPolicy>>();
  const uses = { hits: 0, misses: 0 };
  const compile = async (principal: Principal, facts: string): Promise<PrincipalPolicy> => {
    const holdings = await expandPrincipal(enforcer, principal, named);
    return createPrincipalPolicy(snapshot, indexRights(holdings), principal, facts);
  };
  return {
    snapshot: whole,
    uses: () => uses,
    forPrincipal: (principal) => {
      const facts = principalFacts(principal);
      const known = byFacts.get(facts);
      if (known !== undefined) {
        uses.hits++;
        return known;
      }
      uses.misses++;
      const [oldest] = byFacts.keys();
      if (byFacts.size >= PRINCIPALS_MAX && oldest !== undefined) byFacts.delete(oldest);
      const made = compile(principal, facts);
      byFacts.set(facts, made);
      made.catch(() => byFacts.delete(facts));
      return made;
    },
  };
}

interface Lines extends Pick<Snapshot, 'memberships' | 'model'> {
  readonly enforcer: Enforcer;
}

const enforcers = new WeakMap<Snapshot['grants'], Lines>();

/** A snapshot with the same lines as an earlier one differs in its tables only: loading thousands of lines again takes long. */
async function enforcerOf(snapshot: Snapshot): Promise<Enforcer> {
  const known = enforcers.get(snapshot.grants);
  if (known?.memberships === snapshot.memberships && known.model === snapshot.model) return known.enforcer;
  const enforcer = await createEnforcer(snapshot);
  enforcers.set(snapshot.grants, { memberships: snapshot.memberships, model: snapshot.model, enforcer });
  return enforcer;
}

function createPrincipalPolicy(snapshot: Snapshot, rights: Rights, principal: Principal, facts: string): PrincipalPolicy {
  const byId = new Map(snapshot.datasets.map((dataset) => [dataset.id, dataset]));
  const own: OwnTableFacts = {
    subject: principal.subject,
    rights,
    decisionHash: (id) => {
      const source = byId.get(id);
      return source === undefined || source.owner !== undefined ? null : decisionHash(source);
    },
  };
  const decide = remember<Decision>((dataset) =>
    dataset.owner === undefined ? decideDataset(snapshot, rights, principal, dataset) : decideOwnTable(dataset, dataset.owner, own),
  );
  const decideThroughView = remember<Decision>((dataset) =>
    dataset.owner === undefined
      ? decideBelowView(snapshot, rights, principal, dataset)
      : { effect: 'deny', dataset: dataset.id, reason: 'no view reads a table of one principal', rules: [] },
  );
  const decisionHash = remember((dataset) => hashDecisions(dataset, [decide(dataset), decideThroughView(dataset)]));
  const parts = new Map<string, string>();
  const fingerprintOf = (id: string): string => {
    let part = parts.get(id);
    if (part === undefined) {
      const dataset = byId.get(id);
      const decided = dataset && [decide(dataset), decideThroughView(dataset)];
      // A list of what one may see stands for every decision there is.
      const whole = dataset === undefined && id.startsWith('information_schema.') ? [snapshot.contentHash] : [];
      part = canonicalHash([id, dataset, decided, ...sourceFacts(snapshot, dataset), ...whole]);
      parts.set(id, part);
    }
    return part;
  };
  return {
    subject: principal.subject,
    roles: rights.roles,
    decide,
    decideThroughView,
    mayDescribe: (dataset) =>
      dataset.owner === undefined ? mayDescribe(rights, dataset, decide) : mayDescribeOwnTable(dataset, dataset.owner, own),
    may: (action) => rights.global(action),
    mayCreate: (table) => mayCreate(table, snapshot, rights),
    decisionHash,
    lineage: (ids) =>
      lineageOf(
        [...new Set(ids)].sort().flatMap((id) => byId.get(id) ?? []),
        decisionHash,
      ),
    fingerprint: (ids) => canonicalHash([facts, snapshot.catalogName, snapshot.defaultSchema, [...new Set(ids)].sort().map(fingerprintOf)]),
  };
}

function mayDescribe(rights: Rights, dataset: Dataset, decide: (dataset: Dataset) => Decision): boolean {
  if (dataset.broken !== undefined) return false;
  if (rights.denials('describe', dataset).some((right) => right.covers === 'dataset')) return false;
  return decide(dataset).effect === 'allow' || rights.routes('describe', dataset).some((right) => right.covers === 'dataset');
}

/** Where the rows come from. A view may read any dataset, so all the content counts. */
function sourceFacts(snapshot: Snapshot, dataset: Dataset | undefined): readonly unknown[] {
  if (dataset === undefined) return [];
  const { source } = dataset;
  if (source.kind === 'view') return [snapshot.contentHash];
  return [snapshot.connections.find((connection) => connection.name === source.connection)];
}

/** The dataset value is the key: another snapshot's dataset is decided anew. */
function remember<T>(decide: (dataset: Dataset) => T): (dataset: Dataset) => T {
  const decisions = new WeakMap<Dataset, T>();
  return (dataset) => {
    let decision = decisions.get(dataset);
    if (decision === undefined) {
      decision = decide(dataset);
      decisions.set(dataset, decision);
    }
    return decision;
  };
}

/** Order and repeats of groups and attribute values do not count. */
function principalFacts(principal: Principal): string {
  return canonicalHash([principal.subject, uniqueSorted(principal.groups), attributeFacts(principal.attributes)]);
}

const knownAttributes = new WeakMap<Principal['attributes'], string>();

/** A user's attributes are one object over many requests, and may have 10^5 values. */
function attributeFacts(attributes: Principal['attributes']): string {
  const known = knownAttributes.get(attributes);
  if (known !== undefined) return known;
  const facts = canonicalHash(Object.fromEntries(Object.entries(attributes).map(([name, values]) => [name, uniqueSorted(values)])));
  knownAttributes.set(attributes, facts);
  return facts;
}

function uniqueSorted(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort();
}

/** Roles by which one way to a grant differs from another. */
function namedRoles(snapshot: Snapshot): ReadonlySet<string> {
  const scoped = [...snapshot.rowFilters, ...snapshot.masks].flatMap((rule) => [...(rule.roles ?? []), ...(rule.exceptRoles ?? [])]);
  const unmasking = snapshot.grants.filter((grant) => grant.action === 'unmask').map((grant) => grant.role);
  return new Set([...scoped, ...unmasking]);
}
