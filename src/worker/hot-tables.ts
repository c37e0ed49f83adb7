/**
 * Small datasets that are read often, as tables in the engine's memory: raw, below every policy, used only when a scan reads exactly the files
 * and versions that were loaded. Loading happens beside the queries, one table after the other.
 */
import { createHash } from 'node:crypto';
import type { Engine, KeptTable } from '../engine/index.ts';
import type { Scan, StoredFile } from '../files.ts';
import { scanText } from '../sql/index.ts';
import { filesOf, type HeldRelation } from './scans.ts';
import type { EngineLease } from './types.ts';

export interface HotTablesOptions {
  /** Files of one dataset; a pinned one may take as much as all. */
  readonly tableMax: number;
  /** Of all tables in memory. */
  readonly totalMax: number;
  readonly isPinned: (datasetId: string) => boolean;
  /** The engine for the connections in force. */
  readonly lease: () => Promise<EngineLease>;
  /** Rejects when a file is not what it was. */
  readonly verify: (files: readonly StoredFile[]) => Promise<void>;
  /** Told of each load that failed. */
  readonly onFault: (error: unknown) => void;
  readonly now?: () => number;
}

export interface HotTables extends AsyncDisposable {
  /** The scan's rows in memory, whose files were as they are planned moments ago; null = read its files. Never waits for a load. */
  relationFor(scan: Scan, engine: Engine): Promise<HeldRelation | null>;
  entries(): readonly HotTable[];
  stats(): HotTablesStats;
  /** Resolves when no load or drop is under way. */
  settled(): Promise<void>;
}

export interface HotTable {
  readonly dataset: string;
  readonly bytes: number;
  readonly rows: number;
  readonly hits: number;
  readonly lastUsedAtMs: number;
  readonly pinned: boolean;
}

export interface HotTablesStats {
  readonly tables: number;
  readonly bytes: number;
  readonly hits: number;
  /** Readings of datasets small enough that were not in memory. */
  readonly misses: number;
  readonly loads: number;
  readonly evictions: number;
}

/** So many readings within this time make a dataset hot. */
const READS = 3;
const WINDOW_MS = 10 * 60_000;
/** What nobody reads for so long is dropped, unless it is pinned. */
const IDLE_MS = 60 * 60_000;
/** How long files count as looked at. */
const VERIFIED_MS = 2000;
/** After a load that failed. */
const RETRY_MS = 60_000;
const FILES_MAX = 1000;
const REMEMBERED_MAX = 1000;
const LOADS_WAITING_MAX = 16;
/** Of databases in the engine; dataset schemas and users' catalogs never start so. */
const PREFIX = '__hot_';

interface Entry {
  readonly key: string;
  readonly dataset: string;
  readonly engine: Engine;
  readonly files: readonly StoredFile[];
  /** null = on its way. */
  table: KeptTable | null;
  holders: number;
  hits: number;
  lastUsedAtMs: number;
  verifiedAtMs: number;
  dropped: boolean;
}

export function createHotTables(options: HotTablesOptions): HotTables {
  return new LoadedTables(options);
}

class LoadedTables implements HotTables {
  readonly #options: HotTablesOptions;
  readonly #now: () => number;
  /** The one used longest ago comes first. */
  readonly #entries = new Map<string, Entry>();
  /** Times of readings of what is not in memory; a time in the future = not before then. */
  readonly #reads = new Map<string, readonly number[]>();
  readonly #closing = new AbortController();
  #work: Promise<void> = Promise.resolve();
  #waiting = 0;
  #made = 0;
  readonly #counts = { hits: 0, misses: 0, loads: 0, evictions: 0 };

