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
  type PolicyEditor,
  PostgresSession,
  type PostgresStore,
  type ScratchStore,
  type SharedDocument,
  withScratch,
} from './catalog/index.ts';
import { type ClusterKeys, openKeysIfThere } from './cluster-keys.ts';
import { type Config, QUICKSTART_DIRECTORY } from './config.ts';
import { leased, openConnections } from './connections.ts';
import { createRegistry, type DatasetRegistry } from './datasets/index.ts';
import { ensureDemoData, flightsDirectory } from './demo.ts';
import { DisposalStack } from './disposal.ts';
import { type Analyzer, createAnalyzer, type FunctionInfo } from './engine/index.ts';
import { fail } from './errors.ts';
import type { Logger } from './log.ts';
import type { Predicate, Snapshot } from './model.ts';
import {
  consistentFunctions,
  createListing,
  type PlannerOptions,
  resolveColumns,
  rowFunctions,
  type SchemaSource,
  type SourceFiles,
} from './planner/index.ts';
import { checkPolicy, compilePolicy, type Policy } from './policy/index.ts';
import { DEFAULT_SQL_LIMITS, functionAllowList, type SqlLimits, supportsMask, toPredicate } from './sql/index.ts';
import type { Storage } from './storage/index.ts';
import type { EnginePool } from './worker/index.ts';

/** What planning asks of storage and of the engine's functions. */
export type PlanningSource = Pick<PlannerOptions, 'files' | 'split' | 'consistentFunctions'>;

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
  readonly source: SchemaSource & PlanningSource;
  readonly storage: Storage;
  readonly pool: EnginePool;
  readonly fleet: Fleet;
  readonly indexes: FileIndexStore;
  readonly datasets: DatasetRegistry;
  /** Resolves when every change made so far is in force. */
  settled(): Promise<void>;
  /** Milliseconds since the metadata database last answered; 0 while it does, and for a directory. */
  outageMs(): number;
  /** A document that the nodes share; null when this node keeps its own files. */
  shared(name: string): Promise<SharedDocument | null>;
  /** Calls back with each later snapshot. */
  watch(listener: (snapshot: Snapshot) => void): void;
}

