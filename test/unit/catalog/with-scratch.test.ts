import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createScratchStore, type MetadataStore, withScratch } from '#src/catalog/index.js';
import type { Snapshot } from '#src/model.js';

const BASE = { epoch: 1, contentHash: 'c', scratchSchema: 'scratch', connections: [], datasets: [] } as unknown as Snapshot;

/** A store whose snapshot the test changes. */
function fakeStore(first: Snapshot) {
  let snapshot = first;
  let listener: (snapshot: Snapshot) => void = () => {};
  const store: MetadataStore = {
    current: () => snapshot,
    watch: (added) => {
      listener = added;
      return () => {};
    },
    [Symbol.asyncDispose]: async () => {},
  };
  return {
    store,
    set: (next: Snapshot) => {
      snapshot = next;
      listener(next);
    },
  };
}

test('tables appear as datasets of their owners, and every change is told; the epoch stays that of the policy', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-scratch-'));
  const scratch = await createScratchStore({ directory, tablesMax: 9, bytesMax: 999, lingerMs: 0 });
  const { store, set } = fakeStore(BASE);
  const merged = withScratch(store, scratch);
  const epochs: number[] = [merged.current().epoch];
  merged.watch(({ epoch }) => epochs.push(epoch));
  const put = async (name: string) => {
    const draft = await scratch.draft('ada');
    await writeFile(draft.nextPart(), 'x');
    await draft.commit({
      name,
      mode: 'replace',
      columns: [{ name: 'a', type: 'DATE' }],
      lineage: [{ dataset: 'd', decision: 'h' }],
      rows: 1,
    });
  };

  await put('t');
  const [dataset] = merged.current().datasets;
  expect(dataset).toMatchObject({ schema: 'scratch', name: 't', owner: { subject: 'ada', lineage: [{ dataset: 'd', decision: 'h' }] } });
  expect(dataset?.columns).toEqual([{ name: 'a', type: 'DATE', tags: [] }]);
  expect(merged.current().connections).toEqual([{ kind: 'local', name: 'scratch', directory }]);
  expect(merged.current().contentHash).toBe('c');

  await put('u');
  expect(merged.current().datasets[0]).toBe(dataset);
  set({ ...BASE, epoch: 2, scratchSchema: 'mine' });
  expect(merged.current().datasets.map(({ schema, name }) => `${schema}.${name}`)).toEqual(['mine.t', 'mine.u']);
  set({ ...BASE, epoch: 3, scratchSchema: null });
  expect(merged.current()).toMatchObject({ datasets: [], connections: [] });
  expect(epochs).toEqual([1, 1, 1, 2, 3]);

  await merged[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});
