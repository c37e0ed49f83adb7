/** A dataset's files with what is known of them, by partition, so that leaving most of them unread costs little. */
import { hiveDirectories, isNullPartition } from '../file-paths.ts';
import type { FileIndex, IndexedFile, RowGroup, ScanPart, StoredFile } from '../files.ts';
import type { Dataset } from '../model.ts';
import { foldName } from '../names.ts';
import { type Condition, readKey } from '../sql/index.ts';
import { columnFacts } from './column-facts.ts';
import { type Fact, type Outcome, outcomeOf, united } from './prune.ts';

export interface FileSet {
  readonly dataset: Dataset;
  /** null: the files were listed. */
  readonly index: FileIndex | null;
  /** In reading order. */
  readonly files: readonly StoredFile[];
  readonly partitions: readonly Partition[];
}

/** Files of which each partition column has one value. */
interface Partition {
  readonly facts: ReadonlyMap<string, Fact | null>;
  /** What all its files together tell of other columns, once it was asked for. */
  readonly summaries: Map<string, Fact | null>;
  /** Places in `FileSet.files`, in order. */
  readonly files: readonly number[];
}

type OpenPartition = Omit<Partition, 'files'> & { readonly files: number[] };

/** Places in `FileSet.files`, in order. */
export interface Selection {
  readonly files: readonly number[];
  /** Every row of them is known to fulfil the condition. */
  readonly decided: boolean;
}

export function indexedSet(index: FileIndex, dataset: Dataset): FileSet {
  const names = index.partitionColumns.map(foldName);
  // A name that stands twice in a path is the engine's to read.
  const known = names.map((name) => names.indexOf(name) === names.lastIndexOf(name));
  const valuesOf = (file: IndexedFile): readonly PathValue[] =>
    names.flatMap((name, i) => (known[i] === true ? [[name, file.partition[i] ?? null] as const] : []));
  return { dataset, index, files: index.files, partitions: grouped(index.files, dataset, valuesOf) };
}

export function listedSet(files: readonly StoredFile[], dataset: Dataset): FileSet {
  const { source } = dataset;
  const hive = 'hivePartitioning' in source && source.hivePartitioning;
  return { dataset, index: null, files, partitions: grouped(files, dataset, hive ? ({ path }) => pathValues(path) : () => []) };
}

/** null = hive's default partition. */
type PathValue = readonly [name: string, value: string | null];

/** A name that stands twice is the engine's to read. */
function pathValues(path: string): readonly PathValue[] {
  const pairs = hiveDirectories(path).map(([name, value]): PathValue => [foldName(name), isNullPartition(value) ? null : unescaped(value)]);
  return pairs.filter(([name]) => pairs.filter(([other]) => other === name).length === 1);
}

/** What is no escape of UTF-8 stays, and nothing is concluded from it. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function grouped<File>(files: readonly File[], { columns }: Dataset, valuesOf: (file: File) => readonly PathValue[]): readonly Partition[] {
  const types = new Map(columns.map(({ name, type }) => [foldName(name), type]));
  const byValues = new Map<string, OpenPartition>();
  for (const [place, file] of files.entries()) {
    const values = valuesOf(file);
    const key = values.map(([name, value]) => `${name}\0${value ?? '\0'}`).join('\0');
    const partition: OpenPartition = byValues.get(key) ?? { facts: factsOf(values, types), summaries: new Map(), files: [] };
    byValues.set(key, partition);
    partition.files.push(place);
  }
  return [...byValues.values()];
}

function factsOf(values: readonly PathValue[], types: ReadonlyMap<string, string>): ReadonlyMap<string, Fact | null> {
  return new Map(values.map(([name, value]) => [name, partitionFact(value, types.get(name) ?? '')]));
}

/** Escapes, and texts that may stand for NULL, are the engine's to read. */
function partitionFact(value: string | null, type: string): Fact | null {
  if (value === null) return { min: null, max: null, hasNull: true };
  const key = value.includes('%') || isNullPartition(value) ? null : readKey(value, type);
  return key === null ? null : { min: key, max: key, hasNull: false };
}

