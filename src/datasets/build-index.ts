/** Files of a dataset → its index. Files that are in the previous index with the same version are not opened again. */
import { sourceHash } from '../catalog/index.ts';
import { fail } from '../errors.ts';
import type { FileIndex, IndexedFile, StoredFile } from '../files.ts';
import { foldName } from '../names.ts';
import type { ColumnType } from './columns.ts';
import { readPartitions } from './hive.ts';
import { type KnownFile, rangeArranger, rangeNames } from './ranges.ts';
import { readFiles } from './read-files.ts';
import { groupVariants, retyped, settleColumns } from './settle.ts';
import type { BuiltIndex, IndexPorts, IndexRequest } from './types.ts';

/** More files than this are no dataset that can be planned. */
export const FILES_MAX = 500_000;
/** From this many files on there are lines of progress. */
const MANY_FILES = 1000;

/** Rejects with dataset.invalid, storage.unavailable, request.cancelled. */
export async function buildIndex(request: IndexRequest, ports: IndexPorts): Promise<BuiltIndex> {
  const { id, source, previous } = request;
  const files = await listFiles(request, ports);
  const partitions = source.hivePartitioning ? readPartitions(files.map(({ path }) => path)) : { columns: [], values: [] };
  const known = await knowFiles(files, request, ports);
  const found = groupVariants(known, partitions);
  const { columns, notes } = settleColumns(found.list, partitions, request);
  // Text has the types that the catalog gives it: files differ in their names only.
  const variants =
    source.kind === 'parquet'
      ? found
      : groupVariants(
          known.map((file) => retyped(file, columns)),
          partitions,
        );
  const index = {
    dataset: id,
    source: sourceHash(source),
    indexedAtMs: (ports.now ?? Date.now)(),
    partitionColumns: partitions.columns.map((name) => spelled(name, columns)),
    rangeColumns: rangeNames(known, columns),
    variants: variants.list.map((variant) => variant.columns.map(({ name, type }) => ({ name: spelled(name, columns), type }))),
    files: [] as readonly IndexedFile[],
  };
  const partitionTypes = partitions.columns.map((name) => columns.find((column) => foldName(column.name) === foldName(name))?.type);
  const arrange = rangeArranger(index.rangeColumns, columns);
  const indexed = known.map(
    (file, at): IndexedFile => ({
      ...file.stored,
      variant: variants.of[at] ?? 0,
      partition: (partitions.values[at] ?? []).map((value, i) => partitionValue(value, partitionTypes[i])),
      rowGroups: arrange(file),
    }),
  );
  return { index: { ...index, files: indexed }, columns, notes, ...countChanges(files, previous), ...totals(indexed) };
}

async function listFiles({ source, connections, signal, onProgress }: IndexRequest, { list }: IndexPorts): Promise<readonly StoredFile[]> {
  const onPage = (found: number): void => void (found >= MANY_FILES && onProgress?.(`${grouped(found)} files found`));
  const files = await list(connections, source.path, { max: FILES_MAX, signal, onProgress: onPage });
  if (files.length > FILES_MAX)
    fail('dataset.invalid', `there are more than ${grouped(FILES_MAX)} files; register parts of the path as datasets`);
  // Storage that is not mounted must not look like data without rows.
  if (files.length === 0) fail('dataset.invalid', `there is no ${source.kind} file below the path; check the path and the connection`);
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** In the order of `files`. */
async function knowFiles(files: readonly StoredFile[], request: IndexRequest, ports: IndexPorts): Promise<readonly KnownFile[]> {
  const { source, connections, signal, onProgress } = request;
  // Registering looks at everything anew: ranges of columns that were not in the catalog yet are in no index.
  const previous = request.columns === null ? null : request.previous;
  const before = new Map(previous?.files.map((file) => [file.path, file]));
  const known = new Map<string, KnownFile>();
  const ranged = (previous?.rangeColumns ?? []).map(foldName);
  for (const stored of files) {
    const same = before.get(stored.path);
    // What text files hold is told by the whole sample.
    if (same?.version === stored.version && previous !== null && source.kind !== 'json')
      known.set(stored.path, { ...fromIndex(same, previous), stored, ranged });
  }
  const unread = files.filter(({ path }) => !known.has(path));
  const onRead = (done: number): void =>
    void (unread.length >= MANY_FILES && onProgress?.(`${grouped(done)} of ${grouped(unread.length)} files`));
  const { engine, release } = await ports.lease(connections);
  try {
    const read = await readFiles(
      engine,
      source.kind,
      unread.map(({ path }) => path),
      { signal, onRead },
    );
    const names = footerNames();
    for (const [at, stored] of unread.entries()) {
      const { columns = [], rowGroups = null } = read[at] ?? {};
      known.set(stored.path, { stored, columns, rowGroups, ranged: names(columns) });
    }
  } finally {
    release();
  }
  return files.flatMap(({ path }) => known.get(path) ?? []);
}

/** Files of one schema share its names. */
function footerNames(): (columns: readonly ColumnType[]) => readonly string[] {
  const known = new Map<readonly ColumnType[], readonly string[]>();
  return (columns) => {
    const names = known.get(columns) ?? columns.map(({ name }) => foldName(name));
    known.set(columns, names);
    return names;
  };
}

function fromIndex({ variant, rowGroups }: IndexedFile, { variants }: FileIndex): Pick<KnownFile, 'columns' | 'rowGroups'> {
  return { columns: variants[variant] ?? [], rowGroups };
}

/** As the catalog writes it. */
function spelled(name: string, columns: readonly ColumnType[]): string {
  return columns.find((column) => foldName(column.name) === foldName(name))?.name ?? name;
}

/** An empty text is no number and no day. */
function partitionValue(value: string | null, type: string | undefined): string | null {
  return value === '' && type !== 'VARCHAR' ? null : value;
}

function countChanges(files: readonly StoredFile[], previous: IndexRequest['previous']): Pick<BuiltIndex, 'added' | 'changed' | 'removed'> {
  const before = new Map(previous?.files.map(({ path, version }) => [path, version]));
  let [added, changed] = [0, 0];
  for (const { path, version } of files) {
    const known = before.get(path);
    if (known === undefined) added++;
    else if (known !== version) changed++;
  }
  return { added, changed, removed: before.size + added - files.length };
}

function totals(files: readonly IndexedFile[]): Pick<BuiltIndex, 'bytes' | 'rows'> {
  let bytes = 0;
  let rows: number | null = 0;
  for (const file of files) {
    bytes += file.bytes;
    const { rowGroups } = file;
    rows = rows === null || rowGroups === null ? null : rowGroups.reduce((sum, group) => sum + group.rows, rows);
  }
  return { bytes, rows };
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
