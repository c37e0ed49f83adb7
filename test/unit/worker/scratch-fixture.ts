/** A real scratch store and a real engine over it, under a policy that the test turns on and off. */
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createScratchStore, type ScratchStore } from '#src/catalog/index.js';
import { createEngine, type Engine } from '#src/engine/index.js';
import type { Lineage } from '#src/model.js';
import type { PolicyInForce } from '#src/worker/index.js';
import type { ScratchPorts } from '#src/worker/scratch-writer.js';
import { collect } from '../engine/arrow-values.ts';
import { ADA, QUERY } from './fixture.ts';

export interface Rights {
  create: boolean;
  lineage: readonly Lineage[];
  scratchSchema: string | null;
}

export interface ScratchWorld extends AsyncDisposable {
  readonly directory: string;
  readonly scratch: ScratchStore;
  readonly engine: Engine;
  /** Change them to change the policy. */
  readonly rights: Rights;
  readonly ports: ScratchPorts;
  /** Engines leased, changes that were waited for. */
  readonly counts: { leased: number; settled: number };
  inForce(): PolicyInForce;
  /** Whatever is on disk besides tables in force. */
  leftovers(): Promise<readonly string[]>;
  /** Of a table of ada's. */
  rows(name: string): Promise<readonly (readonly unknown[])[]>;
}

export async function openWorld(limits: { readonly tablesMax?: number; readonly bytesMax?: number } = {}): Promise<ScratchWorld> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-scratch-'));
  const scratch = await createScratchStore({ directory, tablesMax: 10, bytesMax: 10_000_000, lingerMs: 0, ...limits });
  const engine = await createEngine({
    connections: [{ kind: 'local', name: 'scratch', directory }],
    memoryLimitBytes: 1024 ** 3,
    threads: 2,
    engineThreads: 2,
    tempDirectory: join(directory, '..'),
    tempLimitBytes: 1024 ** 3,
    batchBytes: 1024 * 1024,
    streamWindow: 2,
    streamingBufferBytes: 16 * 1024 * 1024,
    variables: {},
    extensions: null,
  });
  const rights: Rights = { create: true, lineage: [{ dataset: 'd1', decision: 'h1' }], scratchSchema: 'scratch' };
  const counts = { leased: 0, settled: 0 };
  const inForce = (): PolicyInForce => {
    const { create, lineage, scratchSchema } = { ...rights };
    const datasets = [{ id: 'd1' }];
    return {
      snapshot: { scratchSchema, connections: [], datasets } as unknown as PolicyInForce['snapshot'],
      rights: {
        mayCreate: () => create,
        lineage: (ids: readonly string[]) => lineage.filter(({ dataset }) => ids.includes(dataset)),
      } as unknown as PolicyInForce['rights'],
    };
  };
  const ports: ScratchPorts = {
    scratch,
    inForce: async () => inForce(),
    settled: async () => void counts.settled++,
    lease: async () => {
      counts.leased++;
      return { engine, release: () => void counts.leased-- };
    },
  };
  return {
    directory,
    scratch,
    engine,
    rights,
    ports,
    counts,
    inForce,
    leftovers: async () => {
      const known = new Set(scratch.tables().map(({ id }) => id));
      return (await readdir(directory)).filter((name) => !known.has(name));
    },
    rows: async (name) => {
      const table = scratch.find(ADA.subject, name);
      if (table === null) throw new Error(`no table ${name}`);
      const sql = `SELECT * FROM read_parquet('${scratch.pathOf(table)}')`;
      return (await collect(await engine.run(QUERY.catalog, sql, new AbortController().signal))).rows;
    },
    [Symbol.asyncDispose]: async () => {
      await engine[Symbol.asyncDispose]();
      await scratch[Symbol.asyncDispose]();
    },
  };
}
