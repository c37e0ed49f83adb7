/**
 * Finished results: in memory, and those that were asked for again on disk too. What goes first is what saves least time per byte
 * (GreedyDual-Size-Frequency, Cherkasova 1998). Bytes of fills under way count as well, so the bound is a bound.
 */
import type { EncodedBatch } from '../model.ts';
import type { ResultDisk, StoredResult } from './result-disk.ts';

export type KeptBatch = Pick<EncodedBatch, 'header' | 'body' | 'rows'>;

export interface KeptResult {
  readonly schemaHeader: Uint8Array;
  readonly batches: readonly KeptBatch[];
}

export interface ResultStore extends AsyncDisposable {
  /** Bytes that the largest result may take. */
  readonly entryMax: number;
  /** Holds a result in memory until `release`; null = it is not kept. */
  find(key: string): Promise<HeldResult | null>;
  /** Makes room for a result under way; false = there is none, all is being read. */
  reserve(bytes: number): boolean;
  unreserve(bytes: number): void;
  /** Keeps a result whose bytes are reserved; `costMs` is the time that it saves. */
  put(key: string, result: KeptResult, bytes: number, costMs: number): void;
  delete(key: string): void;
  stats(): ResultStoreStats;
}

export interface HeldResult {
  readonly result: KeptResult;
  release(): void;
}

export interface ResultStoreStats {
  readonly entries: number;
  readonly bytes: number;
  /** Of `bytes`: results that are being made. */
  readonly fillingBytes: number;
  readonly diskEntries: number;
  readonly diskBytes: number;
  readonly evictions: number;
}

export interface ResultStoreOptions {
  readonly memoryMax: number;
  /** null = memory only. */
  readonly disk: { readonly files: ResultDisk; readonly bytesMax: number } | null;
}

/** What one result may take of each tier. */
const ENTRY_SHARE = 8;
const ENTRIES_MAX = 10_000;
/** Of the objects around a result and around each batch. */
const RESULT_OVERHEAD = 2048;
const BATCH_OVERHEAD = 512;

export function resultBytes(schemaHeader: Uint8Array): number {
  return RESULT_OVERHEAD + schemaHeader.length;
}

export function batchBytes({ header, body }: KeptBatch): number {
  return BATCH_OVERHEAD + header.length + body.length;
}

export function createResultStore(options: ResultStoreOptions): ResultStore {
  return new TwoTiers(options);
}

interface Entry {
  readonly key: string;
  readonly bytes: number;
  readonly costMs: number;
  memory: KeptResult | null;
  disk: StoredResult | null;
  /** On its way from disk. */
  loading: Promise<boolean> | null;
  uses: number;
  priority: number;
  readers: number;
  dropped: boolean;
}

