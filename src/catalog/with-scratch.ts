/** The policy directory's snapshot with the tables that principals made for themselves. */
import { join } from 'node:path';
import type { Connection, Dataset, Snapshot } from '../model.ts';
import { SCRATCH_CONNECTION } from './read-catalog.ts';
import type { ScratchTable } from './scratch-files.ts';
import type { ScratchStore } from './scratch-store.ts';
import type { MetadataStore } from './types.ts';

/**
 * A change of either side is a change of both. `contentHash` stays the policy directory's: no decision about a governed
 * dataset depends on anyone's own tables, and what one makes must not end the tickets of others.
 * The stores stay the caller's to dispose.
 */
export function withScratch(store: MetadataStore, scratch: ScratchStore): MetadataStore {
  const listeners = new Set<(snapshot: Snapshot) => void>();
  const merge = createMerge(scratch);
  let snapshot = merge(store.current(), store.current().epoch);
  const change = (): void => {
    snapshot = merge(store.current(), snapshot.epoch + 1);
    for (const listener of listeners) listener(snapshot);
  };
  const stops = [store.watch(change), scratch.watch(change)];
  return {
    current: () => snapshot,
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
function createMerge(scratch: ScratchStore): (base: Snapshot, epoch: number) => Snapshot {
  const datasets = new WeakMap<ScratchTable, Dataset>();
  return (base, epoch) => {
    const schema = base.scratchSchema;
    if (schema === null) return { ...base, epoch };
    const own = scratch.tables().map((table) => {
      const known = datasets.get(table);
      const dataset = known?.schema === schema ? known : toDataset(table, schema, scratch.directory);
      datasets.set(table, dataset);
      return dataset;
    });
    const connection: Connection = { kind: 'local', name: SCRATCH_CONNECTION, directory: scratch.directory };
    return { ...base, epoch, connections: [...base.connections, connection], datasets: [...base.datasets, ...own] };
  };
}

function toDataset(table: ScratchTable, schema: string, directory: string): Dataset {
  return {
    id: `${SCRATCH_CONNECTION}:${table.id}`,
    schema,
    name: table.name,
    tags: [],
    columns: table.columns.map(({ name, type }) => ({ name, type, tags: [] })),
    source: {
      kind: 'parquet',
      connection: SCRATCH_CONNECTION,
      path: join(directory, table.id, 'part-*.parquet'),
      hivePartitioning: false,
    },
    owner: { subject: table.owner, lineage: table.lineage },
  };
}

/** Where a server keeps them. */
export function scratchDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'scratch');
}
