/** The limits and the numbers of one server: who may run, what a query may use, what is counted. */
import { totalmem } from 'node:os';
import type { Config } from './config.ts';
import { leased } from './connections.ts';
import type { EngineStats } from './engine/index.ts';
import type { Connection } from './files.ts';
import { limitPlanning } from './flight/index.ts';
import type { Logger } from './log.ts';
import type { Metadata } from './metadata.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import type { Snapshot } from './model.ts';
import type { Planner } from './planner/index.ts';
import { createReadiness, type Readiness } from './readiness.ts';
import { createRestServer, type RestServer } from './rest/index.ts';
import { type Admission, createAdmission, createMemoryGuard, createQueryLimits, type QueryLimits, residentLimit } from './worker/index.ts';

export interface Operations extends AsyncDisposable {
  readonly metrics: Metrics;
  readonly admission: Admission;
  readonly limits: QueryLimits;
  /** The same planner, within its limits. */
  limited(planner: Planner): Planner;
}

/** What the HTTP port tells of. */
export interface Observed {
  readonly metadata: Pick<Metadata, 'current' | 'pool' | 'storage' | 'fleet' | 'outageMs'>;
  readonly readiness: Readiness;
  /** Streams that pass through a planner; null where none do. */
  readonly streams: (() => number) | null;
  readonly logger: Logger;
}

/** The endpoints of one query, each opened a few times. */
const STREAMS_PER_QUERY = 64;

export function createOperations(config: Config, logger: Logger): Operations {
  const metrics = createMetrics();
  const limits = createQueryLimits({
    queryMs: config.queryMs,
    idleMs: config.streamIdleMs,
    resultBytesMax: config.resultBytesMax,
    onFirstBatch: (ms) => metrics.firstBatch(ms / 1000),
  });
  const rssLimitBytes = config.rssLimitBytes ?? residentLimit(config.memoryLimitBytes, process.constrainedMemory() || totalmem());
  const guard = createMemoryGuard({
    limitBytes: rssLimitBytes,
    residentBytes: () => process.memoryUsage.rss(),
    running: limits.running,
    onGrowth: limits.blame,
    endOne: limits.endOne,
    onEnded: (residentBytes) => {
      metrics.endedForMemory();
      logger.warn({ residentBytes, limitBytes: rssLimitBytes }, 'a query was ended to save memory');
    },
  });
  const queue = { waiting: config.queueMax, waitingPerPrincipal: config.queuePerPrincipal, waitMs: config.queueMs, closed: guard.closed };
  const admission = createAdmission({
    ...queue,
    noun: 'queries',
    running: config.streamsMax,
    runningPerPrincipal: config.streamsPerPrincipal,
    streamsPerQuery: STREAMS_PER_QUERY,
    memory: streamMemory(config, rssLimitBytes),
    onAdmitted: (ms) => metrics.waited('query', ms / 1000),
  });
  const planning = createAdmission({
    ...queue,
    noun: 'statements to plan',
    running: config.streamsMax,
    runningPerPrincipal: config.plansPerPrincipal,
    streamsPerQuery: 1,
    onAdmitted: (ms) => metrics.waited('plan', ms / 1000),
  });
  metrics.read({
    queries_running: () => admission.stats().running,
    queries_waiting: () => admission.stats().waiting,
    stream_memory_bytes: () => admission.stats().bytes,
    plans_running: () => planning.stats().running,
    plans_waiting: () => planning.stats().waiting,
    memory_limit_bytes: () => rssLimitBytes,
  });
  return {
    metrics,
    admission,
    limits,
    limited: (planner) => limitPlanning(planner, planning, (ms) => metrics.planned(ms / 1000)),
    [Symbol.asyncDispose]: async () => {
      guard[Symbol.dispose]();
      metrics[Symbol.dispose]();
    },
  };
}

/** Least number of open results that the memory beside the engine's is thought to hold. */
const RESULTS_MIN = 32;
/** Most open results stand still or hold less than their window; the memory guard is the last word. */
const OVERCOMMIT = 2;

function streamMemory(config: Config, rssLimitBytes: number): NonNullable<Parameters<typeof createAdmission>[0]['memory']> {
  const { streamMemoryBytes, memoryLimitBytes, streamWindow, batchBytes } = config;
  const firstStream = streamWindow * batchBytes;
  const auto = Math.max(RESULTS_MIN * firstStream, OVERCOMMIT * (rssLimitBytes - memoryLimitBytes));
  return { max: streamMemoryBytes ?? auto, firstStream, nextStream: batchBytes };
}

