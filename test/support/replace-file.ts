/** Replaces a file as a whole: whoever watches it never finds half of the new text. */
import { rename, writeFile } from 'node:fs/promises';

export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.draft`;
  await writeFile(draft, text);
  await rename(draft, path);
}
