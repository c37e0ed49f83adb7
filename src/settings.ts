/** Every setting: its name, its default and what it means. `config.ts` reads them, `documentation.ts` prints them. */
import type { Config } from './config.ts';
import { FLEET_SETTINGS } from './fleet-settings.ts';
import { IDENTITY_SETTINGS } from './identity-settings.ts';
import { bytes, duration, integer, MIB, oneOf, optional, parseListen, parseListenOrOff, parseThreads, path } from './setting-values.ts';

export interface Setting {
  readonly key: keyof Config | 'flightListen';
  /** Text as a person would set it. */
  readonly default: string;
  readonly doc: string;
  readonly secret?: boolean;
  /** Throws an Error whose message completes "SLUICE_X …". */
  readonly parse: (text: string) => unknown;
}

export const SETTINGS: Readonly<Record<string, Setting>> = {
  ...FLEET_SETTINGS,
  SLUICE_FLIGHT_LISTEN: {
    key: 'flightListen',
    default: '127.0.0.1:8815',
    parse: parseListen,
    doc: 'Address of the Flight SQL server, `host:port`. Port 0 takes a free one.',
  },
  SLUICE_HTTP_LISTEN: {
    key: 'httpListen',
    default: 'off',
    parse: parseListenOrOff,
    doc: 'Address of the HTTP port with `/metrics`, `/healthz` and `/readyz`, `host:port`, or `off`.',
  },
  SLUICE_HTTP_PLAINTEXT: {
    key: 'httpPlaintext',
    default: 'refuse',
    parse: (text) => oneOf('refuse', 'allow')(text) === 'allow',
    doc: '`allow` lets the HTTP port, which has no TLS and tells numbers only, listen beyond loopback.',
  },
  SLUICE_PLAINTEXT_NETWORK: {
    key: 'plaintextNetwork',
    default: 'refuse',
    parse: (text) => oneOf('refuse', 'allow')(text) === 'allow',
    doc: '`allow` lets ports without TLS listen beyond loopback, and connections use `http://` endpoints there.',
  },
  SLUICE_STATE_DIR: {
    key: 'stateDirectory',
    default: '.sluice',
    parse: path,
    doc: 'Directory for the cluster key, the audit log, temporary files and the demo data.',
  },
  SLUICE_AUDIT_LOG: {
    key: 'auditLog',
    default: '',
    parse: (text) => (text === 'stdout' ? text : optional(path)(text)),
    doc: 'Where the audit log goes: a file that is appended to, or `stdout`. Empty: `audit.jsonl` in the state directory.',
  },
  SLUICE_SCRATCH_DIR: {
    key: 'scratchDirectory',
    default: '',
    parse: optional(path),
    doc: "Directory for the tables that principals make in the scratch schema, one server's alone. Empty: `scratch` in the state directory.",
  },
  SLUICE_SCRATCH_TABLES: {
    key: 'scratchTables',
    default: '100',
    parse: integer(0, 100_000),
    doc: 'Most tables that one principal may have in the scratch schema.',
  },
  SLUICE_SCRATCH_BYTES: {
    key: 'scratchBytes',
    default: '1GB',
    parse: bytes(0, 2 ** 50),
    doc: 'Most disk space that the tables of one principal may take.',
  },
  SLUICE_POLICIES: {
    key: 'policyDirectory',
    default: 'policies/quickstart',
    parse: path,
    doc: 'The policy directory. The default is the demo that ships with Sluice.',
  },
  SLUICE_LOG_LEVEL: {
    key: 'logLevel',
    default: 'warn',
    parse: oneOf('debug', 'info', 'warn', 'error', 'silent'),
    doc: 'Least severe log line written to stderr.',
  },
  SLUICE_MEMORY_LIMIT: {
    key: 'memoryLimitBytes',
    default: '4GB',
    parse: bytes(64 * MIB, 2 ** 50),
    doc: 'Memory of the query engine; beyond it queries spill.',
  },
  SLUICE_TEMP_LIMIT: { key: 'tempLimitBytes', default: '16GB', parse: bytes(0, 2 ** 50), doc: 'Disk space for spilling.' },
  SLUICE_THREADS: { key: 'threads', default: 'cores', parse: parseThreads, doc: 'Threads of the query engine; `cores` is one per core.' },
  SLUICE_ENGINE_THREADS: {
    key: 'engineThreads',
    default: '16',
    parse: integer(1, 256),
    doc: 'Most results that are computed at the same time; more wait their turn.',
  },
  SLUICE_CONNECTIONS: {
    key: 'connectionsMax',
    default: '4096',
    parse: integer(1, 1_000_000),
    doc: 'Most connections to the Flight port at the same time; more are closed at once.',
  },
  SLUICE_CONNECTIONS_PER_ADDRESS: {
    key: 'connectionsPerAddress',
    default: '1024',
    parse: integer(1, 1_000_000),
    doc: 'Of these from one address. Behind a load balancer that hides addresses, all clients have one.',
  },
  SLUICE_MAX_STREAMS: {
    key: 'streamsMax',
    default: '256',
    parse: integer(1, 100_000),
    doc: 'Most queries whose results are open at once; more wait in a queue. The endpoints of one query count once.',
  },
  SLUICE_STREAMS_PER_PRINCIPAL: {
    key: 'streamsPerPrincipal',
    default: '128',
    parse: integer(1, 100_000),
    doc: 'Most queries of one principal whose results are open at once.',
  },
  SLUICE_QUEUE_MAX: {
    key: 'queueMax',
    default: '1024',
    parse: integer(0, 100_000),
    doc: 'Most queries that wait for a place; principals take turns. The next is refused with RESOURCE_EXHAUSTED.',
  },
  SLUICE_QUEUE_PER_PRINCIPAL: {
    key: 'queuePerPrincipal',
    default: '256',
    parse: integer(0, 100_000),
    doc: 'Most queries of one principal that wait for a place.',
  },
  SLUICE_QUEUE_TIME: { key: 'queueMs', default: '1m', parse: duration(0), doc: 'Longest wait for a place.' },
  SLUICE_PLANS_PER_PRINCIPAL: {
    key: 'plansPerPrincipal',
    default: '8',
    parse: integer(1, 10_000),
    doc: 'Most statements of one principal that are planned at once; more wait in a queue of the same bounds.',
  },
  SLUICE_QUERY_TIME: {
    key: 'queryMs',
    default: '30m',
    parse: duration(1),
    doc: 'Longest time that a result or a change may take from its request to its end.',
  },
  SLUICE_STREAM_IDLE: {
    key: 'streamIdleMs',
    default: '10m',
    parse: duration(1),
    doc: 'Longest time in which a client takes no record batch of a result that is ready for it.',
  },
  SLUICE_RESULT_BYTES: {
    key: 'resultBytesMax',
    default: '64GB',
    parse: bytes(1, 2 ** 50),
    doc: 'Largest result: Arrow bytes of all streams of a query.',
  },
  SLUICE_RSS_LIMIT: {
    key: 'rssLimitBytes',
    default: 'auto',
    parse: (text) => (text === 'auto' ? null : bytes(64 * MIB, 2 ** 50)(text)),
    doc: 'Resident memory above which new queries are refused and one is ended: the one that took most of it, or the newest. `auto`: the memory limit and 2GB, at most 90% of the machine.',
  },
  SLUICE_BATCH_BYTES: {
    key: 'batchBytes',
    default: '3MB',
    parse: bytes(64 * 1024, 15 * MIB),
    doc: 'Target size of one record batch. Clients with the gRPC default accept messages under 4 MB.',
  },
  SLUICE_STREAM_WINDOW: {
    key: 'streamWindow',
    default: '4',
    parse: integer(1, 64),
    doc: 'Record batches a stream may hold in memory at once.',
  },
  SLUICE_STREAMING_BUFFER: {
    key: 'streamingBufferBytes',
    default: '64MB',
    parse: bytes(MIB, 2 ** 40),
    doc: 'How far the engine may scan ahead of a reader.',
  },
  SLUICE_STREAM_MEMORY: {
    key: 'streamMemoryBytes',
    default: 'auto',
    parse: (text) => (text === 'auto' ? null : bytes(MIB, 2 ** 50)(text)),
    doc: 'Memory for the record batches of all open results, of which one principal may have half; queries beyond it wait. `auto`: twice what the resident limit leaves beside the memory limit.',
  },
  SLUICE_RESULT_CACHE: {
    key: 'resultCacheBytes',
    default: '256MB',
    parse: bytes(0, 2 ** 50),
    doc: 'Memory for finished results of repeated queries, one at most an eighth of it. 0 keeps none.',
  },
  SLUICE_RESULT_CACHE_DISK: {
    key: 'resultCacheDiskBytes',
    default: '1GB',
    parse: bytes(0, 2 ** 50),
    doc: 'Disk space in the state directory for results that were asked for again, encrypted under a key that ends with the process. 0 keeps none.',
  },
  SLUICE_HOT_TABLES: {
    key: 'hotTablesBytes',
    default: '512MB',
    parse: bytes(0, 2 ** 50),
    doc: 'Memory for datasets that are read often or pinned; at most a quarter of the memory limit, of which it is a part. 0 keeps none.',
  },
  SLUICE_HOT_TABLE_MAX: {
    key: 'hotTableBytes',
    default: '64MB',
    parse: bytes(0, 2 ** 50),
    doc: 'Largest dataset, in bytes of its files, that is taken into memory because it is read often. A pinned one may be larger.',
  },
  SLUICE_EXTENSIONS: {
    key: 'extensions',
    default: '',
    parse: optional(path),
    doc: 'Directory that holds `httpfs.duckdb_extension`, which connections of kind `s3` need. Empty: DuckDB downloads it to its own place.',
  },
  SLUICE_SQL_MAX_BYTES: { key: 'sqlBytesMax', default: '256KB', parse: bytes(1024, 16 * MIB), doc: 'Longest statement.' },
  SLUICE_SQL_MAX_DEPTH: { key: 'sqlDepthMax', default: '150', parse: integer(10, 1000), doc: 'Deepest nesting of a statement.' },
  SLUICE_SQL_MAX_NODES: { key: 'sqlNodesMax', default: '50000', parse: integer(100, 10_000_000), doc: 'Most syntax nodes of a statement.' },
  SLUICE_TICKET_TTL: {
    key: 'ticketTtlMs',
    default: '10m',
    parse: duration(1000),
    doc: 'How long a ticket or prepared statement stays valid.',
  },
  SLUICE_SESSION_TTL: {
    key: 'sessionTtlMs',
    default: '8h',
    parse: duration(1000),
    doc: 'How long a bearer token stays valid unused; each response carries a fresh one.',
  },
  SLUICE_SESSION_OPTIONS_TTL: {
    key: 'sessionOptionsTtlMs',
    default: '30m',
    parse: duration(1000),
    doc: 'How long session options (the cookie of SetSessionOptions) last after their last use.',
  },
  ...IDENTITY_SETTINGS,
  SLUICE_DRAIN: { key: 'drainMs', default: '10s', parse: duration(0), doc: 'How long running streams may go on after SIGTERM.' },
};
