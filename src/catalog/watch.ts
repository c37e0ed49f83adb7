/** Notices edits of a policy directory: file events where the system has them, and a look at the clock everywhere. */
import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

const POLL_MS = 250;

/** Calls `changed` often rather than rarely; the caller compares signatures. */
export function watchDirectory(directory: string, changed: () => void): Disposable {
  const timer = setInterval(changed, POLL_MS);
  timer.unref();
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(directory, { persistent: false }, changed);
    // Network file systems may refuse events at any time; polling goes on.
    watcher.on('error', () => watcher?.close());
  } catch {
    watcher = undefined;
  }
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      watcher?.close();
    },
  };
}

/** Changes whenever a file is written, replaced, made or removed. */
export async function signatureOf(directory: string, names: readonly string[]): Promise<string> {
  const parts = names.map(async (name) => {
    const found = await stat(join(directory, name), { bigint: true }).catch(() => null);
    return found === null ? `${name} -` : `${name} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
  });
  return (await Promise.all(parts)).join('\n');
}
