/** What a node keeps to answer faster: finished results, small datasets in memory, and what the engine keeps of files; with their numbers. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Config } from './config.ts';
import { leased } from './connections.ts';
import { DisposalStack } from './disposal.ts';
import type { FileCacheBytes } from './engine/index.ts';
import { fail } from './errors.ts';
import type { Logger } from './log.ts';
import type { Metadata } from './metadata.ts';
import type { Metrics } from './metrics.ts';
import type { Dataset } from './model.ts';
import {
  type CacheEntry,
  createHotTables,
  createPins,
  createResultCache,
  createResultStore,
  type HotTables,
  openPinFile,
  openResultDisk,
  type Pins,
  type ResultCache,
  type ScanPorts,
} from './worker/index.ts';

export interface Caches extends AsyncDisposable {
  readonly results: ResultCache;
  readonly relationFor: NonNullable<ScanPorts['relationFor']>;
  /** From its next reading on, at every node. Rejects with request.unimplemented, policy.invalid, limit.memory, storage.unavailable, metadata.*. */
  pin(dataset: Dataset, pinned: boolean): Promise<void>;
  /** What SHOW CACHE answers. */
  entries(): Promise<readonly CacheEntry[]>;
  /** Their numbers, among the others. */
  observe(metrics: Metrics): void;
}

interface Parts {
  readonly metadata: Metadata;
  /** Under which tokens are made: another key, other results. */
  readonly tokenKey: string;
  readonly logger: Logger;
  /** Where this process is reached, once it is. */
  readonly location: () => string;
}

/** Of the engine's memory; queries need the rest. */
const HOT_SHARE = 4;

export async function openCaches(config: Config, parts: Parts): Promise<Caches> {
  const { metadata } = parts;
  const opened = new DisposalStack();
  const results = opened.add(await openResults(config, parts.tokenKey));
  const pins = createPins((await metadata.shared('pins')) ?? (await openPinFile(join(config.stateDirectory, 'pins.json'))));
  const hot = opened.add(openHotTables(config, pins, parts));
  const fileCache = async (): Promise<FileCacheBytes> => {
    try {
      return await leased(metadata.pool, metadata.current().snapshot.connections, (engine) => engine.fileCache());
    } catch {
      return { ranges: 0, footers: 0 };
    }
  };
  return {
    results,
    relationFor: hot.relationFor,
    pin: (dataset, pinned) => pin(dataset, pinned, pins, tablesMax(config), metadata),
    entries: async () => [
      ...resultEntries(results, parts.location()),
      ...tableEntries(hot, parts),
      ...fileEntries(await fileCache(), parts.location()),
    ],
    observe: (metrics) => {
      metrics.read({
        result_cache_entries: () => results.stats().entries,
        result_cache_bytes: () => results.stats().bytes,
        result_cache_disk_bytes: () => results.stats().diskBytes,
        result_cache_hits_total: () => results.stats().hits,
        result_cache_misses_total: () => results.stats().misses,
        result_cache_evictions_total: () => results.stats().evictions,
        hot_tables: () => hot.stats().tables,
        hot_table_bytes: () => hot.stats().bytes,
        hot_table_hits_total: () => hot.stats().hits,
        hot_table_misses_total: () => hot.stats().misses,
        hot_table_loads_total: () => hot.stats().loads,
        hot_table_evictions_total: () => hot.stats().evictions,
        file_cache_bytes: async () => (await fileCache()).ranges,
        footer_cache_bytes: async () => (await fileCache()).footers,
      });
    },
    [Symbol.asyncDispose]: () => opened.dispose(),
  };
}

/** A planner computes nothing. */
async function openResults(config: Config, tokenKey: string): Promise<ResultCache> {
  const { role, resultCacheBytes, resultCacheDiskBytes, stateDirectory } = config;
  const salt = createHash('sha256').update(`token key ${tokenKey}`).digest('hex');
  if (role === 'planner' || resultCacheBytes === 0) return createResultCache(null, salt);
  const disk = resultCacheDiskBytes === 0 ? null : await openResultDisk(join(stateDirectory, 'cache'));
  const store = createResultStore({
    memoryMax: resultCacheBytes,
    disk: disk === null ? null : { files: disk, bytesMax: resultCacheDiskBytes },
  });
  return createResultCache(store, salt);
}

/** Of this node: a planner keeps none. */
function hotMax(config: Config): number {
  return config.role === 'planner' ? 0 : tablesMax(config);
}

/** Of a node that computes, set as this one is. */
function tablesMax({ hotTablesBytes, memoryLimitBytes }: Config): number {
  return Math.min(hotTablesBytes, Math.floor(memoryLimitBytes / HOT_SHARE));
}

function openHotTables(config: Config, pins: Pins, { metadata, logger }: Parts): HotTables {
  const totalMax = hotMax(config);
  const connections = (): Parameters<Metadata['pool']['lease']>[0] => metadata.current().snapshot.connections;
  return createHotTables({
    tableMax: Math.min(config.hotTableBytes, totalMax),
    totalMax,
    isPinned: pins.has,
    lease: async () => metadata.pool.lease(connections()),
    verify: async (files) => metadata.storage.verify(connections(), files),
    onFault: (error) => logger.info({ err: error }, 'a dataset was not taken into memory'),
  });
}

/** Only what can be read and finds room. */
async function pin(dataset: Dataset, pinned: boolean, pins: Pins, bytesMax: number, metadata: Metadata): Promise<void> {
  const { snapshot } = metadata.current();
  const name = `${dataset.schema}.${dataset.name}`;
  if (pinned) {
    if (dataset.broken !== undefined) fail('policy.invalid', `${name} can not be read: run sluice check, which says why`);
    const { kind } = dataset.source;
    if (kind === 'view' || kind === 'duckdb') fail('request.unimplemented', `${name} is no set of files: only those can be kept in memory`);
    const { files } = metadata.source;
    const listed = (await files.indexOf?.(dataset))?.files ?? (await files.list(snapshot.connections, dataset));
    const bytes = listed.reduce((sum, file) => sum + file.bytes, 0);
    if (bytes > bytesMax)
      fail(
        'limit.memory',
        `the files of ${name} take ${bytes} bytes, and all tables in memory at most ${bytesMax}; raise SLUICE_HOT_TABLES`,
      );
  }
  await pins.set(dataset.id, pinned, new Set(snapshot.datasets.map(({ id }) => id)));
}

function resultEntries(results: ResultCache, worker: string): readonly CacheEntry[] {
  const { bytes, diskBytes, hits } = results.stats();
  const entry = { worker, kind: 'result', rows: null, lastUsedAtMs: null, pinned: false } as const;
  return [
    { ...entry, object: 'memory', bytes, hits },
    { ...entry, object: 'disk', bytes: diskBytes, hits: 0 },
  ];
}

function tableEntries(hot: HotTables, { metadata, location }: Parts): readonly CacheEntry[] {
  const names = new Map(metadata.current().snapshot.datasets.map(({ id, schema, name }) => [id, `${schema}.${name}`]));
  return hot
    .entries()
    .map(({ dataset, ...entry }) => ({ worker: location(), kind: 'table', object: names.get(dataset) ?? dataset, ...entry }));
}

function fileEntries({ ranges, footers }: FileCacheBytes, worker: string): readonly CacheEntry[] {
  const entry = { worker, kind: 'metadata', rows: null, hits: 0, lastUsedAtMs: null, pinned: false } as const;
  return [
    { ...entry, object: 'byte ranges of files', bytes: ranges },
    { ...entry, object: 'Parquet footers', bytes: footers },
  ];
}
