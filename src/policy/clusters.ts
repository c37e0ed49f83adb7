/** Grants that are limited to clusters: those of other clusters are left out before Casbin sees them, so the model stays as it is. */
import type { Grant } from '../model.ts';
import { matchesPattern } from './names.ts';

const known = new WeakMap<readonly Grant[], Map<string | null, readonly Grant[]>>();

/** The same list again for the same list and cluster. `cluster` null: one without a name, where only the denials of other clusters hold. */
export function grantsIn(grants: readonly Grant[], cluster: string | null): readonly Grant[] {
  const byCluster = known.get(grants) ?? new Map<string | null, readonly Grant[]>();
  known.set(grants, byCluster);
  const found = byCluster.get(cluster) ?? grants.filter((grant) => holdsIn(grant, cluster));
  byCluster.set(cluster, found);
  return found;
}

function holdsIn({ cluster: pattern, effect }: Grant, cluster: string | null): boolean {
  if (pattern === undefined) return true;
  return cluster === null ? effect === 'deny' : matchesPattern(cluster, pattern);
}