/** Files that may have rows which fulfil the condition. */
export function select(set: FileSet, condition: Condition): Selection {
  const places: number[] = [];
  let decided = true;
  for (const partition of set.partitions) {
    const { facts, files } = partition;
    const outcome = outcomeOf(condition, (column) => (facts.has(column) ? (facts.get(column) ?? null) : summaryOf(set, partition, column)));
    if (!outcome.holds) continue;
    for (const place of files) {
      const found = outcome.fails ? fileOutcome(set, place, condition, facts) : outcome;
      if (!found.holds) continue;
      places.push(place);
      decided &&= !found.fails;
    }
  }
  return { files: places.sort((a, b) => a - b), decided };
}

function summaryOf(set: FileSet, partition: Partition, column: string): Fact | null {
  const known = partition.summaries.get(column);
  if (known !== undefined) return known;
  const summary = summarized(set, partition, column);
  partition.summaries.set(column, summary);
  return summary;
}

/** null as soon as one row group does not tell. */
function summarized({ dataset, index }: FileSet, { files }: Partition, column: string): Fact | null {
  if (index === null) return null;
  let summary: Fact | null = null;
  for (const place of files) {
    const file = index.files[place];
    if (file === undefined) return null;
    const facts = columnFacts(index, dataset, file.variant);
    for (const group of file.rowGroups ?? [null]) {
      const fact = facts(column, group);
      if (fact === null) return null;
      summary = summary === null ? fact : united(summary, fact);
    }
  }
  return summary;
}

function fileOutcome({ dataset, index }: FileSet, place: number, condition: Condition, partition: Partition['facts']): Outcome {
  const file = index?.files[place];
  if (index === null || file === undefined) return { holds: true, fails: true };
  const columns = columnFacts(index, dataset, file.variant);
  const groups: readonly (RowGroup | null)[] = file.rowGroups ?? [null];
  let holds = false;
  let fails = false;
  for (const group of groups) {
    const outcome = outcomeOf(condition, (column) => partition.get(column) ?? (partition.has(column) ? null : columns(column, group)));
    holds ||= outcome.holds;
    fails ||= outcome.fails;
  }
  return { holds, fails };
}

const originals = new WeakMap<StoredFile, IndexedFile>();

/** What the index says of a file of a part; null when it was listed. */
export function indexedFile(file: StoredFile): IndexedFile | null {
  return originals.get(file) ?? null;
}

/** Files of the same columns together, so that there are few parts however the columns changed over time. */
export function partsOf({ dataset, index, files }: FileSet, places: readonly number[]): readonly ScanPart[] {
  const picked = places.flatMap((place) => files[place] ?? []);
  if (picked.length === 0) return [];
  // The first file of a listing tells the columns of all.
  if (index === null) return [{ files: picked, missing: [], ...(places[0] === 0 ? {} : { mixed: true }) }];
  const byVariant = new Map<number, StoredFile[]>();
  for (const file of places.flatMap((place) => index.files[place] ?? [])) {
    const stored: StoredFile = { path: file.path, bytes: file.bytes, version: file.version };
    originals.set(stored, file);
    const group = byVariant.get(file.variant) ?? [];
    byVariant.set(file.variant, group);
    group.push(stored);
  }
  return [...byVariant].map(([variant, group]) => ({ files: group, missing: missingColumns(index, dataset, variant) }));
}

function missingColumns(index: FileIndex, { columns }: Dataset, variant: number): readonly string[] {
  const there = new Set([...index.partitionColumns, ...(index.variants[variant] ?? []).map(({ name }) => name)].map(foldName));
  return columns.map(({ name }) => name).filter((name) => !there.has(foldName(name)));
}
