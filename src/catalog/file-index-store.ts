/**
 * What is known of the datasets' files: one index per dataset, changed by compare-and-set, the same for all processes that share the
 * store. Indexes are loaded when they are asked for and the latest used stay in memory.
 */
import { createHash } from 'node:crypto';
import { fail } from '../errors.ts';
import type { FileIndex } from '../files.ts';
import type { Dataset } from '../model.ts';
import { decodeIndex, encodeIndex, type LoadedIndex } from './file-index-codec.ts';

export interface IndexSummary {
  /** Dataset id. */
  readonly dataset: string;
  readonly version: string;
  readonly indexedAtMs: number;
  readonly files: number;
}

/** Every implementation passes `test/contracts/file-index-store.ts`. Rejects with metadata.unavailable. */
export interface FileIndexStore {
  /** By dataset id; null = none, also when what is stored can not be read. */
  get(dataset: string): Promise<FileIndex | null>;
  /** As `get`, and null when the index was made of another place than the dataset's source. */
  of(dataset: Pick<Dataset, 'id' | 'source'>): Promise<FileIndex | null>;
  /** `expected`: the version that it replaces, null = none. Gives the index with its version. Rejects with metadata.conflict when another is there. */
  put(index: Omit<FileIndex, 'version'>, expected: string | null): Promise<FileIndex>;
  list(): Promise<readonly IndexSummary[]>;
}

/** Where the encoded indexes lie. */
export interface IndexBackend {
  /** Changes with every write; null = there is none. `fresh`: as it is now, not as it was heard of. */
  stamp(dataset: string, fresh: boolean): Promise<string | null>;
  /** null when it is gone or another by now. */
  read(dataset: string, stamp: string): Promise<Uint8Array | null>;
  /** false when the stamp is another by now. */
  write(summary: IndexSummary, content: Uint8Array, expected: string | null): Promise<boolean>;
  list(): Promise<readonly IndexSummary[]>;
}

export interface FileIndexStoreOptions {
  readonly backend: IndexBackend;
  readonly onProblems: (problems: readonly string[]) => void;
  /** Most bytes of indexes in memory; the latest used one stays in any case. */
  readonly memoryBytes?: number;
}

const MEMORY_BYTES = 256 * 1024 ** 2;
/** How often a reader tries again that writers overtake. */
const ATTEMPTS = 10;

/** Where a dataset's files are looked for, hashed: what an index is good for. */
export function sourceHash(source: Dataset['source']): string {
  const facts =
    source.kind === 'view' || source.kind === 'duckdb'
      ? [source.kind]
      : [source.kind, source.connection, source.path, source.hivePartitioning];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}

export function createFileIndexStore(options: FileIndexStoreOptions): FileIndexStore {
  return new CachedIndexes(options);
}

interface Entry {
  readonly stamp: string;
  /** null = what is stored can not be read. */
  readonly loaded: Promise<LoadedIndex | null>;
  bytes: number;
}

class CachedIndexes implements FileIndexStore {
  readonly #options: FileIndexStoreOptions;
  /** The latest used last. */
  readonly #entries = new Map<string, Entry>();

  constructor(options: FileIndexStoreOptions) {
    this.#options = options;
  }

  async get(dataset: string): Promise<FileIndex | null> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const stamp = await this.#options.backend.stamp(dataset, attempt > 0);
      if (stamp === null) {
        this.#entries.delete(dataset);
        return null;
      }
      const loaded = await this.#load(dataset, stamp);
      if (loaded !== undefined) return loaded?.index ?? null;
    }
    return fail('metadata.unavailable', 'the index of a dataset changes too often to be read; try again');
  }

  async of({ id, source }: Pick<Dataset, 'id' | 'source'>): Promise<FileIndex | null> {
    if (source.kind === 'view' || source.kind === 'duckdb') return null;
    const index = await this.get(id);
    return index?.source === sourceHash(source) ? index : null;
  }

  async put(index: Omit<FileIndex, 'version'>, expected: string | null): Promise<FileIndex> {
    const { backend } = this.#options;
    const { dataset, indexedAtMs, files } = index;
    const stamp = await backend.stamp(dataset, true);
    const known = stamp === null ? null : await this.#load(dataset, stamp);
    const conflict = (): never =>
      fail('metadata.conflict', 'somebody else refreshed this dataset meanwhile; look at the result and try again');
    if (known === undefined || (known?.index.version ?? null) !== expected) conflict();
    const { content, version } = await encodeIndex(index);
    if (!(await backend.write({ dataset, version, indexedAtMs, files: files.length }, content, stamp))) conflict();
    return { ...index, version };
  }

  list(): Promise<readonly IndexSummary[]> {
    return this.#options.backend.list();
  }

  /** Concurrent first reads load once. undefined = overtaken by a writer. */
  async #load(dataset: string, stamp: string): Promise<LoadedIndex | null | undefined> {
    const known = this.#entries.get(dataset);
    if (known?.stamp === stamp) {
      this.#entries.delete(dataset);
      this.#entries.set(dataset, known);
      return known.loaded;
    }
    let gone = false;
    const read = async (): Promise<LoadedIndex | null> => {
      const content = await this.#options.backend.read(dataset, stamp);
      gone = content === null;
      return content === null ? null : this.#decode(dataset, content);
    };
    const entry: Entry = { stamp, loaded: read(), bytes: 0 };
    this.#entries.set(dataset, entry);
    const forget = (): void => void (this.#entries.get(dataset) === entry && this.#entries.delete(dataset));
    try {
      const loaded = await entry.loaded;
      if (gone) forget();
      entry.bytes = loaded?.bytes ?? 0;
      this.#trim();
      return gone ? undefined : loaded;
    } catch (error) {
      forget();
      throw error;
    }
  }

  async #decode(dataset: string, content: Uint8Array): Promise<LoadedIndex | null> {
    try {
      const loaded = await decodeIndex(content);
      if (loaded.index.dataset !== dataset) throw new Error('it belongs to another dataset');
      return loaded;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#options.onProblems([`the file index of dataset ${dataset} can not be read and counts as missing; refresh it: ${message}`]);
      return null;
    }
  }

  #trim(): void {
    const most = this.#options.memoryBytes ?? MEMORY_BYTES;
    let total = 0;
    for (const [, { bytes }] of this.#entries) total += bytes;
    for (const [dataset, { bytes }] of this.#entries) {
      if (total <= most || this.#entries.size === 1) return;
      this.#entries.delete(dataset);
      total -= bytes;
    }
  }
}
