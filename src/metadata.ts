/** The metadata in force: where it comes from, the policy compiled from it, and the engines for its connections. */
import { join } from 'node:path';
import {
  createFileIndexStore,
  createFileStore,
  createIndexFiles,
  createPostgresFleet,
  createPostgresStore,
  createSingleNode,
  type FileIndexStore,
  type Fleet,
  type MetadataStore,
  openIndexTable,
  openSharedDocument,
  PostgresSession,
  type PostgresStore,
  type ScratchStore,
  type SharedDocument,
  withScratch,
} from './catalog/index.ts';
import { type Config, QUICKSTART_DIRECTORY } from './config.ts';
import { ensureDemoData, flightsDirectory } from './demo.ts';
import { DisposalStack } from './disposal.ts';
import { type Analyzer, createAnalyzer, createEngine } from './engine/index.ts';
import { fail } from './errors.ts';
import type { Logger } from './log.ts';
import type { Connection, Predicate, Snapshot } from './model.ts';
import { resolveColumns, rowFunctions, type SchemaSource } from './planner/index.ts';
import { checkPolicy, compilePolicy, type Policy } from './policy/index.ts';
import { DEFAULT_SQL_LIMITS, functionAllowList, type SqlLimits, supportsMask, toPredicate } from './sql/index.ts';
import { createEnginePool, type EnginePool } from './worker/index.ts';

export interface MetadataOptions {
  readonly logger: Logger;
  /** One line of progress for a person. */
  readonly progress?: (line: string) => void;
  /** Faults of the policy set, at start and after each edit. */
  readonly onProblems?: (problems: readonly string[]) => void;
  /** Tables of principals, which belong to a running server alone. */
  readonly scratch?: ScratchStore;
}

export interface Metadata extends AsyncDisposable {
  /** The policy in force; its snapshot is the catalog in force. */
  current(): Policy;
  readonly source: SchemaSource;
  readonly pool: EnginePool;
  readonly fleet: Fleet;
  readonly indexes: FileIndexStore;
  /** Resolves when every change made so far is in force. */
  settled(): Promise<void>;
  /** A document that the nodes share; null when this node keeps its own files. */
  shared(name: string): Promise<SharedDocument | null>;
  /** Calls back with each later snapshot. */
  watch(listener: (snapshot: Snapshot) => void): void;
}

/** What `sluice check` needs too: the policy directory loaded, compiled and kept up to date. */
export async function openMetadata(config: Config, tokenKey: string, options: MetadataOptions): Promise<Metadata> {
  const started = new DisposalStack();
  try {
    const demoDirectory = join(config.stateDirectory, 'demo');
    if (config.policyDirectory === QUICKSTART_DIRECTORY) await ensureDemoData(demoDirectory, options.progress ?? (() => {}));
    const { source, pool, loading } = await openSources(config, tokenKey, options, started);
    const session = await openSession(config, loading.onProblems, started);
    const fleet = started.add(session === null ? createSingleNode() : await createPostgresFleet(session, config.cluster));
    const indexes = createFileIndexStore({
      backend:
        session === null ? createIndexFiles(join(config.stateDirectory, 'indexes')) : await openIndexTable(session, config.metadataGraceMs),
      onProblems: loading.onProblems,
    });
    const governed = started.add(await openStore(config, loading, session));
    const store = options.scratch === undefined ? governed : started.add(withScratch(governed, options.scratch));
    const { current, settled } = await followPolicy(store, pool, options);
    return {
      current,
      settled,
      source,
      pool,
      fleet,
      indexes,
      shared: async (name) => (session === null ? null : openSharedDocument(session, name, config.metadataGraceMs)),
      watch: (listener) => void store.watch(listener),
      [Symbol.asyncDispose]: () => started.dispose(),
    };
  } catch (error) {
    await started.dispose();
    throw error;
  }
}

/** Reads and changes the shared policy set. Rejects with config.invalid when the metadata is a directory. */
export async function withRevisions<T>(config: Config, options: MetadataOptions, work: (store: PostgresStore) => Promise<T>): Promise<T> {
  const started = new DisposalStack();
  try {
    const { loading } = await openSources(config, '', options, started);
    const session = await openSession(config, loading.onProblems, started);
    if (session === null) return fail('config.invalid', 'the metadata is a directory of files; set SLUICE_METADATA to postgres://…');
    return await work(
      started.add(await createPostgresStore({ ...loading, base: baseOf(config), session, graceMs: config.metadataGraceMs })),
    );
  } finally {
    await started.dispose();
  }
}