  constructor(options: HotTablesOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  readonly relationFor: HotTables['relationFor'] = async (scan, engine) => {
    const key = this.#keyOf(scan);
    if (key === null) return null;
    const known = this.#entries.get(key);
    // Connections changed, and another engine took over.
    if (known !== undefined && known.engine !== engine) this.#drop(known);
    const entry = this.#entries.get(key);
    if (entry !== undefined && entry.table !== null && (await this.#isCurrent(entry)) && entry.table !== null)
      return this.#hold(entry, entry.table);
    this.#counts.misses++;
    this.#dropIdle();
    if (entry === undefined && this.#isHot(scan.dataset, key)) this.#load(scan, key, engine);
    return null;
  };

  readonly entries: HotTables['entries'] = () =>
    [...this.#entries.values()].flatMap(({ dataset, table, hits, lastUsedAtMs }) =>
      table === null
        ? []
        : [{ dataset, bytes: table.bytes, rows: table.rows, hits, lastUsedAtMs, pinned: this.#options.isPinned(dataset) }],
    );

  readonly stats: HotTables['stats'] = () => ({ tables: this.entries().length, bytes: this.#bytes(), ...this.#counts });

  readonly settled: HotTables['settled'] = async () => {
    while (this.#waiting > 0) await this.#work;
  };

  /** The engines, which end later, take the tables with them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the server closes'));
    await this.settled();
    this.#entries.clear();
  }

  #keyOf(scan: Scan): string | null {
    const { dataset, format, hivePartitioning, columns, parts } = scan;
    const { tableMax, totalMax, isPinned } = this.#options;
    const files = parts.reduce((count, part) => count + part.files.length, 0);
    if (files === 0 || files > FILES_MAX || parts.some(({ rows }) => rows !== undefined)) return null;
    const bytes = parts.reduce((sum, part) => sum + part.files.reduce((all, file) => all + file.bytes, 0), 0);
    if (bytes > (isPinned(dataset) ? totalMax : tableMax)) return null;
    const facts = JSON.stringify([dataset, format, hivePartitioning, columns, parts]);
    return createHash('sha256').update(facts).digest('hex');
  }

  /** What was removed or replaced in its storage is not read from memory for long either; the files tell what is wrong. */
  async #isCurrent(entry: Entry): Promise<boolean> {
    const nowMs = this.#now();
    if (nowMs - entry.verifiedAtMs < VERIFIED_MS) return true;
    entry.holders++;
    try {
      await this.#options.verify(entry.files);
      entry.verifiedAtMs = nowMs;
    } catch {
      this.#drop(entry);
    } finally {
      entry.holders--;
      if (entry.dropped) this.#dropTable(entry);
    }
    return !entry.dropped;
  }

  #isHot(dataset: string, key: string): boolean {
    const nowMs = this.#now();
    const before = this.#reads.get(key) ?? [];
    if (before.some((atMs) => atMs > nowMs)) return false;
    const reads = [...before, nowMs].filter((atMs) => atMs > nowMs - WINDOW_MS).slice(-READS);
    this.#reads.delete(key);
    this.#reads.set(key, reads);
    const [oldest] = this.#reads.keys();
    if (this.#reads.size > REMEMBERED_MAX && oldest !== undefined) this.#reads.delete(oldest);
    return this.#options.isPinned(dataset) || reads.length >= READS;
  }

  #hold(entry: Entry, table: KeptTable): HeldRelation {
    this.#counts.hits++;
    entry.hits++;
    entry.holders++;
    entry.lastUsedAtMs = this.#now();
    this.#entries.delete(entry.key);
    this.#entries.set(entry.key, entry);
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      entry.holders--;
      if (entry.dropped) this.#dropTable(entry);
    };
    return { text: table.relation, release };
  }

  #load(scan: Scan, key: string, engine: Engine): void {
    if (this.#waiting >= LOADS_WAITING_MAX || this.#closing.signal.aborted) return;
    const entry: Entry = {
      key,
      dataset: scan.dataset,
      engine,
      files: filesOf([scan]),
      table: null,
      holders: 0,
      hits: 0,
      lastUsedAtMs: this.#now(),
      verifiedAtMs: 0,
      dropped: false,
    };
    this.#entries.set(key, entry);
    this.#queue(async () => {
      try {
        await this.#fill(entry, scan);
        this.#reads.delete(key);
      } catch (error) {
        this.#entries.delete(key);
        this.#reads.set(key, [this.#now() + RETRY_MS]);
        if (!this.#closing.signal.aborted) this.#options.onFault(error);
      }
    });
  }

  /** Files are the same before and after, so the rows are theirs. */
  async #fill(entry: Entry, scan: Scan): Promise<void> {
    const { lease, verify } = this.#options;
    const { engine, release } = await lease();
    try {
      if (engine !== entry.engine || entry.dropped) throw new Error('another engine took over');
      await verify(entry.files);
      const table = await engine.keep(`${PREFIX}${entry.key.slice(0, 32)}_${this.#made++}`, scanText(scan), this.#closing.signal);
      try {
        await verify(entry.files);
        if (!this.#makeRoom(table.bytes, this.#options.isPinned(entry.dataset))) throw new Error('no room for the table in memory');
      } catch (error) {
        await table.drop();
        throw error;
      }
      entry.table = table;
      entry.verifiedAtMs = this.#now();
      this.#counts.loads++;
      for (const other of [...this.#entries.values()]) if (isOlder(other, entry)) this.#drop(other);
      if (entry.dropped) this.#dropTable(entry);
    } finally {
      release();
    }
  }

  #bytes(): number {
    return [...this.#entries.values()].reduce((sum, { table }) => sum + (table?.bytes ?? 0), 0);
  }

  /** Pins leave last, and for another pin only. */
  #makeRoom(bytes: number, isPinned: boolean): boolean {
    while (this.#bytes() + bytes > this.#options.totalMax) {
      const idle = [...this.#entries.values()].filter(({ table, holders }) => table !== null && holders === 0);
      const victim = idle.find(({ dataset }) => !this.#options.isPinned(dataset)) ?? (isPinned ? idle[0] : undefined);
      if (victim === undefined) return false;
      this.#counts.evictions++;
      this.#drop(victim);
    }
    return true;
  }

  #dropIdle(): void {
    const nowMs = this.#now();
    for (const entry of [...this.#entries.values()])
      if (entry.lastUsedAtMs < nowMs - IDLE_MS && entry.holders === 0 && !this.#options.isPinned(entry.dataset)) this.#drop(entry);
  }

  /** Queries that read it go on; the last one takes it away. */
  #drop(entry: Entry): void {
    if (entry.dropped) return;
    entry.dropped = true;
    this.#entries.delete(entry.key);
    this.#dropTable(entry);
  }

  #dropTable(entry: Entry): void {
    const { table } = entry;
    if (table === null || entry.holders > 0) return;
    entry.table = null;
    this.#queue(() => table.drop().catch(this.#options.onFault));
  }

  #queue(work: () => Promise<void>): void {
    this.#waiting++;
    this.#work = this.#work.then(work).finally(() => {
      this.#waiting--;
    });
  }
}

/** Of the same dataset, with a file that is another one now. */
function isOlder(other: Entry, entry: Entry): boolean {
  if (other === entry || other.dataset !== entry.dataset) return false;
  const versions = new Map(entry.files.map(({ path, version }) => [path, version]));
  return other.files.some(({ path, version }) => versions.has(path) && versions.get(path) !== version);
}
