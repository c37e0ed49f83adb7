/** Starting what a ticket holds: its query, on a leased engine, as the schema that was promised. */
import type { Engine } from '../engine/index.ts';
import type { Connection } from '../files.ts';
import type { BatchSource, QueryTask } from '../model.ts';
import { orAbort } from '../waiting.ts';
import { type MadeScans, makeScans, type ScanPorts, verified, verifiedSource } from './scans.ts';
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
    const source = await openSource(task, made, leased.engine, signal);
    return onDispose(verifiedSource(await orDispose(source, () => promisedSource(source, task.schema)), made.verify), release);
  } catch (error) {
    release();
    throw error;
  }
}

/** While its files are checked; what the check says counts more than what the engine makes of changed files, and ends it. */
async function openSource(task: QueryTask, made: MadeScans, engine: Engine, signal: AbortSignal): Promise<BatchSource> {
  const changed = new AbortController();
  const ended = AbortSignal.any([signal, changed.signal]);
  const run = (sql: string) => (): Promise<BatchSource> => engine.run(made.catalog, made.statement(sql), ended, task.form);
  const opening = verified(
    () => orAbort(made.verify(), signal),
    () => chainSources(task.statements.map(run)),
  );
  const check = orAbort(made.unchanged, signal);
  check.catch((reason: unknown) => changed.abort(reason));
  const [opened, checked] = await Promise.allSettled([opening, check]);
  if (checked.status === 'fulfilled') return opening;
  if (opened.status === 'fulfilled') await opened.value[Symbol.asyncDispose]();
  throw checked.reason;
}

async function orDispose<T>(source: BatchSource, make: () => T): Promise<T> {
  try {
    return make();
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}
