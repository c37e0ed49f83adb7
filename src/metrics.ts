/**
 * What Prometheus scrapes: typed instruments, one set per server. Owns prom-client.
 * No label carries a client's data: methods, status names, error codes and effects come from closed lists.
 * Times are seconds, sizes bytes.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { AuditEntry, AuditFacts, AuditLog } from './audit.ts';
import { ERRORS, type ErrorCode, toSluiceError } from './errors.ts';

/** Read at each scrape; what has no reader is left out. */
const GAUGES = {
  queries_running: 'Queries that hold a place; the streams of one query count once.',
  queries_waiting: 'Queries that wait for a place.',
  stream_memory_bytes: 'Memory that the record batches of open results may take.',
  plans_running: 'Statements being planned.',
  plans_waiting: 'Statements that wait to be planned.',
  streams_open: 'Result streams of the engine that are open.',
  engine_connections: 'Native connections of the engine.',
  engine_slots_in_use: 'Batch buffers that hold rows not yet sent.',
  engine_slots_idle: 'Batch buffers kept for reuse.',
  engine_bytes_in_use: 'Memory of the batch buffers in use.',
  engine_threads: 'Threads that fetch results.',
  engine_jobs_running: 'Fetches under way.',
  engine_jobs_queued: 'Fetches that wait for a thread.',
  engine_catalogs: 'Governed catalogs kept for reuse.',
  result_cache_entries: 'Finished results kept.',
  result_cache_bytes: 'Memory of finished results, and of those being recorded.',
  result_cache_disk_bytes: 'Disk space of finished results.',
  hot_tables: 'Datasets kept as tables in memory.',
  hot_table_bytes: 'Memory of these tables.',
  file_cache_bytes: 'Byte ranges of files that the engine keeps in memory.',
  footer_cache_bytes: 'Parquet footers that the engine keeps in memory.',
  memory_limit_bytes: 'Resident memory above which new queries are refused.',
  policy_epoch: 'Epoch of the policy in force.',
  draining: '1 while the server shuts down.',
  serving: '1 while the node takes new work: metadata and storage answer, and it does not shut down.',
  metadata_reachable: '1 while the metadata database answers.',
  metadata_outage_seconds: 'Time since the metadata database last answered; 0 while it does.',
  fleet_workers: 'Workers of the cluster that are alive and serve.',
  heartbeat_age_seconds: 'Time since this worker last announced itself.',
  storage_unreachable: 'Storage connections of datasets that do not answer.',
  proxy_streams: 'Result streams that pass through this planner from a worker.',
} as const;

/** As the gauges, but of numbers that only grow. */
const TOTALS = {
  policy_hits_total: 'Requests whose principal’s rights were compiled under the policy in force.',
  policy_misses_total: 'Requests whose principal’s rights had to be compiled.',
  catalog_hits_total: 'Queries whose governed catalog the engine had.',
  catalog_misses_total: 'Queries whose governed catalog the engine had to load.',
  storage_credentials_total: 'Times that credentials for a storage connection were got or renewed.',
  storage_credential_failures_total: 'Times that there were none to get; those at hand serve to their end.',
  result_cache_hits_total: 'Repeated queries that were answered from finished results.',
  result_cache_misses_total: 'Repeatable queries that had to be computed.',
  result_cache_evictions_total: 'Finished results that made room for others.',
  hot_table_hits_total: 'Readings of datasets that were in memory.',
  hot_table_misses_total: 'Readings of datasets small enough for memory that were not there.',
  hot_table_loads_total: 'Datasets taken into memory.',
  hot_table_evictions_total: 'Datasets that left memory to make room.',
} as const;

export type ReadName = keyof typeof GAUGES | keyof typeof TOTALS;

/** A number as it is now. */
export type Reading = () => number | Promise<number>;

export interface Metrics extends Disposable {
  /** Seconds from a request to its plan, of successful ones. */
  planned(seconds: number): void;
  /** Seconds from a ticket to its first batch. */
  firstBatch(seconds: number): void;
  /** Seconds that somebody waited for a place. */
  waited(what: 'query' | 'plan', seconds: number): void;
  /** A query that was ended to save the process's memory. */
  endedForMemory(): void;
  /** Numbers that others keep; read at each scrape. */
  read(sources: Readonly<Partial<Record<ReadName, Reading>>>): void;
  /** Counts each request of the log by method, status and error, with its rows, bytes and decisions. */
  meter(log: AuditLog): AuditLog;
  /** The exposition format of Prometheus. */
  render(): Promise<{ readonly contentType: string; readonly text: string }>;
}

const PREFIX = 'sluice_';
const LATENCIES = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];
const LAG_RESOLUTION_MS = 20;

