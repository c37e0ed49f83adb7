/** Which row filters and masks apply to one dataset, and to one way of reaching it. */

import type { Column, Dataset, MaskRule, Predicate, Principal, RowFilterRule, RuleScope, Snapshot } from '../model.ts';
import { foldName } from '../names.ts';
import { bindFilter } from './bind.ts';
import type { Route } from './casbin.ts';
import { matchesAnyDataset, matchesPattern } from './names.ts';
import { allOf, simplify } from './predicate.ts';

/** Filters bound to the principal's attributes, with the rules they came from. */
export interface BoundFilter {
  readonly predicate: Predicate;
  readonly rules: readonly string[];
}

/** What decides whether a rule is bound to the principal. */
export interface Held {
  readonly roles: ReadonlySet<string>;
  /** Ids of the select grants on this dataset. */
  readonly grants: ReadonlySet<string>;
}

/** The rules that can matter for one dataset and principal. */
export interface DatasetRules {
  /** Filters that narrow this route: its own, and restrictive ones that it is not excepted from. */
  filterOf(route: Route): BoundFilter;
  /** Every filter bound to any of the principal's roles, ANDed, without exceptions: for reading below a view without an own grant. */
  filterWithoutGrant(): BoundFilter;
  masksOf(route: Route | null, column: Column): readonly MaskRule[];
}

export function rulesFor(snapshot: Snapshot, dataset: Dataset, principal: Principal, holds: Held): DatasetRules {
  const held = holds.roles;
  const filters = snapshot.rowFilters.filter(
    (rule) => inDataset(rule, dataset) && (rule.tags === undefined || rule.tags.some((tag) => dataset.tags.includes(tag))),
  );
  const masks = snapshot.masks.filter((rule) => inDataset(rule, dataset));
  const columns = new Map(dataset.columns.map((column) => [foldName(column.name), column]));
  const bound = new Map<string, Predicate>();
  const bindRule = (rule: RowFilterRule): Predicate => {
    let predicate = bound.get(rule.id);
    if (predicate === undefined) {
      predicate = simplify(bindFilter(rule.filter, principal.attributes, columns));
      bound.set(rule.id, predicate);
    }
    return predicate;
  };
  const join = (rules: readonly RowFilterRule[]): BoundFilter => ({
    predicate: allOf(rules.map(bindRule)),
    rules: rules.map((rule) => rule.id),
  });
  return {
    filterOf: (route) => join(filters.filter((rule) => (rule.restrictive ? restricts(rule, route, holds) : onRoute(rule, route)))),
    filterWithoutGrant: () => join(filters.filter((rule) => onRoles(rule, held))),
    masksOf: (route, column) =>
      masks.filter((rule) => onColumn(rule, column) && (route === null ? onRoles(rule, held) : onRoute(rule, route))),
  };
}

function inDataset(scope: RuleScope, dataset: Dataset): boolean {
  return scope.datasets === undefined || matchesAnyDataset(scope.datasets, dataset);
}

/** The rule goes with the way the dataset was reached. */
function onRoute(scope: RuleScope, route: Route): boolean {
  if (scope.grants !== undefined && !scope.grants.includes(route.grant.id)) return false;
  return (scope.roles === undefined || overlaps(scope.roles, route.via)) && !overlaps(scope.exceptRoles ?? [], route.via);
}

/** A restrictive filter follows the principal: another role does not lift it, only an excepted way does. */
function restricts(scope: RuleScope, route: Route, holds: Held): boolean {
  if (scope.roles !== undefined && !overlaps(scope.roles, holds.roles)) return false;
  if (scope.grants !== undefined && !overlaps(scope.grants, holds.grants)) return false;
  return !overlaps(scope.exceptRoles ?? [], route.via);
}

/** Below a view no way of one's own was taken, so no role excepts: it may have been given for other datasets. */
function onRoles(scope: RuleScope, held: ReadonlySet<string>): boolean {
  if (scope.grants !== undefined) return false;
  return scope.roles === undefined || overlaps(scope.roles, held);
}

function onColumn(rule: MaskRule, column: Column): boolean {
  if (rule.columns !== undefined && !rule.columns.some((pattern) => matchesPattern(column.name, pattern))) return false;
  return rule.tags === undefined || rule.tags.some((tag) => column.tags.includes(tag));
}

function overlaps(names: readonly string[], held: ReadonlySet<string>): boolean {
  return names.some((name) => held.has(name));
}