/** What `sluice check` needs too: the policy directory loaded, compiled and kept up to date. */
export async function openMetadata(config: Config, keys: ClusterKeys, options: MetadataOptions): Promise<Metadata> {
  const started = new DisposalStack();
  try {
    const demoDirectory = join(config.stateDirectory, 'demo');
    if (config.policyDirectory === QUICKSTART_DIRECTORY) await ensureDemoData(demoDirectory, options.progress ?? (() => {}));
    const { source, storage, pool, loading, planning } = await openSources(config, keys, options, started);
    const session = await openSession(config, loading.onProblems, started);
    const fleet = started.add(session === null ? createSingleNode() : await createPostgresFleet(session, config));
    const indexes = createFileIndexStore({
      backend:
        session === null ? createIndexFiles(join(config.stateDirectory, 'indexes')) : await openIndexTable(session, config.metadataGraceMs),
      onProblems: loading.onProblems,
    });
    const governed = started.add(await openStore(config, loading, session));
    const store = options.scratch === undefined ? governed : started.add(withScratch(governed, options.scratch));
    const { current, settled } = await followPolicy(store, pool, config.cluster, options);
    return {
      current,
      settled,
      outageMs: () => session?.outageMs() ?? 0,
      source: { ...source, ...planning, files: sourceFiles(storage, indexes) },
      storage,
      pool,
      fleet,
      indexes,
      datasets: createRegistry({
        list: storage.list,
        lease: pool.lease,
        indexes,
        editor: governed.editor,
        current: () => current().snapshot,
        settled,
      }),
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
    const { loading } = await openSources(config, await openKeysIfThere(config), options, started);
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
  return config.metadataUrl === null
    ? null
    : started.add(await PostgresSession.open({ url: config.metadataUrl, pollMs: config.heartbeatMs, onProblems }));
}

interface Sources {
  readonly source: SchemaSource;
  readonly planning: Omit<PlanningSource, 'files'>;
  readonly storage: Storage;
  readonly pool: EnginePool;
  /** What every store needs to read a policy set. */
  readonly loading: Pick<
    Parameters<typeof createFileStore>[0],
    'parsePredicate' | 'supportsMask' | 'check' | 'resolveColumns' | 'onProblems'
  >;
}

async function openSources(config: Config, keys: ClusterKeys, options: MetadataOptions, started: DisposalStack): Promise<Sources> {
  const analyzer = started.add(await createAnalyzer());
  const { storage, pool } = openConnections(config, keys, options.logger, started);
  const functions = await analyzer.functions();
  const source = schemaSource(config, analyzer, functions, pool, storage);
  const planning = {
    split: { rowFunctions: rowFunctions(functions), bytesMin: SHARED_BYTES },
    consistentFunctions: consistentFunctions(functions),
  };
  const loading = {
    parsePredicate: (text: string) => parsePredicate(analyzer, text),
    supportsMask,
    check: checkPolicy,
    resolveColumns: (draft: Parameters<typeof resolveColumns>[0]) => resolveColumns(draft, source),
    onProblems: options.onProblems ?? (() => {}),
  };
  return { source, planning, storage, pool, loading };
}

async function openStore(
  config: Config,
  loading: Sources['loading'],
  session: PostgresSession | null,
): Promise<MetadataStore & { readonly editor: PolicyEditor }> {
  const base = baseOf(config);
  if (session === null) return createFileStore({ ...loading, ...base, variables: Object.fromEntries(base.variables) });
  const store = await createPostgresStore({ ...loading, base, session, graceMs: config.metadataGraceMs });
  if ((await store.pull()) !== null) return store;
  return fail('policy.invalid', 'the metadata holds no policy set yet; write one with: sluice policy push <directory>');
}

/** Relative paths of a shared set start at this node's policy directory. */
function baseOf(config: Config): Required<Parameters<typeof createPostgresStore>[0]['base']> {
  const variables = new Map([
    ['data', join(config.stateDirectory, 'demo')],
    ['flights', flightsDirectory()],
  ]);
  return { directory: config.policyDirectory, variables, plaintextNetwork: config.plaintextNetwork };
}

/** Swaps catalog and policy together, so that a request never sees one without the other. */
async function followPolicy(
  store: MetadataStore,
  pool: EnginePool,
  cluster: string,
  options: MetadataOptions,
): Promise<Pick<Metadata, 'current' | 'settled'>> {
  let newest = store.current();
  let current = await compilePolicy(newest, cluster);
  let work: Promise<void> = Promise.resolve();
  pool.retain(newest.connections);
  const follow = async (snapshot: Snapshot): Promise<void> => {
    if (snapshot !== newest) return;
    try {
      const compiled = await compilePolicy(snapshot, cluster);
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

/** Datasets with less are read as a whole: more endpoints would cost more than they bring. */
const SHARED_BYTES = 8 * 1024 ** 2;

/** Objects whose names and first footer tell the columns of all. */
const SCHEMA_FILES = 10_000;

function schemaSource(
  config: Config,
  analyzer: Analyzer,
  functions: readonly FunctionInfo[],
  pool: EnginePool,
  storage: Storage,
): SchemaSource {
  const limits: SqlLimits = { ...DEFAULT_SQL_LIMITS, textBytes: config.sqlBytesMax, depth: config.sqlDepthMax, nodes: config.sqlNodesMax };
  return {
    analyzer,
    functions: functionAllowList(functions),
    limits,
    objects: async (connections, pattern) => (await storage.list(connections, pattern, { max: SCHEMA_FILES })).map(({ path }) => path),
    columnsOf: (connections, relation) => leased(pool, connections, (engine) => engine.columns(relation)),
  };
}

function sourceFiles(storage: Storage, indexes: FileIndexStore): SourceFiles {
  const list = createListing({ list: (connections, pattern, max) => storage.list(connections, pattern, { max }) });
  return { list, indexOf: (dataset) => indexes.of(dataset) };
}

/** The line breaks keep a trailing comment of the filter from swallowing the bracket. */
async function parsePredicate(analyzer: Analyzer, text: string): Promise<Predicate> {
  return toPredicate(await analyzer.parse(`SELECT 1 WHERE (\n${text}\n)`));
}
