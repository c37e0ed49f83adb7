/** Which files each entry of a plan reads: those that its row filter and the statement's own conditions leave over. */
import { fail } from '../errors.ts';
import type { Connection, FileIndex, ScanPart, StoredFile } from '../files.ts';
import type { AllowDecision, Dataset } from '../model.ts';
import { foldName } from '../names.ts';
import { ALWAYS, type Condition, filterCondition, onlyColumns, type PlanEntry } from '../sql/index.ts';
import { type FileSet, indexedSet, listedSet, partsOf, type Selection, select } from './file-set.ts';
import { isSystem } from './information-schema.ts';
import type { ListFiles } from './listing.ts';

/** What planning needs to know of storage. */
export interface SourceFiles {
  /** null = its files are listed. */
  readonly indexOf?: (dataset: Dataset) => Promise<FileIndex | null>;
  readonly list: ListFiles;
}

/** Sizes are bytes. */
export interface Reading {
  readonly parts: readonly ScanPart[];
  readonly files: number;
  readonly bytes: number;
  /** What the principal may know of: the files that the row filter leaves over. */
  readonly allFiles: number;
  readonly allBytes: number;
}

/** An entry with its files, where it has some. */
export interface ReadEntry extends PlanEntry {
  readonly reading?: Reading;
}

/** Files of one plan; their names travel in its tickets. */
const FILES_MAX = 100_000;

/** `conditions`: of the statement, by dataset id. Rejects with storage.unavailable, sql.limit. */
export async function withFiles(
  entries: readonly PlanEntry[],
  conditions: ReadonlyMap<string, Condition>,
  connections: readonly Connection[],
  files: SourceFiles,
): Promise<readonly ReadEntry[]> {
  const read = await Promise.all(
    entries.map(async (entry): Promise<ReadEntry> => {
      if (!readsFiles(entry)) return entry;
      const { dataset, decision, base } = entry;
      const own = base === true ? undefined : conditions.get(dataset.id);
      const reading = readingOf(await fileSet(dataset, connections, files), decision, own ?? ALWAYS);
      return { ...entry, parts: reading.parts, reading };
    }),
  );
  const count = read.reduce((sum, { reading }) => sum + (reading?.files ?? 0), 0);
  if (count > FILES_MAX)
    fail(
      'sql.limit',
      `the query reads ${count} files, at most ${FILES_MAX} are possible: name the partitions it needs in its WHERE clause`,
    );
  return read;
}

/** As `withFiles`, for a plan that is made for its schema only. */
export function withoutFiles(entries: readonly PlanEntry[]): readonly ReadEntry[] {
  return entries.map((entry) => (readsFiles(entry) ? { ...entry, parts: [] } : entry));
}

function readsFiles({ dataset, rows }: PlanEntry): boolean {
  const { source } = dataset;
  return rows === undefined && !isSystem(dataset) && source.kind !== 'view' && source.kind !== 'duckdb';
}

const sets = new WeakMap<object, WeakMap<Dataset, FileSet>>();

async function fileSet(dataset: Dataset, connections: readonly Connection[], files: SourceFiles): Promise<FileSet> {
  const index = (await files.indexOf?.(dataset)) ?? null;
  const known = index ?? (await files.list(connections, dataset));
  const byDataset = sets.get(known) ?? new WeakMap<Dataset, FileSet>();
  sets.set(known, byDataset);
  const set = byDataset.get(dataset) ?? ('partitionColumns' in known ? indexedSet(known, dataset) : listedSet(known, dataset));
  byDataset.set(dataset, set);
  return set;
}

/** Of one set of files, what was found for the conditions asked last. */
const KEPT = 64;

interface Visible extends Selection {
  readonly bytes: number;
}

const visibles = new WeakMap<FileSet, Map<string, Visible>>();
const readings = new WeakMap<FileSet, Map<string, Reading>>();

function remembered<T>(known: WeakMap<FileSet, Map<string, T>>, set: FileSet, asked: unknown, make: () => T): T {
  const byKey = known.get(set) ?? new Map<string, T>();
  known.set(set, byKey);
  const key = JSON.stringify(asked, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
  const found = byKey.get(key) ?? make();
  byKey.delete(key);
  byKey.set(key, found);
  for (const oldest of byKey.keys()) if (byKey.size > KEPT) byKey.delete(oldest);
  return found;
}

/**
 * The statement's own conditions leave files unread only where the principal may see every row of them: what a plan looks like would
 * tell of rows that the filter hides otherwise. The engine applies them there.
 */
function readingOf(set: FileSet, decision: AllowDecision, own: Condition): Reading {
  const filter = decision.rowFilter === null ? ALWAYS : filterCondition(decision.rowFilter, set.dataset.columns);
  const visible = remembered(visibles, set, filter, (): Visible => {
    const selection = select(set, filter);
    return { ...selection, bytes: bytesOf(set.files, selection.files) };
  });
  const asked = visible.decided && own !== ALWAYS ? onlyColumns(own, rawColumns(decision)) : ALWAYS;
  return remembered(readings, set, [filter, asked], (): Reading => {
    const all = { allFiles: visible.files.length, allBytes: visible.bytes };
    if (asked === ALWAYS) return { parts: partsOf(set, visible.files), files: all.allFiles, bytes: all.allBytes, ...all };
    const { files } = select(set, { kind: 'and', of: [filter, asked] });
    return { parts: partsOf(set, files), files: files.length, bytes: bytesOf(set.files, files), ...all };
  });
}

function bytesOf(files: readonly StoredFile[], places: readonly number[]): number {
  return places.reduce((sum, place) => sum + (files[place]?.bytes ?? 0), 0);
}

/** What a mask changes, the condition was not written for. */
function rawColumns({ columns }: AllowDecision): ReadonlySet<string> {
  return new Set(columns.filter(({ treatment }) => treatment.kind === 'raw').map(({ name }) => foldName(name)));
}
