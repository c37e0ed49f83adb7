/**
 * Finished record batches of repeated plans. The key is everything that decides the bytes: the connections, the governed catalog,
 * whose name hashes each decision, the statements, every file with its version, the wire form and the promised schema. Principals
 * whose decisions differ have different catalogs, so they never meet here (docs/decisions/012).
 */
import { createHash } from 'node:crypto';
import type { Connection } from '../files.ts';
import type { BatchSource, Dataset, QueryTask } from '../model.ts';
import { createFill, type Fill } from './result-fill.ts';
import type { HeldResult, ResultStore, ResultStoreStats } from './result-store.ts';

export interface ResultRequest {
  readonly task: QueryTask;
  /** Of the catalog in force. */
  readonly datasets: readonly Dataset[];
  /** Where paths lead to, in force now. */
  readonly connections: readonly Connection[];
  /** Rejects when a file is not any more what the task was planned with; asked before a kept result is given away. */
  readonly verify: () => Promise<void>;
  /** Computes the result. The signal may outlive the request's own: others can wait for the same result. */
  readonly start: (signal: AbortSignal) => Promise<BatchSource>;
  readonly signal: AbortSignal;
}

export interface ResultCache extends AsyncDisposable {
  /** The kept result, or a computed one. Rejects as `verify` and `start` do. */
  open(request: ResultRequest): Promise<BatchSource>;
  stats(): ResultCacheStats;
}

export interface ResultCacheStats extends ResultStoreStats {
  readonly hits: number;
  readonly misses: number;
  /** Results being made that others may wait for. */
  readonly filling: number;
}

/** Results that were too large once; their next reading is not recorded again. */
const LARGE_MAX = 10_000;

/** `salt`: what else decides the bytes on this node, such as the key of tokens. `store` null = off. */
export function createResultCache(store: ResultStore | null, salt: string): ResultCache {
  const fills = new Map<string, Fill>();
  const large = new Set<string>();
  const uses = { hits: 0, misses: 0 };
  if (store === null)
    return {
      open: ({ start, signal }) => start(signal),
      stats: () => ({ ...NOTHING, ...uses, filling: 0 }),
      [Symbol.asyncDispose]: async () => {},
    };
  const lead = (key: string, { start, signal }: ResultRequest): Promise<BatchSource> => {
    const fill = createFill({
      store,
      onKept: (result, bytes, costMs) => store.put(key, result, bytes, costMs),
      onSettled: (outcome) => {
        fills.delete(key);
        if (outcome === 'large') remember(large, key);
      },
    });
    fills.set(key, fill);
    return fill.lead(start, signal);
  };
  return {
    open: async (request) => {
      const { task, datasets, connections, start, signal } = request;
      if (!isRepeatable(task, datasets)) return start(signal);
      const key = resultKey(task, JSON.stringify([salt, connections]));
      const held = await store.find(key);
      if (held !== null) return serve(held, key, request);
      const fill = fills.get(key);
      const followed = fill !== undefined && (await fill.follow(signal)) ? await store.find(key) : null;
      if (followed !== null) return serve(followed, key, request);
      uses.misses++;
      return fill !== undefined || fills.has(key) || large.has(key) ? start(signal) : lead(key, request);
    },
    stats: () => ({ ...store.stats(), ...uses, filling: fills.size }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };

  async function serve(held: HeldResult, key: string, { verify, signal }: ResultRequest): Promise<BatchSource> {
    try {
      await verify();
      signal.throwIfAborted();
    } catch (error) {
      held.release();
      if (!signal.aborted) store?.delete(key);
      throw error;
    }
    uses.hits++;
    return keptSource(held, signal);
  }
}

const NOTHING: ResultStoreStats = { entries: 0, bytes: 0, fillingBytes: 0, diskEntries: 0, diskBytes: 0, evictions: 0 };

/** Read as it lies: what `body` points to is never written again. */
function keptSource({ result, release }: HeldResult, signal: AbortSignal): BatchSource {
  const { schemaHeader, batches } = result;
  let next = 0;
  return {
    schemaHeader,
    next: async () => {
      signal.throwIfAborted();
      const batch = batches[next++];
      return batch === undefined ? null : { ...batch, release: () => {} };
    },
    [Symbol.asyncDispose]: async () => release(),
  };
}

/** Every dataset is a set of files whose versions are in the key, or a view over such. */
export function isRepeatable({ repeatable, datasets, catalog }: QueryTask, known: readonly Dataset[]): boolean {
  if (repeatable !== true || datasets.length === 0) return false;
  const scanned = new Set((catalog.scans ?? []).map(({ dataset }) => dataset));
  const kinds = new Map(known.map(({ id, source }) => [id, source.kind]));
  return datasets.every((id) => kinds.get(id) === 'view' || (kinds.has(id) && scanned.has(id)));
}

/** SHA-256, hex. */
export function resultKey({ catalog, statements, datasets, form, schema }: QueryTask, salt: string): string {
  const facts = [salt, catalog, statements, datasets, form, Buffer.from(schema).toString('base64')];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}

function remember(keys: Set<string>, key: string): void {
  const [oldest] = keys;
  if (keys.size >= LARGE_MAX && oldest !== undefined) keys.delete(oldest);
  keys.add(key);
}
