/** Changes to a policy directory by programs: one writer at a time, each file replaced as a whole. */
import { chmod, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, hasCode } from '../errors.ts';
import { hashFiles, type LoadOptions, loadSnapshot, type PolicyFiles, readFiles } from './load.ts';
import { describeDataset, type PolicyEditor } from './policy-editor.ts';

export interface DirectoryEditorOptions {
  readonly directory: string;
  readonly load: LoadOptions;
  /** Puts what was written in force. */
  readonly reload: () => Promise<void>;
}

const LOCK = '.writing';
/** A writer that takes longer has died. */
const LOCK_MS = 60_000;

export function createDirectoryEditor({ directory, load, reload }: DirectoryEditorOptions): PolicyEditor {
  return {
    read: async () => {
      const files = await readFiles(directory);
      return { files, revision: hashFiles(files) };
    },
    write: ({ files, revision }) =>
      locked(directory, async () => {
        const before = await readFiles(directory);
        if (hashFiles(before) !== revision) conflict();
        const { snapshot, problems } = await loadSnapshot(files, load);
        if (snapshot === null) return fail('policy.invalid', `the policy set would not load:\n  ${problems.join('\n  ')}`);
        await replaceFiles(directory, before, files);
        await reload();
        return snapshot;
      }),
    describe: (files, key) => describeDataset(files, key, load.base),
  };
}

function conflict(): never {
  return fail('metadata.conflict', 'somebody else changed the policy set meanwhile; look at the result and try again');
}

async function locked<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const lock = join(directory, LOCK);
  const held = await stat(lock).catch(() => null);
  if (held !== null && Date.now() - held.mtimeMs > LOCK_MS) await rm(lock, { recursive: true, force: true });
  try {
    await mkdir(lock);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return conflict();
    return fail('policy.invalid', 'the policy directory can not be written', error);
  }
  try {
    return await work();
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
}

async function replaceFiles(directory: string, before: PolicyFiles, after: PolicyFiles): Promise<void> {
  for (const [name, text] of after) {
    if (before.get(name) === text) continue;
    const path = join(directory, name);
    // In the lock's directory: nobody else writes there, and a rename within one file system is whole or not at all.
    const temporary = join(directory, LOCK, name);
    await writeFile(temporary, text);
    const known = await stat(path).catch(() => null);
    if (known !== null) await chmod(temporary, known.mode & 0o777);
    await flushed(temporary);
    await rename(temporary, path);
  }
}

async function flushed(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
