/**
 * The directory of scratch tables: one directory per version of a table, named by an id of its own, with `meta.json` and
 * Parquet parts. It is written under another name and renamed when it is whole; one without `meta.json` is a leftover.
 */
import { constants } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lineage } from '../model.ts';
import type { ColumnType } from './types.ts';

/** One version of a principal's table. */
export interface ScratchTable {
  /** Of this version: 32 hex digits, also the directory's name. */
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  /** Of the versions found after a crash the highest counts. */
  readonly version: number;
  readonly columns: readonly ColumnType[];
  readonly lineage: readonly Lineage[];
  /** ISO 8601. */
  readonly created: string;
  readonly rows: number;
  readonly bytes: number;
  /** File names of the parts, in row order. */
  readonly parts: readonly string[];
}

const META = 'meta.json';
const ID = /^[0-9a-f]{32}$/;
const PART = /^part-[0-9]{9}\.parquet$/;
const TEMPORARY = '.new-';

/** Where a version is written before it counts. */
export function temporaryDirectory(directory: string, id: string): string {
  return join(directory, `${TEMPORARY}${id}`);
}

export function partName(number: number): string {
  return `part-${String(number).padStart(9, '0')}.parquet`;
}

/** Every whole version; all else is removed, and so are versions with a newer one. */
export async function readTables(directory: string): Promise<readonly ScratchTable[]> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const newest = new Map<string, ScratchTable>();
  const leftovers: string[] = [];
  for (const entry of await readdir(directory)) {
    const table = ID.test(entry) ? await readTable(join(directory, entry), entry) : null;
    if (table === null) {
      leftovers.push(entry);
      continue;
    }
    const key = JSON.stringify([table.owner, table.name]);
    const other = newest.get(key);
    const [winner, loser] = other === undefined || other.version < table.version ? [table, other] : [other, table];
    newest.set(key, winner);
    if (loser !== undefined) leftovers.push(loser.id);
  }
  for (const entry of leftovers) if (ID.test(entry) || entry.startsWith(TEMPORARY)) await remove(join(directory, entry));
  return [...newest.values()];
}

async function readTable(path: string, id: string): Promise<ScratchTable | null> {
  try {
    const table = JSON.parse(await readFile(join(path, META), 'utf8')) as ScratchTable;
    if (table.id !== id || !table.parts.every((part) => PART.test(part))) return null;
    for (const part of table.parts) await stat(join(path, part));
    return table;
  } catch {
    return null;
  }
}

/** Makes a written version count: from here on it survives a crash. */
export async function publish(directory: string, table: ScratchTable): Promise<void> {
  const from = temporaryDirectory(directory, table.id);
  for (const part of table.parts) await sync(join(from, part));
  await writeSynced(join(from, META), JSON.stringify(table));
  await sync(from);
  await rename(from, join(directory, table.id));
  await sync(directory);
}

/** The version no longer counts; its parts stay for who reads them until `remove`. */
export async function retire(directory: string, id: string): Promise<void> {
  await unlink(join(directory, id, META));
  await sync(join(directory, id));
}

export async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

/** The same part in another version, without a copy where the file system can. */
export async function share(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to, constants.COPYFILE_EXCL));
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Of a file's content or a directory's entries. */
async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