/** null = the metadata is a directory. */
async function openSession(
  config: Config,
  onProblems: Sources['loading']['onProblems'],
  started: DisposalStack,
): Promise<PostgresSession | null> {
  return config.metadataUrl === null ? null : started.add(await PostgresSession.open({ url: config.metadataUrl, onProblems }));
}

interface Sources {
  readonly source: SchemaSource;
  readonly pool: EnginePool;
  /** What every store needs to read a policy set. */
  readonly loading: Pick<
    Parameters<typeof createFileStore>[0],
    'parsePredicate' | 'supportsMask' | 'check' | 'resolveColumns' | 'onProblems'
  >;
}

async function openSources(config: Config, tokenKey: string, options: MetadataOptions, started: DisposalStack): Promise<Sources> {
  const temporary = join(config.stateDirectory, 'tmp');
  const analyzer = started.add(await createAnalyzer());
  const pool = started.add(createEnginePool((connections) => createEngine(engineOptions(config, connections, temporary, tokenKey))));
  const source = await schemaSource(config, analyzer, pool);
  const loading = {
    parsePredicate: (text: string) => parsePredicate(analyzer, text),
    supportsMask,
    check: checkPolicy,
    resolveColumns: (draft: Parameters<typeof resolveColumns>[0]) => resolveColumns(draft, source),
    onProblems: options.onProblems ?? (() => {}),
  };
  return { source, pool, loading };
}

async function openStore(config: Config, loading: Sources['loading'], session: PostgresSession | null): Promise<MetadataStore> {
  const base = baseOf(config);
  if (session === null)
    return createFileStore({ ...loading, directory: config.policyDirectory, variables: Object.fromEntries(base.variables) });
  const store = await createPostgresStore({ ...loading, base, session, graceMs: config.metadataGraceMs });
  if ((await store.pull()) !== null) return store;
  return fail('policy.invalid', 'the metadata holds no policy set yet; write one with: sluice policy push <directory>');
}

/** Relative paths of a shared set start at this node's policy directory. */
function baseOf(config: Config): { readonly directory: string; readonly variables: ReadonlyMap<string, string> } {
  const variables = new Map([
    ['data', join(config.stateDirectory, 'demo')],
    ['flights', flightsDirectory()],
  ]);
  return { directory: config.policyDirectory, variables };
}

/** Swaps catalog and policy together, so that a request never sees one without the other. */
async function followPolicy(
  store: MetadataStore,
  pool: EnginePool,
  options: MetadataOptions,
): Promise<Pick<Metadata, 'current' | 'settled'>> {
  let newest = store.current();
  let current = await compilePolicy(newest);
  let work: Promise<void> = Promise.resolve();
  pool.retain(newest.connections);
  const follow = async (snapshot: Snapshot): Promise<void> => {
    if (snapshot !== newest) return;
    try {
      const compiled = await compilePolicy(snapshot);
      const { epoch } = current.snapshot;
      current = compiled;
      pool.retain(snapshot.connections);
      if (snapshot.epoch !== epoch) options.logger.info({ epoch: snapshot.epoch }, 'policy changed');
    } catch (error) {
      options.onProblems?.([`the policy does not compile, the last good one stays in force: ${String(error)}`]);
    }
  };
  store.watch((snapshot) => {
    newest = snapshot;
    // One after the other, so that a slow one never undoes a later one.
    work = work.then(() => follow(snapshot));
  });
  const inForce = (): Policy => {
    // Rejects when the set in force is too old to be trusted.
    store.current();
    return current;
  };
  return { current: inForce, settled: () => work };
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
  const functions = await analyzer.functions();
  const limits: SqlLimits = { ...DEFAULT_SQL_LIMITS, textBytes: config.sqlBytesMax, depth: config.sqlDepthMax, nodes: config.sqlNodesMax };
  return {
    analyzer,
    functions: functionAllowList(functions),
    limits,
    files: {
      list: async (connections, pattern, max) => {
        const { engine, release } = await pool.lease(connections);
        try {
          return await engine.files(pattern, max);
        } finally {
          release();
        }
      },
      rowFunctions: rowFunctions(functions),
      bytesMin: 8 * 1024 ** 2,
    },
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
