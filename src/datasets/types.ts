/** What making and keeping the indexes of datasets needs, and gives. */
import type { FileIndexStore } from '../catalog/index.ts';
import type { Engine } from '../engine/index.ts';
import type { Connection, FileFormat, FileIndex, StoredFile } from '../files.ts';
import type { Dataset, Source } from '../model.ts';
import type { ListOptions } from '../storage/index.ts';
import type { ColumnType } from './columns.ts';

export type FileSource = Extract<Source, { kind: FileFormat }>;

export interface IndexPorts {
  readonly list: (connections: readonly Connection[], pattern: string, options: ListOptions) => Promise<readonly StoredFile[]>;
  /** The engine that opens these connections. */
  readonly lease: (
    connections: readonly Connection[],
  ) => Promise<{ readonly engine: Pick<Engine, 'columns' | 'fileStatistics'>; release(): void }>;
  readonly indexes: FileIndexStore;
  readonly now?: () => number;
}

export interface IndexRequest {
  /** Dataset id. */
  readonly id: string;
  readonly source: FileSource;
  readonly connections: readonly Connection[];
  /** Of the catalog; null = whatever the files have. */
  readonly columns: readonly ColumnType[] | null;
  /** With `columns` null: those the catalog has, to be widened and added to. */
  readonly known?: readonly ColumnType[];
  /** Its files that are the same are not read again. */
  readonly previous: FileIndex | null;
  readonly signal: AbortSignal;
  /** A line for a person, when there is much to read. */
  readonly onProgress?: (line: string) => void;
}

/** An index that is not stored yet. */
export interface BuiltIndex {
  readonly index: Omit<FileIndex, 'version'>;
  /** All columns, partitions last. */
  readonly columns: readonly ColumnType[];
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly bytes: number;
  /** null = not known (CSV, JSON). */
  readonly rows: number | null;
  readonly notes: readonly string[];
}

/** A dataset of files. */
export interface FileDataset extends Dataset {
  readonly source: FileSource;
}
