/** Which files each entry of a plan reads. */
import { fail } from '../errors.ts';
import type { Connection, Dataset, FileIndex, ScanPart, StoredFile } from '../model.ts';
import { foldName } from '../names.ts';
import type { PlanEntry } from '../sql/index.ts';
import { isSystem } from './information-schema.ts';
import type { ListFiles } from './listing.ts';

/** What planning needs to know of storage. */
export interface SourceFiles {
  /** null = its files are listed. */
  readonly indexOf?: (dataset: Dataset) => Promise<FileIndex | null>;
  readonly list: ListFiles;
}

/** Files of one plan; their names travel in its tickets. */
const FILES_MAX = 100_000;

/** The entries with the files they read. Rejects with storage.unavailable, sql.limit. */
export async function withFiles(
  entries: readonly PlanEntry[],
  connections: readonly Connection[],
  files: SourceFiles,
): Promise<readonly PlanEntry[]> {
  const read = await Promise.all(
    entries.map(async (entry) => (readsFiles(entry) ? { ...entry, parts: await partsOf(entry.dataset, connections, files) } : entry)),
  );
  const count = read.reduce((sum, { parts = [] }) => sum + countFiles(parts), 0);
  if (count > FILES_MAX)
    fail(
      'sql.limit',
      `the query reads ${count} files, at most ${FILES_MAX} are possible: name the partitions it needs in its WHERE clause`,
    );
  return read;
}

/** As `withFiles`, for a plan that is made for its schema only. */
export function withoutFiles(entries: readonly PlanEntry[]): readonly PlanEntry[] {
  return entries.map((entry) => (readsFiles(entry) ? { ...entry, parts: [] } : entry));
}

function readsFiles({ dataset, rows }: PlanEntry): boolean {
  const { source } = dataset;
  return rows === undefined && !isSystem(dataset) && source.kind !== 'view' && source.kind !== 'duckdb';
}

export function countFiles(parts: readonly ScanPart[]): number {
  return parts.reduce((sum, { files }) => sum + files.length, 0);
}

async function partsOf(dataset: Dataset, connections: readonly Connection[], files: SourceFiles): Promise<readonly ScanPart[]> {
  const index = (await files.indexOf?.(dataset)) ?? null;
  return index === null ? listedParts(await files.list(connections, dataset)) : indexedParts(index, dataset);
}

const listings = new WeakMap<readonly StoredFile[], readonly ScanPart[]>();

/** The first file tells the columns of all. */
function listedParts(files: readonly StoredFile[]): readonly ScanPart[] {
  const parts = listings.get(files) ?? [{ files, missing: [] }];
  listings.set(files, parts);
  return parts;
}

const indexed = new WeakMap<FileIndex, WeakMap<Dataset, readonly ScanPart[]>>();

/** Files of the same columns together, so that there are few parts however the columns changed over time. */
function indexedParts(index: FileIndex, dataset: Dataset): readonly ScanPart[] {
  const byDataset = indexed.get(index) ?? new WeakMap<Dataset, readonly ScanPart[]>();
  indexed.set(index, byDataset);
  const known = byDataset.get(dataset);
  if (known !== undefined) return known;
  const parts = partsOfFiles(index, dataset, index.files);
  byDataset.set(dataset, parts);
  return parts;
}

export function partsOfFiles(index: FileIndex, dataset: Dataset, files: FileIndex['files']): readonly ScanPart[] {
  const byVariant = new Map<number, StoredFile[]>();
  for (const { path, bytes, version, variant } of files) {
    const group = byVariant.get(variant) ?? [];
    group.push({ path, bytes, version });
    byVariant.set(variant, group);
  }
  return [...byVariant].map(([variant, group]) => ({ files: group, missing: missingColumns(index, dataset, variant) }));
}

export function missingColumns(index: FileIndex, { columns }: Dataset, variant: number): readonly string[] {
  const there = new Set([...index.partitionColumns, ...(index.variants[variant] ?? []).map(({ name }) => name)].map(foldName));
  return columns.map(({ name }) => name).filter((name) => !there.has(foldName(name)));
}