/** The HTTP port, with the numbers of metadata and engines; null when it is off. Rejects when the address can not be bound. */
export async function openHttp(config: Config, { metrics }: Operations, observed: Observed): Promise<RestServer | null> {
  const { metadata, readiness, logger } = observed;
  if (config.httpListen === null) return null;
  const policy = lastOf(metadata.current);
  metrics.read({
    policy_epoch: () => policy().snapshot.epoch,
    policy_hits_total: () => policy().uses().hits,
    policy_misses_total: () => policy().uses().misses,
    draining: () => Number(readiness.draining()),
    storage_credentials_total: () => metadata.storage.stats().renewals,
    storage_credential_failures_total: () => metadata.storage.stats().failures,
  });
  observeEngines(metrics, () => metadata.pool.stats());
  observeFleet(config, metrics, observed);
  const unready = async (): Promise<readonly string[]> => {
    const faults = readiness.faults();
    return faults.length > 0 ? faults : engineFaults(metadata);
  };
  return createRestServer({ ...config.httpListen, metrics: metrics.render, unready, logger });
}

/** Whether this node serves: by metadata, storage of its datasets (a worker reads it, nobody else does) and shutdown. */
export function openReadiness(config: Config, metadata: Metadata, logger: Logger): Readiness {
  return createReadiness({
    metadataFault: () => (metadata.outageMs() > config.metadataGraceMs ? 'the metadata service has been out of reach for too long' : null),
    connections: () => (config.role === 'worker' ? usedConnections(metadata.current().snapshot) : []),
    reachable: metadata.storage.reachable,
    intervalMs: config.healthMs,
    logger,
  });
}

function usedConnections({ connections, datasets }: Snapshot): readonly Connection[] {
  const used = new Set(datasets.flatMap(({ source }) => (source.kind === 'view' ? [] : [source.connection])));
  return connections.filter(({ name }) => used.has(name));
}

/** The last value that could be had: numbers are scraped also while nothing is planned. */
function lastOf<T>(get: () => T): () => T {
  let last = get();
  return () => {
    try {
      last = get();
    } catch {
      // Out of force for now.
    }
    return last;
  };
}

function observeFleet({ role, metadataUrl }: Config, metrics: Metrics, { metadata, readiness, streams }: Observed): void {
  const { fleet, outageMs } = metadata;
  metrics.read({ serving: () => Number(readiness.faults().length === 0) });
  if (metadataUrl !== null)
    metrics.read({
      metadata_reachable: () => Number(outageMs() === 0),
      metadata_outage_seconds: () => outageMs() / 1000,
      fleet_workers: () => fleet.workers().filter(({ alive }) => alive).length,
    });
  if (role === 'worker')
    metrics.read({
      heartbeat_age_seconds: () => (fleet.heartbeatAgeMs() ?? 0) / 1000,
      storage_unreachable: () => readiness.unreachable(),
    });
  if (streams !== null) metrics.read({ proxy_streams: streams });
}

/** An engine whose threads are all busy answers nobody else at once, and is well. */
async function engineFaults({ pool, current }: Observed['metadata']): Promise<readonly string[]> {
  if (pool.stats().some(({ queuedJobs }) => queuedJobs > 0)) return [];
  try {
    await leased(pool, current().snapshot.connections, (engine) => engine.columns('(SELECT 1 AS ready)'));
    return [];
  } catch {
    return ['the engine does not answer'];
  }
}

/** More than one engine runs while connections change hands. */
function observeEngines(metrics: Metrics, engines: () => readonly EngineStats[]): void {
  const sum = (key: keyof EngineStats) => (): number => engines().reduce((total, stats) => total + stats[key], 0);
  metrics.read({
    streams_open: sum('openStreams'),
    engine_connections: sum('connections'),
    engine_slots_in_use: sum('slotsInUse'),
    engine_slots_idle: sum('slotsIdle'),
    engine_bytes_in_use: sum('bytesInUse'),
    engine_threads: sum('threads'),
    engine_jobs_running: sum('runningJobs'),
    engine_jobs_queued: sum('queuedJobs'),
    engine_catalogs: sum('catalogs'),
    catalog_hits_total: sum('catalogHits'),
    catalog_misses_total: sum('catalogMisses'),
  });
}
