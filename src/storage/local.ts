/** Files of local directories. */
import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { SluiceError } from '../errors.ts';
import type { StoredFile } from '../model.ts';

/** Files asked about at the same time. */
const AT_ONCE = 32;

/** Rejects with storage.unavailable when one is gone. */
export async function statFiles(paths: readonly string[]): Promise<readonly StoredFile[]> {
  const files: StoredFile[] = [];
  for (let from = 0; from < paths.length; from += AT_ONCE)
    files.push(...(await Promise.all(paths.slice(from, from + AT_ONCE).map(statFile))));
  return files;
}

async function statFile(path: string): Promise<StoredFile> {
  try {
    return toFile(path, await stat(path, { bigint: true }));
  } catch (error) {
    throw new SluiceError('storage.unavailable', 'the data could not be read from its storage; run the query again', error);
  }
}

/** Every write changes the time; a file put in another's place has another inode. */
function toFile(path: string, { size, mtimeNs, ino }: BigIntStats): StoredFile {
  return { path, bytes: Number(size), version: `${mtimeNs}-${ino}-${size}` };
}
