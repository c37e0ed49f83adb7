/** Values derived from one dataset of one snapshot; they go when the snapshot goes. */
import type { Snapshot } from '../model.ts';

export type SnapshotCache<T> = (snapshot: Snapshot, datasetId: string, make: () => T) => T;

export function createSnapshotCache<T>(): SnapshotCache<T> {
  const bySnapshot = new WeakMap<Snapshot, Map<string, T>>();
  return (snapshot, datasetId, make) => {
    const known = bySnapshot.get(snapshot) ?? new Map<string, T>();
    bySnapshot.set(snapshot, known);
    const value = known.has(datasetId) ? (known.get(datasetId) as T) : make();
    known.set(datasetId, value);
    return value;
  };
}
