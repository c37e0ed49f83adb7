/** Datasets that stewards want in memory: by id, in a document that all nodes of the metadata share, or in a file of this one. */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fail } from '../errors.ts';
import { replaceFile } from '../replace-file.ts';

/** What the shared document of the metadata offers. */
export interface PinDocument {
  current(): unknown;
  update(change: (content: unknown) => unknown): Promise<void>;
}

export interface Pins {
  /** As known here now; a document out of reach pins nothing. */
  has(datasetId: string): boolean;
  /** `known`: ids of the catalog; pins of others are forgotten. Rejects with metadata.* and limit.busy. */
  set(datasetId: string, pinned: boolean, known: ReadonlySet<string>): Promise<void>;
}

const PINS_MAX = 1000;

export function createPins(document: PinDocument): Pins {
  let read: { readonly content: unknown; readonly ids: ReadonlySet<string> } = { content: null, ids: new Set() };
  return {
    has: (id) => {
      try {
        const content = document.current();
        if (content !== read.content) read = { content, ids: new Set(idsOf(content)) };
        return read.ids.has(id);
      } catch {
        return false;
      }
    },
    set: (id, pinned, known) =>
      document.update((content) => {
        const before = idsOf(content);
        if (before.includes(id) === pinned) return content;
        const others = before.filter((other) => other !== id && known.has(other));
        if (pinned && others.length >= PINS_MAX)
          fail('limit.busy', `${PINS_MAX} datasets are pinned, the most that can be; UNPIN one first`);
        return { pinned: pinned ? [...others, id].sort() : others };
      }),
  };
}

/** Anything else than what `set` writes pins nothing. */
function idsOf(content: unknown): readonly string[] {
  const pinned: unknown = typeof content === 'object' && content !== null ? Reflect.get(content, 'pinned') : null;
  return Array.isArray(pinned) ? pinned.filter((id) => typeof id === 'string') : [];
}

/** Of one node alone; a file that does not read pins nothing. */
export async function openPinFile(path: string): Promise<PinDocument> {
  let content: unknown = await readFile(path, 'utf8')
    .then((text): unknown => JSON.parse(text))
    .catch(() => null);
  let last: Promise<void> = Promise.resolve();
  const write = async (change: (content: unknown) => unknown): Promise<void> => {
    const changed = change(content);
    if (changed === content) return;
    await mkdir(dirname(path), { recursive: true });
    await replaceFile(path, JSON.stringify(changed));
    content = changed;
  };
  return {
    current: () => content,
    update: (change) => {
      const done = last.then(() => write(change));
      last = done.catch(() => {});
      return done;
    },
  };
}
