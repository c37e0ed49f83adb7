/** A directory of its own for what one engine spills, or one process keeps: two in one directory would write into each other's files. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pid } from 'node:process';
import { hasCode } from '../errors.ts';

/** `<kind>-<process id>-<random>`. */
const NAME = /^[a-z]+-(\d+)-\w+$/;

export interface Temporary extends AsyncDisposable {
  readonly directory: string;
}

/** Below `parent`, which is made; readable by its owner only. What processes left there that are no more is removed. */
export async function openTemporary(parent: string, kind: 'engine' | 'results'): Promise<Temporary> {
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) if (isLeftover(name)) await rm(join(parent, name), { recursive: true, force: true });
  const directory = await mkdtemp(join(parent, `${kind}-${pid}-`));
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
    return hasCode(error, 'ESRCH');
  }
}
