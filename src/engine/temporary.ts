/** A directory of its own for what one engine spills: two engines in one directory would write into each other's files. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pid } from 'node:process';

/** `engine-<process id>-<random>`. */
const NAME = /^engine-(\d+)-\w+$/;

export interface Temporary extends AsyncDisposable {
  readonly directory: string;
}

/** Below `parent`, which is made; what processes left there that are no more is removed. */
export async function openTemporary(parent: string): Promise<Temporary> {
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) if (isLeftover(name)) await rm(join(parent, name), { recursive: true, force: true });
  const directory = await mkdtemp(join(parent, `engine-${pid}-`));
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

function isLeftover(name: string): boolean {
  const owner = Number(NAME.exec(name)?.[1] ?? Number.NaN);
  if (!Number.isInteger(owner)) return false;
  try {
    process.kill(owner, 0);
    return false;
  } catch (error) {
    // EPERM: it lives and is somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}
