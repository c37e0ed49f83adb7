/** Rights and rules → the decision on one dataset. Deny by default; a deny beats any allow. */
import type { AllowDecision, Column, ColumnDecision, Dataset, Decision, Grant, Principal, Snapshot } from '../model.ts';
import type { Route } from './casbin.ts';
import { type Access, decideColumn, hidden, type RawRegion } from './cells.ts';
import { allOf, anyOfFactored, isAlways, isNever } from './predicate.ts';
import { coversCell, type Right, type Rights } from './rights.ts';
import { type DatasetRules, rulesFor } from './rules.ts';

interface Case {
  readonly dataset: Dataset;
  readonly rights: Rights;
  readonly rules: DatasetRules;
  readonly routes: readonly Right<Route>[];
  /** Denials of `select` on the dataset or on some of its columns. */
  readonly denials: readonly Right<Grant>[];
}

/** The principal's own right to the dataset. */
export function decideDataset(snapshot: Snapshot, rights: Rights, principal: Principal, dataset: Dataset): Decision {
  const facts = openCase(snapshot, rights, principal, dataset);
  const refusal = refuse(facts);
  if (refusal !== null) return refusal;
  if (facts.routes.length === 0) return deny(dataset, 'no grant allows it', []);
  return allow(
    facts,
    facts.routes.map((right) => ownAccess(facts, right)),
  );
}

/**
 * Below a view: the view's owner holds the right, the principal's filters and masks stay. A column hidden from the
 * principal is NULL here, so that the view keeps its shape.
 */
export function decideBelowView(snapshot: Snapshot, rights: Rights, principal: Principal, dataset: Dataset): Decision {
  const facts = openCase(snapshot, rights, principal, dataset);
  const refusal = refuse(facts);
  if (refusal !== null) return refusal;
  const own = facts.routes.map((right) => ownAccess(facts, right));
  const decision = allow(facts, own.length > 0 ? own : [ownersAccess(facts)], true);
  if (decision.effect === 'deny') return decision;
  return { ...decision, columns: decision.columns.map(nullInsteadOfHidden) };
}

function openCase(snapshot: Snapshot, rights: Rights, principal: Principal, dataset: Dataset): Case {
  const routes = rights.routes('select', dataset);
  const holds = { roles: new Set(rights.roles), grants: new Set(routes.map((right) => right.held.grant.id)) };
  return { dataset, rights, routes, rules: rulesFor(snapshot, dataset, principal, holds), denials: rights.denials('select', dataset) };
}

function refuse(facts: Case): Decision | null {
  if (facts.dataset.broken !== undefined)
    return deny(facts.dataset, 'the dataset is out of service until its policy or source is repaired', []);
  const denials = facts.denials.filter((right) => right.covers === 'dataset').map((right) => right.held.id);
  return denials.length > 0 ? deny(facts.dataset, `denied by ${denials.join(', ')}`, denials) : null;
}

function deny(dataset: Dataset, reason: string, rules: readonly string[]): Decision {
  return { effect: 'deny', dataset: dataset.id, reason, rules };
}

function ownAccess(facts: Case, right: Right<Route>): Access {
  return {
    grant: right.held.grant.id,
    filter: facts.rules.filterOf(right.held),
    via: right.held.via,
    covers: (column) => coversCell(right, facts.dataset, column),
    masks: (column) => facts.rules.masksOf(right.held, column),
  };
}

function ownersAccess(facts: Case): Access {
  return {
    grant: null,
    filter: facts.rules.filterWithoutGrant(),
    via: new Set(),
    covers: () => true,
    masks: (column) => facts.rules.masksOf(null, column),
  };
}

function allow(facts: Case, accesses: readonly Access[], belowView: boolean = false): Decision {
  // A way that lets no row through says nothing about cells; when all are such, the shape still counts.
  const live = accesses.filter((access) => !isNever(access.filter.predicate));
  const counted = live.length > 0 ? live : accesses;
  const columns = facts.dataset.columns.map((column) => treat(facts, counted, column));
  if (!belowView && columns.every((column) => column.treatment.kind === 'hidden')) return deny(facts.dataset, 'no column is visible', []);
  const rows = anyOfFactored(counted.map((access) => access.filter.predicate));
  const grants = new Set(counted.map((access) => access.grant));
  const used = facts.routes.filter((right) => grants.has(right.held.grant.id)).map((right) => right.held.grant);
  return {
    effect: 'allow',
    dataset: facts.dataset.id,
    rowFilter: isAlways(rows) ? null : rows,
    columns,
    roles: distinct(used.map((grant) => grant.role)),
    grants: distinct(used.map((grant) => grant.id)),
    rules: isAlways(rows) ? [] : distinct(counted.flatMap((access) => access.filter.rules)),
  } satisfies AllowDecision;
}

function treat(facts: Case, accesses: readonly Access[], column: Column): ColumnDecision {
  const denials = facts.denials.filter((right) => coversCell(right, facts.dataset, column)).map((right) => right.held.id);
  if (denials.length > 0) return hidden(column, denials, `denied by ${denials.join(', ')}`);
  return decideColumn(column, accesses, unmaskedRows(facts, accesses, column));
}

/**
 * `unmask` grants for the column, with the rows on which they hold: those that their own filters and their role's select
 * grants let through. A role without a select grant here adds to all others, but only where one of them gives the column;
 * one whose select grants let no row through adds nothing.
 */
function unmaskedRows(facts: Case, accesses: readonly Access[], column: Column): readonly RawRegion[] {
  const { rights, dataset, routes, rules } = facts;
  if (rights.denials('unmask', dataset).some((right) => coversCell(right, dataset, column))) return [];
  const covering = rights.routes('unmask', dataset).filter((right) => coversCell(right, dataset, column));
  return covering.flatMap(({ held }) => {
    const hasOwnRows = routes.some((right) => right.held.via.has(held.grant.role));
    const reached = accesses.filter((access) => (!hasOwnRows || access.via.has(held.grant.role)) && access.covers(column));
    const own = rules.filterOf(held).predicate;
    return reached.map((access) => ({ grant: held.grant.id, rows: allOf([own, access.filter.predicate]) }));
  });
}

function nullInsteadOfHidden(column: ColumnDecision): ColumnDecision {
  if (column.treatment.kind !== 'hidden') return column;
  return { ...column, treatment: { kind: 'masked', mask: { kind: 'null' }, rawWhen: null } };
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort();
}
