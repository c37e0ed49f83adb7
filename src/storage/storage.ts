/** One face over every kind of storage; local files so far. */
import { fail } from '../errors.ts';
import type { StoredFile } from '../model.ts';
import { statFiles } from './local.ts';

export interface Storage {
  /** Lengths and versions, in the order of `paths`. Rejects with storage.unavailable. */
  stat(paths: readonly string[]): Promise<readonly StoredFile[]>;
  /** Rejects with storage.unavailable when a file is gone or was written since. */
  verify(files: readonly StoredFile[]): Promise<void>;
}

export function createStorage(): Storage {
  return {
    stat: statFiles,
    verify: async (files) => {
      const now = await statFiles(files.map(({ path }) => path));
      if (files.some(({ version }, index) => now[index]?.version !== version))
        fail('storage.unavailable', 'the data changed since this query was planned; run it again');
    },
  };
}
