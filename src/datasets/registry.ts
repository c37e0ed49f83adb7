/** Registers datasets of files and keeps their indexes: the catalog is written first, so that no index is of types that it does not have. */
import { CATALOG_FILE, type DatasetEntry, editDataset, type PolicyEditor } from '../catalog/index.ts';
import { fail } from '../errors.ts';
import type { Connection, FileFormat, FileIndex } from '../files.ts';
import type { Dataset, Snapshot, Source, TableName } from '../model.ts';
import { buildIndex } from './build-index.ts';
import type { BuiltIndex, FileDataset, IndexPorts, IndexRequest } from './types.ts';

export interface RegistryPorts extends IndexPorts {
  readonly editor: PolicyEditor;
  readonly current: () => Snapshot;
  /** Resolves when what was written is in force. */
  readonly settled: () => Promise<void>;
}

export interface RegisterRequest {
  readonly table: TableName;
  readonly connection: string;
  /** Relative to the connection. */
  readonly path: string;
  readonly format: FileFormat;
  readonly hivePartitioning: boolean;
  readonly description?: string;
  readonly tags?: readonly string[];
}

export interface RunOptions {
  /** Who is written down as the author. */
  readonly author: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (line: string) => void;
}

export interface RegistryReport extends Pick<BuiltIndex, 'added' | 'changed' | 'removed' | 'bytes' | 'rows'> {
  readonly dataset: TableName;
  readonly files: number;
  readonly columns: BuiltIndex['columns'];
  /** Sentences; empty = nothing to know. */
  readonly note: string;
}

export interface DatasetRegistry {
  /**
   * Makes files a dataset, or, when the same place is registered already, takes added columns and wider types into the catalog.
   * Rejects with dataset.invalid, dataset.exists, policy.invalid, metadata.conflict, storage.unavailable.
   */
  register(request: RegisterRequest, options: RunOptions): Promise<RegistryReport>;
  /** Takes the files as they are now; the catalog stays as it is. Rejects with dataset.invalid, metadata.conflict, storage.unavailable. */
  refresh(dataset: Dataset, options: Omit<RunOptions, 'author'>): Promise<RegistryReport>;
}

export function createRegistry(ports: RegistryPorts): DatasetRegistry {
  return {
    register: (request, options) => register(request, options, ports),
    refresh: (dataset, options) => refresh(dataset, options, ports),
  };
}

async function refresh(dataset: Dataset, options: Omit<RunOptions, 'author'>, ports: RegistryPorts): Promise<RegistryReport> {
  const { source, columns } = requireFiles(dataset);
  if (columns.length === 0) fail('dataset.invalid', 'the columns of the dataset are not known; register it again');
  const before = await previousOf(dataset, ports.indexes);
  const { connections } = ports.current();
  const built = await buildIndex({ ...options, id: dataset.id, source, connections, columns, previous: before.index }, ports);
  await ports.indexes.put(built.index, before.version);
  return report(dataset, built, built.notes);
}

async function register(request: RegisterRequest, options: RunOptions, ports: RegistryPorts): Promise<RegistryReport> {
  const edition = await ports.editor.read();
  const key = `${request.table.schema}.${request.table.name}`;
  const existing = ports.editor.describe(edition.files, key);
  const edit = (columns: DatasetEntry['columns']): Files => withDataset(edition.files, key, { ...request, columns });
  // The reader of catalog.yaml judges name, connection and path.
  const probe = ports.editor.describe(existing.dataset === null ? edit(PROBE) : edition.files, key);
  const dataset = probe.dataset ?? refuse(probe.problems);
  if (probe.problems.length > 0) refuse(probe.problems);
  if (existing.dataset !== null) requireSamePlace(existing.dataset, request, key, edition.files, ports.editor);
  const { source, id } = requireFiles(dataset);
  const before = await previousOf(dataset, ports.indexes);
  const known = existing.dataset === null ? [] : knownColumns(existing.typed, id, ports.current());
  const connections = connectionsFor(probe.connections, ports.current());
  const built = await buildIndex({ ...options, id, source, connections, columns: null, known, previous: before.index }, ports);
  const files = edit(built.columns);
  const snapshot = await ports.editor.write({ ...edition, files }, { author: options.author, comment: `register ${key}` });
  await ports.settled();
  await ports.indexes.put(built.index, before.version);
  return report(dataset, built, [...built.notes, ...notesOn(id, existing.dataset === null, snapshot)]);
}

