/** Builds every part from a Config and connects them; `main.ts` and the tests start the same server. */
import { hkdfSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AuditLog, createAuditFile } from './audit.ts';
import { createAuthenticator } from './auth/index.ts';
import { createFileStore, type FileStore } from './catalog/index.ts';
import { type Config, QUICKSTART_DIRECTORY } from './config.ts';
import { ensureDemoData, flightsDirectory } from './demo.ts';
import { type Analyzer, createAnalyzer, createEngine } from './engine/index.ts';
import { createFlightServer, type FlightServer, sqlMethods } from './flight/index.ts';
import { fail } from './errors.ts';
import type { Logger } from './log.ts';
import type { Connection, Predicate, Snapshot } from './model.ts';
import { createPlanner, resolveColumns, type SchemaSource } from './planner/index.ts';
import { checkPolicy, compilePolicy, type Policy } from './policy/index.ts';
import { DEFAULT_SQL_LIMITS, functionAllowList, type SqlLimits, supportsMask, toPredicate } from './sql/index.ts';
import { createSealer } from './wire/index.ts';
import { createAdmission, createEnginePool, createWorker, type EnginePool } from './worker/index.ts';

export const VERSION = '0.1.0';

export interface StartOptions {
  readonly logger: Logger;
  /** One line of progress for a person. */
  readonly progress?: (line: string) => void;
  /** Faults of the policy directory, at start and after each edit. */
  readonly onProblems?: (problems: readonly string[]) => void;
}

export interface SluiceServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** False when DoGet had to fall back to grpc-js's own writer. */
  readonly fastPath: boolean;
  /** The catalog and policy in force. */
  snapshot(): Snapshot;
  /** Lets running streams finish for `graceMs`, then ends them. */
  drain(graceMs: number): Promise<void>;
}

/** Rejects with SluiceError config.invalid or policy.invalid; nothing is left running then. */
export async function startServer(config: Config, options: StartOptions): Promise<SluiceServer> {
  const started = new DisposalStack();
  try {
    return await buildServer(config, options, started);
  } catch (error) {
    await started.dispose();
    throw error;
  }
}

async function buildServer(config: Config, options: StartOptions, started: DisposalStack): Promise<SluiceServer> {
  const keys = deriveKeys(config.clusterKey ?? (await loadClusterKey(config.stateDirectory)));
  const sealer = createSealer([{ id: '1', key: keys.seal }]);
  const metadata = started.add(await openMetadata(config, keys.token, options));
  const audit = started.add<AuditLog>(await createAuditFile(join(config.stateDirectory, 'audit.jsonl')));
  const { current, source, pool } = metadata;
  const planner = createPlanner({
    ...source,
    policy: async () => current(),
    sealer,
    cluster: config.cluster,
    ticketTtlMs: config.ticketTtlMs,
    preparedTtlMs: config.sessionTtlMs,
  });
  const worker = createWorker({
    cluster: config.cluster,
    sealer,
    lease: (connections) => pool.lease(connections),
    inForce: async (principal) => {
      const policy = current();
      return { snapshot: policy.snapshot, rights: await policy.forPrincipal(principal) };
    },
    admission: createAdmission({
      noun: 'queries',
      running: config.streamsMax,
      runningPerPrincipal: config.streamsMax,
      waiting: config.streamsMax,
      waitingPerPrincipal: config.streamsMax,
      waitMs: 10_000,
      streamsPerQuery: 64,
    }),
    runCommand: async () => fail('request.unimplemented', 'there is no scratch schema'),
    ingest: async () => fail('request.unimplemented', 'there is no scratch schema'),
  });
  const authenticator = createAuthenticator({
    findUser: (name) => current().snapshot.users.find((user) => user.name === name),
    sealer,
    sessionTtlMs: config.sessionTtlMs,
  });
  const flight = started.add<FlightServer>(
    await createFlightServer({
      host: config.flightHost,
      port: config.flightPort,
      methods: sqlMethods({ planner, worker, sealer, version: VERSION }),
      authenticator,
      audit,
      logger: options.logger,
      maxMessageBytes: 16 * 1024 ** 2,
    }),
  );
  return {
    host: config.flightHost,
    port: flight.port,
    fastPath: flight.fastPath,
    snapshot: () => current().snapshot,
    drain: (graceMs) => flight.drain(graceMs),
    [Symbol.asyncDispose]: () => started.dispose(),
  };
}

/** Closes parts in the reverse order of their start. */
class DisposalStack {
  readonly #parts: AsyncDisposable[] = [];

  add<T extends AsyncDisposable>(part: T): T {
    this.#parts.push(part);
    return part;
  }

