/** Files of local directories. */
import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { StoredFile } from '../files.ts';
import { AT_ONCE, inParallel } from './at-once.ts';
import { storageError } from './faults.ts';

/** Rejects with storage.unavailable when one is gone. */
export async function statFiles(paths: readonly string[]): Promise<readonly StoredFile[]> {
  return inParallel(paths, AT_ONCE, async (path) => {
    try {
      return toFile(path, await stat(path, { bigint: true }));
    } catch (error) {
      throw storageError(error);
    }
  });
}

/** Every write changes the time; a file put in another's place has another inode. */
function toFile(path: string, { size, mtimeNs, ino }: BigIntStats): StoredFile {
  return { path, bytes: Number(size), version: `${mtimeNs}-${ino}-${size}` };
}
