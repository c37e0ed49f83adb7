/** The quickstart's policy directory, edited; the demo data is the same. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { QUICKSTART_DIRECTORY } from '#src/config.js';
import { ensureDemoData } from '#src/demo.js';
import { STATE_DIRECTORY } from './server.ts';

export interface EditedPolicies extends AsyncDisposable {
  readonly directory: string;
}

/** `edits`: file → pairs of a text that stands there once and what replaces it. */
export async function editQuickstart(edits: Readonly<Record<string, readonly (readonly [string, string])[]>>): Promise<EditedPolicies> {
  await ensureDemoData(join(STATE_DIRECTORY, 'demo'), () => {});
  const directory = await mkdtemp(join(tmpdir(), 'sluice-policies-'));
  await cp(QUICKSTART_DIRECTORY, directory, { recursive: true });
  for (const [file, changes] of Object.entries(edits)) {
    let text = await readFile(join(directory, file), 'utf8');
    for (const [from, to] of changes) {
      if (text.split(from).length !== 2) throw new Error(`${file} does not hold exactly once: ${from}`);
      text = text.replace(from, () => to);
    }
    await writeFile(join(directory, file), text);
  }
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}
