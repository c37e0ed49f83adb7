/**
 * Tables that principals make for themselves, as Parquet files below one directory.
 * Every change makes a new version of a table and is all or nothing, also through a crash. Sizes are bytes.
 * Errors: dataset.exists, dataset.unknown, dataset.changed, limit.scratch, request.malformed.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../errors.ts';
import type { Lineage } from '../model.ts';
import { foldName } from '../names.ts';
import { identifierFault } from './identifiers.ts';
import { partName, publish, readTables, remove, retire, type ScratchTable, share, temporaryDirectory } from './scratch-files.ts';
import type { ColumnType } from './types.ts';

export interface ScratchOptions {
  readonly directory: string;
  /** Most tables and bytes of one owner. */
  readonly tablesMax: number;
  readonly bytesMax: number;
  /** How long the files of a replaced or dropped table stay for those who read them. */
  readonly lingerMs: number;
}

/** What becomes of a draft. */
export interface ScratchCommit {
  readonly name: string;
  /** `append`: behind the rows of the table that is there, whose columns must be the same. */
  readonly mode: 'create' | 'replace' | 'append';
  /** Only if this is still the table's version. */
  readonly base?: ScratchTable;
  readonly columns: readonly ColumnType[];
  readonly lineage: readonly Lineage[];
  /** Of the draft's own parts. */
  readonly rows: number;
}

/** Parts being written by one owner. */
export interface ScratchDraft {
  /** Path for the next part; the caller writes a Parquet file there. */
  nextPart(): string;
  /** Rejects with limit.scratch when what is written so far has no room. */
  checkRoom(): Promise<void>;
  /** Rejects with dataset.*, limit.scratch, request.malformed; the draft is gone afterwards, whatever happens. */
  commit(commit: ScratchCommit): Promise<ScratchTable>;
  /** Removes what was written; nothing after a commit. */
  discard(): Promise<void>;
}

export interface ScratchStore extends AsyncDisposable {
  readonly directory: string;
  /** The tables in force; a new list after each change. */
  tables(): readonly ScratchTable[];
  find(owner: string, name: string): ScratchTable | null;
  /** Of the parts of a table: a path with `*`. */
  pathOf(table: ScratchTable): string;
  draft(owner: string): Promise<ScratchDraft>;
  /** Whether there was such a table. */
  drop(owner: string, name: string): Promise<boolean>;
  /** Called after each change; returns how to stop. */
  watch(listener: () => void): () => void;
}

/** Reads what is there and removes what a crash left. */
export async function createScratchStore(options: ScratchOptions): Promise<ScratchStore> {
  return new DirectoryScratchStore(options, await readTables(options.directory));
}

interface Retired {
  readonly table: ScratchTable;
  readonly timer: NodeJS.Timeout;
}