  async dispose(): Promise<void> {
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) await part[Symbol.asyncDispose]();
  }
}

interface Metadata extends AsyncDisposable {
  /** The policy in force; its snapshot is the catalog in force. */
  current(): Policy;
  readonly source: SchemaSource;
  readonly pool: EnginePool;
}

/** What `sluice check` needs too: the policy directory loaded, compiled and kept up to date. */
export async function openMetadata(config: Config, tokenKey: string, options: StartOptions): Promise<Metadata> {
  const started = new DisposalStack();
  try {
    const temporary = join(config.stateDirectory, 'tmp');
    await mkdir(temporary, { recursive: true });
    const demoDirectory = join(config.stateDirectory, 'demo');
    if (config.policyDirectory === QUICKSTART_DIRECTORY) await ensureDemoData(demoDirectory, options.progress ?? (() => {}));
    const analyzer = started.add(await createAnalyzer());
    const pool = started.add(createEnginePool((connections) => createEngine(engineOptions(config, connections, temporary, tokenKey))));
    const source = await schemaSource(config, analyzer, pool);
    const store = started.add(
      await createFileStore({
        directory: config.policyDirectory,
        variables: { data: demoDirectory, flights: flightsDirectory() },
        parsePredicate: (text) => parsePredicate(analyzer, text),
        supportsMask,
        check: checkPolicy,
        resolveColumns: (draft) => resolveColumns(draft, source),
        onProblems: options.onProblems ?? (() => {}),
      }),
    );
    const current = await followPolicy(store, pool, options);
    return { current, source, pool, [Symbol.asyncDispose]: () => started.dispose() };
  } catch (error) {
    await started.dispose();
    throw error;
  }
}

/** Swaps catalog and policy together, so that a request never sees one without the other. */
async function followPolicy(store: FileStore, pool: EnginePool, options: StartOptions): Promise<() => Policy> {
  let current = await compilePolicy(store.current());
  pool.retain(current.snapshot.connections);
  store.watch((snapshot) => {
    compilePolicy(snapshot).then(
      (compiled) => {
        if (compiled.snapshot.epoch < current.snapshot.epoch) return;
        current = compiled;
        pool.retain(snapshot.connections);
        options.logger.info({ epoch: snapshot.epoch }, 'policy changed');
      },
      (error: unknown) => options.onProblems?.([`the policy does not compile, the last good one stays in force: ${String(error)}`]),
    );
  });
  return () => current;
}

function engineOptions(
  config: Config,
  connections: readonly Connection[],
  tempDirectory: string,
  tokenKey: string,
): Parameters<typeof createEngine>[0] {
  const { memoryLimitBytes, tempLimitBytes, threads, engineThreads, batchBytes, streamWindow, streamingBufferBytes } = config;
  return {
    connections,
    tempDirectory,
    memoryLimitBytes,
    tempLimitBytes,
    threads,
    engineThreads,
    batchBytes,
    streamWindow,
    streamingBufferBytes,
    variables: { sluice_token_key: tokenKey },
  };
}

async function schemaSource(config: Config, analyzer: Analyzer, pool: EnginePool): Promise<SchemaSource> {
  const limits: SqlLimits = { ...DEFAULT_SQL_LIMITS, textBytes: config.sqlBytesMax, depth: config.sqlDepthMax, nodes: config.sqlNodesMax };
  return {
    analyzer,
    functions: functionAllowList(await analyzer.functions()),
    limits,
    columnsOf: async (connections, relation) => {
      const { engine, release } = await pool.lease(connections);
      try {
        return await engine.columns(relation);
      } finally {
        release();
      }
    },
  };
}

/** The line breaks keep a trailing comment of the filter from swallowing the bracket. */
async function parsePredicate(analyzer: Analyzer, text: string): Promise<Predicate> {
  return toPredicate(await analyzer.parse(`SELECT 1 WHERE (\n${text}\n)`));
}

/** Independent keys for sealing and for tokens, so that neither reveals the other (RFC 5869). */
function deriveKeys(master: Uint8Array): { readonly seal: Uint8Array; readonly token: string } {
  const derive = (info: string): Buffer => Buffer.from(hkdfSync('sha256', master, '', `sluice ${info}`, 32));
  return { seal: derive('seal'), token: derive('token').toString('hex') };
}

/** Made once; readable by the owner only. */
async function loadClusterKey(stateDirectory: string): Promise<Uint8Array> {
  const path = join(stateDirectory, 'cluster.key');
  await mkdir(stateDirectory, { recursive: true });
  try {
    await writeFile(path, randomBytes(32).toString('base64'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  return Buffer.from(await readFile(path, 'utf8'), 'base64');
}
