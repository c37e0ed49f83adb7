/** Starting what a ticket holds: its query, on a leased engine, as the schema that was promised. */
import type { Connection } from '../files.ts';
import type { BatchSource, QueryTask } from '../model.ts';
import { makeScans, type ScanPorts, verified, verifiedSource } from './scans.ts';
import { chainSources, onDispose, promisedSource } from './sources.ts';
import type { EngineLease } from './types.ts';

export interface QueryPorts {
  readonly connections: readonly Connection[];
  readonly lease: () => Promise<EngineLease>;
  readonly scans: ScanPorts;
}

/** Runs a query's statements one after the other on one engine, if its files are still the same. Owns nothing on rejection. */
export async function startQuery(task: QueryTask, ports: QueryPorts, signal: AbortSignal): Promise<BatchSource> {
  const held: { release(): void }[] = [];
  const release = (): void => {
    for (const one of held.splice(0).reverse()) one.release();
  };
  try {
    const leased = await ports.lease();
    held.push(leased);
    const made = await makeScans(task.catalog, leased.engine, ports.connections, ports.scans);
    held.push(made);
    const run = (sql: string) => (): Promise<BatchSource> => leased.engine.run(made.catalog, made.statement(sql), signal, task.form);
    const source = await verified(made.verify, () => chainSources(task.statements.map(run)));
    return onDispose(verifiedSource(await orDispose(source, () => promisedSource(source, task.schema)), made.verify), release);
  } catch (error) {
    release();
    throw error;
  }
}

async function orDispose<T>(source: BatchSource, make: () => T): Promise<T> {
  try {
    return make();
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}
