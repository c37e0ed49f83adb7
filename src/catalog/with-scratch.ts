/** The policy directory's snapshot with the tables that principals made for themselves. */
import { join } from 'node:path';
import type { Connection } from '../files.ts';
import type { Dataset, Snapshot } from '../model.ts';
import { SCRATCH_CONNECTION } from './read-catalog.ts';
import type { ScratchTable } from './scratch-files.ts';
import type { ScratchStore } from './scratch-store.ts';
import type { MetadataStore } from './types.ts';

/**
 * A change of either side is a change of both. Epoch and content hash stay the policy set's: no decision about a governed
 * dataset depends on anyone's own tables, and what one makes must neither end the tickets of others nor show in them.
 * The stores stay the caller's to dispose.
 */
export function withScratch(store: MetadataStore, scratch: ScratchStore): MetadataStore {
  const listeners = new Set<(snapshot: Snapshot) => void>();
  const merge = createMerge(scratch);
  let base = store.current();
  let snapshot = merge(base);
  const change = (): void => {
    snapshot = merge(base);
    for (const listener of listeners) listener(snapshot);
  };
  const stopStore = store.watch((changed) => {
    base = changed;
    change();
  });
  const stops = [stopStore, scratch.watch(change)];
  return {
    current: () => {
      // Throws when the set in force is too old to be trusted.
      store.current();
      return snapshot;
    },
    watch: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    [Symbol.asyncDispose]: async () => {
      for (const stop of stops) stop();
      listeners.clear();
    },
  };
}

/** A table's dataset is one object as long as the table is the same, so that what is known of it stays known. */
function createMerge(scratch: ScratchStore): (base: Snapshot) => Snapshot {
  const datasets = new WeakMap<ScratchTable, Dataset>();
  return (base) => {
    const schema = base.scratchSchema;
    if (schema === null) return base;
    const own = scratch.tables().map((table) => {
      const known = datasets.get(table);
      const dataset = known?.schema === schema ? known : toDataset(table, schema, scratch.pathOf(table));
      datasets.set(table, dataset);
      return dataset;
    });
    const connection: Connection = { kind: 'local', name: SCRATCH_CONNECTION, directory: scratch.directory };
    return { ...base, connections: [...base.connections, connection], datasets: [...base.datasets, ...own] };
  };
}

function toDataset(table: ScratchTable, schema: string, path: string): Dataset {
  return {
    id: `${SCRATCH_CONNECTION}:${table.id}`,
    schema,
    name: table.name,
    tags: [],
    columns: table.columns.map(({ name, type }) => ({ name, type, tags: [] })),
    source: {
      kind: 'parquet',
      connection: SCRATCH_CONNECTION,
      path,
      hivePartitioning: false,
    },
    owner: { subject: table.owner, lineage: table.lineage },
  };
}

/** Where a server keeps them. */
export function scratchDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'scratch');
}
