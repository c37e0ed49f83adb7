/** Starting what a ticket holds: its query, on a leased engine, as the schema that was promised. */
import type { BatchSource, QueryTask } from '../model.ts';
import { createStorage } from '../storage/index.ts';
import { chainSources, onDispose, promisedSource } from './sources.ts';
import type { EngineLease } from './types.ts';

const storage = createStorage();

/** Runs a query's statements one after the other on one engine, if the files of a share are still the same. Owns nothing on rejection. */
export async function startQuery(task: QueryTask, lease: () => Promise<EngineLease>, signal: AbortSignal): Promise<BatchSource> {
  if (task.files !== undefined) await storage.verify(task.files);
  const { engine, release } = await lease();
  try {
    const source = await chainSources(task.statements.map((sql) => () => engine.run(task.catalog, sql, signal, task.form)));
    return onDispose(await orDispose(source, () => promisedSource(source, task.schema)), release);
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
