/** Files that are replaced as a whole. */
import { rename, rm, writeFile } from 'node:fs/promises';

/** Readers see the old text or the new one, also after a crash. Readable by the owner only. One writer of `path` at a time. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  // Of a writer that died.
  await rm(draft, { force: true });
  await writeFile(draft, text, { mode: 0o600, flag: 'wx', flush: true });
  await rename(draft, path);
}