class TwoTiers implements ResultStore {
  readonly entryMax: number;
  readonly #options: ResultStoreOptions;
  readonly #entries = new Map<string, Entry>();
  /** What the last victim was worth: a newcomer is worth more, and what nobody asks for ages. */
  #floor = 0;
  #memoryBytes = 0;
  #fillingBytes = 0;
  #diskBytes = 0;
  #evictions = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: ResultStoreOptions) {
    this.#options = options;
    this.entryMax = Math.floor(options.memoryMax / ENTRY_SHARE);
  }

  readonly find: ResultStore['find'] = async (key) => {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    entry.readers++;
    if (!(await this.#inMemory(entry)) || entry.memory === null) {
      this.#leave(entry);
      return null;
    }
    entry.uses++;
    entry.priority = this.#worth(entry);
    this.#writeLater(entry);
    let held = true;
    const release = (): void => {
      if (held) this.#leave(entry);
      held = false;
    };
    return { result: entry.memory, release };
  };

  readonly reserve: ResultStore['reserve'] = (bytes) => {
    if (!this.#makeRoom(bytes)) return false;
    this.#memoryBytes += bytes;
    this.#fillingBytes += bytes;
    return true;
  };

  readonly unreserve: ResultStore['unreserve'] = (bytes) => {
    this.#memoryBytes -= bytes;
    this.#fillingBytes -= bytes;
  };

  readonly put: ResultStore['put'] = (key, result, bytes, costMs) => {
    this.#fillingBytes -= bytes;
    const known = this.#entries.get(key);
    if (known !== undefined) this.#drop(known);
    while (this.#entries.size >= ENTRIES_MAX) {
      const victim = this.#least(({ readers }) => readers === 0);
      if (victim === null) break;
      this.#drop(victim);
      this.#evictions++;
    }
    const entry: Entry = {
      key,
      bytes,
      costMs,
      memory: result,
      disk: null,
      loading: null,
      uses: 1,
      priority: 0,
      readers: 0,
      dropped: false,
    };
    entry.priority = this.#worth(entry);
    this.#entries.set(key, entry);
  };

  readonly delete: ResultStore['delete'] = (key) => {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#drop(entry);
  };

  readonly stats: ResultStore['stats'] = () => ({
    entries: this.#entries.size,
    bytes: this.#memoryBytes,
    fillingBytes: this.#fillingBytes,
    diskEntries: [...this.#entries.values()].filter(({ disk }) => disk !== null).length,
    diskBytes: this.#diskBytes,
    evictions: this.#evictions,
  });

  async [Symbol.asyncDispose](): Promise<void> {
    for (const entry of [...this.#entries.values()]) this.#drop(entry);
    await this.#writing;
    await this.#options.disk?.files[Symbol.asyncDispose]();
  }

  #worth({ uses, costMs, bytes }: Entry): number {
    return this.#floor + (uses * Math.max(costMs, 1)) / bytes;
  }

  #least(may: (entry: Entry) => boolean): Entry | null {
    let least: Entry | null = null;
    for (const entry of this.#entries.values()) if (may(entry) && (least === null || entry.priority < least.priority)) least = entry;
    return least;
  }

  #makeRoom(bytes: number): boolean {
    while (this.#memoryBytes + bytes > this.#options.memoryMax) {
      const victim = this.#least(({ memory, readers }) => memory !== null && readers === 0);
      if (victim === null) return false;
      this.#floor = victim.priority;
      this.#evictions++;
      if (victim.disk === null) this.#drop(victim);
      else this.#leaveMemory(victim);
    }
    return true;
  }

  #inMemory(entry: Entry): Promise<boolean> {
    if (entry.memory !== null) return Promise.resolve(true);
    entry.loading ??= this.#load(entry).finally(() => {
      entry.loading = null;
    });
    return entry.loading;
  }

  /** A file that does not read is forgotten. */
  async #load(entry: Entry): Promise<boolean> {
    const { disk } = this.#options;
    if (entry.disk === null || disk === null || !this.#makeRoom(entry.bytes)) return false;
    this.#memoryBytes += entry.bytes;
    const result = await disk.files.read(entry.key, entry.disk).catch(() => null);
    if (result === null || entry.dropped) {
      this.#memoryBytes -= entry.bytes;
      this.#drop(entry);
      return false;
    }
    entry.memory = result;
    return true;
  }

  /** One file after the other; only what was asked for again is worth one. */
  #writeLater(entry: Entry): void {
    const { disk } = this.#options;
    if (disk === null || entry.disk !== null || entry.uses !== 2 || entry.bytes > disk.bytesMax / ENTRY_SHARE) return;
    entry.readers++;
    this.#writing = this.#writing.then(async () => {
      try {
        if (entry.dropped || entry.memory === null || !this.#makeDiskRoom(entry.bytes, disk.bytesMax)) return;
        this.#diskBytes += entry.bytes;
        const stored = await disk.files.write(entry.key, entry.memory).catch(() => null);
        entry.disk = stored;
        if (stored === null) this.#diskBytes -= entry.bytes;
        else if (entry.dropped) this.#leaveDisk(entry);
      } finally {
        this.#leave(entry);
      }
    });
  }

  /** A reader leaves; what was dropped meanwhile goes with the last one. */
  #leave(entry: Entry): void {
    entry.readers--;
    if (entry.dropped && entry.readers === 0) this.#leaveMemory(entry);
  }

  #makeDiskRoom(bytes: number, bytesMax: number): boolean {
    while (this.#diskBytes + bytes > bytesMax) {
      const victim = this.#least(({ disk, loading }) => disk !== null && loading === null);
      if (victim === null) return false;
      this.#leaveDisk(victim);
      if (victim.memory === null) this.#drop(victim);
    }
    return true;
  }

  /** Readers keep what they hold, and it counts until they have left. */
  #drop(entry: Entry): void {
    if (entry.dropped) return;
    entry.dropped = true;
    this.#entries.delete(entry.key);
    if (entry.readers === 0) this.#leaveMemory(entry);
    this.#leaveDisk(entry);
  }

  #leaveMemory(entry: Entry): void {
    if (entry.memory !== null) this.#memoryBytes -= entry.bytes;
    entry.memory = null;
  }

  #leaveDisk(entry: Entry): void {
    if (entry.disk === null) return;
    this.#options.disk?.files.remove(entry.disk);
    this.#diskBytes -= entry.bytes;
    entry.disk = null;
  }
}