export function createMetrics(): Metrics {
  const registry = new Registry();
  const planned = histogram(registry, 'plan_seconds', 'Time to plan a statement.');
  const firstBatch = histogram(registry, 'first_batch_seconds', 'Time from a ticket to its first batch.');
  const waited = histogram(registry, 'wait_seconds', 'Time that a query or a plan waited for a place.', ['what']);
  const ended = counter(registry, 'ended_for_memory_total', 'Queries ended to save memory.');
  const requests = requestInstruments(registry);
  const lag = processInstruments(registry);
  return {
    planned: (seconds) => planned.observe(seconds),
    firstBatch: (seconds) => firstBatch.observe(seconds),
    waited: (what, seconds) => waited.observe({ what }, seconds),
    endedForMemory: () => ended.inc(),
    read: (sources) => {
      for (const [name, get] of Object.entries(sources)) {
        if (name in GAUGES) gauge(registry, `${PREFIX}${name}`, GAUGES[name as keyof typeof GAUGES], get);
        else total(registry, `${PREFIX}${name}`, TOTALS[name as keyof typeof TOTALS], get);
      }
    },
    meter: (log) => meterAudit(log, requests),
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
    [Symbol.dispose]: () => void lag.disable(),
  };
}

interface RequestInstruments {
  readonly seconds: Histogram<'method' | 'code'>;
  readonly running: Gauge<'method'>;
  readonly errors: Counter<'error'>;
  readonly decisions: Counter<'effect'>;
  readonly rows: Counter;
  readonly bytes: Counter;
}

function requestInstruments(registry: Registry): RequestInstruments {
  return {
    seconds: histogram(registry, 'request_seconds', 'Requests by method and gRPC status, to their last byte.', ['method', 'code']),
    running: new Gauge({ name: `${PREFIX}requests_running`, help: 'Requests under way.', labelNames: ['method'], registers: [registry] }),
    errors: counter(registry, 'errors_total', 'Failed requests by error code; see docs/errors.md.', ['error']),
    decisions: counter(registry, 'policy_decisions_total', 'Decisions on datasets by effect.', ['effect']),
    rows: counter(registry, 'rows_sent_total', 'Rows sent to clients.'),
    bytes: counter(registry, 'bytes_sent_total', 'Bytes of record batches sent to clients.'),
  };
}

function meterAudit(log: AuditLog, instruments: RequestInstruments): AuditLog {
  return {
    begin: (request) => meterEntry(log.begin(request), request.method, instruments),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  };
}

function meterEntry(entry: AuditEntry, method: string, instruments: RequestInstruments): AuditEntry {
  const startedMs = performance.now();
  const sent = { rows: 0, bytes: 0 };
  let finished = false;
  instruments.running.inc({ method });
  const count = (facts: AuditFacts): void => {
    for (const { effect } of facts.decisions ?? []) instruments.decisions.inc({ effect });
    for (const key of ['rows', 'bytes'] as const) {
      // The facts hold running totals.
      const total = facts[key] ?? sent[key];
      if (total > sent[key]) instruments[key].inc(total - sent[key]);
      sent[key] = Math.max(total, sent[key]);
    }
  };
  return {
    requestId: entry.requestId,
    add: (facts) => {
      entry.add(facts);
      if (!finished) count(facts);
    },
    finish: (outcome, error) => {
      entry.finish(outcome, error);
      if (finished) return;
      finished = true;
      const failure: ErrorCode | null = outcome === 'ok' ? null : toSluiceError(error).code;
      if (failure !== null) instruments.errors.inc({ error: failure });
      instruments.running.dec({ method });
      const code = failure === null ? 'OK' : ERRORS[failure].status;
      instruments.seconds.observe({ method, code }, (performance.now() - startedMs) / 1000);
    },
  };
}

/** Of the process, not of the server: two servers in one process report the same. */
function processInstruments(registry: Registry): ReturnType<typeof monitorEventLoopDelay> {
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  total(registry, 'process_cpu_seconds_total', 'CPU time of all threads.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  gauge(registry, 'process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss());
  gauge(registry, 'process_start_time_seconds', 'Start, in seconds since 1970.', () => Math.round(Date.now() / 1000 - process.uptime()));
  gauge(registry, 'nodejs_eventloop_lag_max_seconds', 'Longest delay of the main thread since the last scrape.', () => {
    const longest = Math.max(0, lag.max / 1e9 - LAG_RESOLUTION_MS / 1000);
    lag.reset();
    return longest;
  });
  return lag;
}

function gauge(registry: Registry, name: string, help: string, get: Reading): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    async collect() {
      this.set(await get());
    },
  });
}

function total(registry: Registry, name: string, help: string, get: Reading): void {
  new Counter({
    name,
    help,
    registers: [registry],
    async collect() {
      const value = await get();
      this.reset();
      this.inc(value);
    },
  });
}

function counter<T extends string>(registry: Registry, name: string, help: string, labelNames: readonly T[] = []): Counter<T> {
  return new Counter<T>({ name: `${PREFIX}${name}`, help, labelNames: [...labelNames], registers: [registry] });
}

function histogram<T extends string>(registry: Registry, name: string, help: string, labelNames: readonly T[] = []): Histogram<T> {
  return new Histogram<T>({ name: `${PREFIX}${name}`, help, labelNames: [...labelNames], buckets: LATENCIES, registers: [registry] });
}