type Files = ReadonlyMap<string, string>;

/** An entry needs columns. */
const PROBE: DatasetEntry['columns'] = [{ name: 'probe', type: 'INTEGER' }];

function withDataset(files: Files, key: string, entry: DatasetEntry): Files {
  return new Map(files).set(CATALOG_FILE, editDataset(files.get(CATALOG_FILE) ?? '', key, entry));
}

/** Those in force where they hold all that is needed: their engine runs already. */
function connectionsFor(needed: readonly Connection[], { connections }: Snapshot): readonly Connection[] {
  const inForce = new Set(connections.map((connection) => JSON.stringify(connection)));
  return needed.every((connection) => inForce.has(JSON.stringify(connection))) ? connections : needed;
}

function refuse(problems: readonly string[]): never {
  return fail('dataset.invalid', `the catalog would not read:\n  ${problems.join('\n  ')}`);
}

function requireFiles(dataset: Dataset): FileDataset {
  const { source } = dataset;
  if (source.kind === 'view' || source.kind === 'duckdb' || dataset.owner !== undefined)
    return fail('dataset.invalid', 'the dataset has no files of its own: only parquet, csv and json datasets have an index');
  return { ...dataset, source };
}

/** Policies are bound to the dataset: what they protect does not change under them. */
function requireSamePlace(existing: Dataset, request: RegisterRequest, key: string, files: Files, editor: PolicyEditor): void {
  const other = `${request.table.schema}.__probe`;
  const { dataset, problems } = editor.describe(withDataset(files, other, { ...request, columns: PROBE }), other);
  if (dataset === null) refuse(problems);
  if (JSON.stringify(dataset.source) !== JSON.stringify(existing.source))
    fail('dataset.exists', `${key} is in the catalog already and lies elsewhere; edit its entry in catalog.yaml, then refresh it`);
}

/** Types that the entry leaves to the source are those in force. */
function knownColumns(typed: IndexRequest['known'], id: string, { datasets }: Snapshot): NonNullable<IndexRequest['known']> {
  const inForce = datasets.find((dataset) => dataset.id === id);
  return inForce !== undefined && inForce.columns.length > 0 ? inForce.columns.map(({ name, type }) => ({ name, type })) : (typed ?? []);
}

interface Previous {
  /** Of the same place. */
  readonly index: FileIndex | null;
  /** What the next one replaces. */
  readonly version: string | null;
}

async function previousOf(dataset: Pick<Dataset, 'id' | 'source'>, indexes: IndexPorts['indexes']): Promise<Previous> {
  const index = await indexes.of(dataset);
  return { index, version: index?.version ?? (await indexes.get(dataset.id))?.version ?? null };
}

function notesOn(id: string, isNew: boolean, { datasets }: Snapshot): readonly string[] {
  const dataset = datasets.find((candidate) => candidate.id === id);
  const broken = dataset?.broken === undefined ? [] : [`nobody can read it: ${dataset.broken}`];
  if (!isNew) return broken;
  const others = dataset === undefined ? [] : datasets.filter((other) => other !== dataset && readsSameFiles(other.source, dataset.source));
  const names = others.map(({ schema, name }) => `${schema}.${name}`).join(', ');
  const twice = others.length === 0 ? [] : [`its files may be those of ${names} too: rules on that name do not protect them here`];
  return [...broken, ...twice, 'only those read it whom a grant in policy.csv covers'];
}

/** One place lies in the other, as far as their patterns tell. */
function readsSameFiles(a: Source, b: Source): boolean {
  if (!('path' in a && 'path' in b) || a.kind !== b.kind) return false;
  const [one, other] = [a, b].map(({ path }) => path.replace(/[*?[].*$/s, '')) as [string, string];
  return one.startsWith(other) || other.startsWith(one);
}

function report({ schema, name }: TableName, built: BuiltIndex, notes: readonly string[]): RegistryReport {
  const { added, changed, removed, bytes, rows, columns, index } = built;
  return { dataset: { schema, name }, files: index.files.length, added, changed, removed, bytes, rows, columns, note: notes.join('. ') };
}