class DirectoryScratchStore implements ScratchStore {
  readonly #options: ScratchOptions;
  readonly #listeners = new Set<() => void>();
  readonly #retired = new Map<string, Retired>();
  #tables: readonly ScratchTable[];
  /** Changes run one after the other. */
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: ScratchOptions, tables: readonly ScratchTable[]) {
    this.#options = options;
    this.#tables = tables;
  }

  get directory(): string {
    return this.#options.directory;
  }

  tables(): readonly ScratchTable[] {
    return this.#tables;
  }

  find(owner: string, name: string): ScratchTable | null {
    return this.#tables.find((table) => table.owner === owner && foldName(table.name) === foldName(name)) ?? null;
  }

  pathOf(table: ScratchTable): string {
    return join(this.directory, table.id, 'part-*.parquet');
  }

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async draft(owner: string): Promise<ScratchDraft> {
    const id = randomUUID().replaceAll('-', '');
    const path = temporaryDirectory(this.#options.directory, id);
    await mkdir(path, { mode: 0o700 });
    const parts: string[] = [];
    const discard = (): Promise<void> => remove(path);
    return {
      nextPart: () => {
        parts.push(partName(parts.length));
        return join(path, partName(parts.length - 1));
      },
      checkRoom: async () => this.#checkBytes(this.#bytesOf(owner) + (await sizeOf(path, parts))),
      commit: async (commit) => {
        try {
          return await this.#enqueue(() => this.#commit({ id, owner, path, parts }, commit));
        } finally {
          await discard();
        }
      },
      discard,
    };
  }

  drop(owner: string, name: string): Promise<boolean> {
    return this.#enqueue(async () => {
      const table = this.find(owner, name);
      if (table === null) return false;
      await retire(this.#options.directory, table.id);
      this.#replace(table, null);
      return true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear();
    await this.#work;
    for (const { table, timer } of [...this.#retired.values()]) {
      clearTimeout(timer);
      await this.#forget(table);
    }
  }

  async #commit(
    draft: { readonly id: string; readonly owner: string; readonly path: string; readonly parts: readonly string[] },
    commit: ScratchCommit,
  ): Promise<ScratchTable> {
    const before = this.find(draft.owner, commit.name);
    checkCommit(commit, before);
    const { columns, lineage, rows } = commit;
    const kept = commit.mode === 'append' ? before : null;
    const bytes = (await sizeOf(draft.path, draft.parts)) + (kept?.bytes ?? 0);
    this.#checkQuota(draft.owner, before, bytes);
    const parts = await this.#arrangeParts(kept, draft.path, draft.parts);
    const table: ScratchTable = {
      id: draft.id,
      owner: draft.owner,
      name: kept?.name ?? commit.name,
      version: (before?.version ?? 0) + 1,
      columns,
      lineage: mergeLineage([...(kept?.lineage ?? []), ...lineage]),
      created: kept?.created ?? new Date().toISOString(),
      rows: rows + (kept?.rows ?? 0),
      bytes,
      parts,
    };
    await publish(this.#options.directory, table);
    if (before !== null) await retire(this.#options.directory, before.id);
    this.#replace(before, table);
    return table;
  }

  /** The kept version's parts before the draft's own; readers take them in the order of their names. */
  async #arrangeParts(kept: ScratchTable | null, path: string, own: readonly string[]): Promise<readonly string[]> {
    const earlier = kept?.parts.length ?? 0;
    if (kept === null || earlier === 0) return own;
    for (const [i, part] of [...own.entries()].reverse()) await rename(join(path, part), join(path, partName(earlier + i)));
    for (const [i, part] of kept.parts.entries()) await share(join(this.#options.directory, kept.id, part), join(path, partName(i)));
    return Array.from({ length: earlier + own.length }, (_, i) => partName(i));
  }

  #checkQuota(owner: string, before: ScratchTable | null, bytes: number): void {
    const { tablesMax } = this.#options;
    const count = this.#tables.filter((table) => table.owner === owner).length;
    if (before === null && count >= tablesMax)
      fail('limit.scratch', `you have ${tablesMax} tables, the most that one may have; drop some of them`);
    this.#checkBytes(this.#bytesOf(owner) - (before?.bytes ?? 0) + bytes);
  }

  #checkBytes(bytes: number): void {
    const { bytesMax } = this.#options;
    if (bytes > bytesMax)
      fail('limit.scratch', `your tables would take more than ${bytesMax} bytes, the most that one may store; drop some of them`);
  }

  #bytesOf(owner: string): number {
    return this.#tables.reduce((sum, table) => sum + (table.owner === owner ? table.bytes : 0), 0);
  }

  #replace(before: ScratchTable | null, after: ScratchTable | null): void {
    this.#tables = [...this.#tables.filter((table) => table !== before), ...(after === null ? [] : [after])];
    if (before !== null) this.#linger(before);
    for (const listener of this.#listeners) listener();
  }

  /** Old files go after a while, and at once when one owner's would take more room than its tables may. */
  #linger(table: ScratchTable): void {
    const timer = setTimeout(() => void this.#forget(table), this.#options.lingerMs);
    timer.unref();
    this.#retired.set(table.id, { table, timer });
    const own = [...this.#retired.values()].filter((retired) => retired.table.owner === table.owner);
    let bytes = own.reduce((sum, retired) => sum + retired.table.bytes, 0);
    for (const retired of own) {
      if (bytes <= this.#options.bytesMax) return;
      bytes -= retired.table.bytes;
      clearTimeout(retired.timer);
      void this.#forget(retired.table);
    }
  }

  async #forget(table: ScratchTable): Promise<void> {
    this.#retired.delete(table.id);
    // What can not be removed now is a leftover of the next start.
    await remove(join(this.#options.directory, table.id)).catch(() => {});
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work);
    this.#work = result.catch(() => {});
    return result;
  }
}

function checkCommit({ name, mode, base, columns }: ScratchCommit, before: ScratchTable | null): void {
  const fault = identifierFault(name);
  if (fault !== null) fail('request.malformed', `this table name can not be used: ${fault}`);
  if (mode === 'create' && before !== null) fail('dataset.exists', `you already have a table ${name}; drop or replace it`);
  if (mode === 'append' && before === null) fail('dataset.unknown', `you have no table ${name}`);
  const otherColumns = mode === 'append' && JSON.stringify(before?.columns) !== JSON.stringify(columns);
  if (otherColumns || (base !== undefined && base !== before))
    fail('dataset.changed', `the table ${name} changed while this was written; try again`);
}

async function sizeOf(path: string, parts: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const part of parts)
    bytes += await stat(join(path, part)).then(
      ({ size }) => size,
      () => 0,
    );
  return bytes;
}

function mergeLineage(lineage: readonly Lineage[]): readonly Lineage[] {
  return [...new Map(lineage.map((entry) => [JSON.stringify([entry.dataset, entry.decision]), entry])).values()];
}
