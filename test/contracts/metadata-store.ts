/** What every metadata store keeps, whatever it stores in. */
import { afterEach, describe, expect, test } from 'vitest';
import type { MetadataStore } from '#src/catalog/types.js';
import type { Snapshot } from '#src/model.js';

export interface StoreUnderTest extends AsyncDisposable {
  readonly store: MetadataStore;
  readonly problems: readonly string[];
  /** Makes a change that is accepted: one more grant each time. */
  change(): Promise<void>;
  /** Makes a change that must be refused. */
  breakIt(): Promise<void>;
  /** Takes the refused change back. */
  repair(): Promise<void>;
}

/** A change is in force within this time. */
const IN_FORCE_MS = 1000;

export function runMetadataStoreContract(name: string, make: () => Promise<StoreUnderTest>): void {
  let open: StoreUnderTest | undefined;
  const start = async (): Promise<StoreUnderTest> => {
    open = await make();
    return open;
  };
  afterEach(async () => {
    await open?.[Symbol.asyncDispose]();
    open = undefined;
  });

  describe(`${name} keeps the contract of a metadata store`, () => {
    test('has a complete snapshot from the start', async () => {
      const { store } = await start();
      const snapshot = store.current();
      expect(snapshot.epoch).toBeGreaterThan(0);
      expect(snapshot.contentHash).toMatch(/^[0-9a-f]{64}$/);
      expect(snapshot.datasets.length).toBeGreaterThan(0);
      expect(store.current()).toBe(snapshot);
    });

    test('an accepted change makes a new snapshot of a higher epoch, in force within a second', async () => {
      const { store, change } = await start();
      let leastMs = Number.POSITIVE_INFINITY;
      // A busy machine may keep one change waiting, but not all of them.
      for (let i = 0; i < 30 && leastMs >= IN_FORCE_MS; i++) {
        const before = store.current();
        const kept = structuredClone(before);
        const changed = nextSnapshot(store);
        await change();
        const started = performance.now();
        const after = await changed;
        leastMs = Math.min(leastMs, performance.now() - started);
        expect(after.epoch).toBeGreaterThan(before.epoch);
        expect(after.contentHash).not.toBe(before.contentHash);
        expect(after.grants.length).toBe(before.grants.length + 1);
        expect(store.current()).toBe(after);
        expect(before).toEqual(kept);
      }
      expect(leastMs).toBeLessThan(IN_FORCE_MS);
    });

    test('a listener hears every epoch once, in order, until it stops', async () => {
      const { store, change } = await start();
      const heard: number[] = [];
      const stop = store.watch((snapshot) => heard.push(snapshot.epoch));
      for (let i = 0; i < 3; i++) {
        const changed = nextSnapshot(store);
        await change();
        await changed;
      }
      stop();
      const changed = nextSnapshot(store);
      await change();
      await changed;
      expect(heard).toHaveLength(3);
      expect(heard).toEqual([...new Set(heard)].sort((a, b) => a - b));
    });

    test('a refused change is reported and changes nothing', async () => {
      const { store, breakIt, repair, change, problems } = await start();
      const before = store.current();
      await breakIt();
      await expect.poll(() => problems.length).toBeGreaterThan(0);
      expect(store.current()).toBe(before);
      await repair();
      const changed = nextSnapshot(store);
      await change();
      expect((await changed).epoch).toBeGreaterThan(before.epoch);
    });

    test('the same content has the same hash', async () => {
      const { store } = await start();
      const second = await make();
      expect(second.store.current().contentHash).toBe(store.current().contentHash);
      await second[Symbol.asyncDispose]();
    });

    test('a closed store is silent', async () => {
      const { store, change } = await start();
      let heard = 0;
      store.watch(() => heard++);
      await store[Symbol.asyncDispose]();
      await change();
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(heard).toBe(0);
    });
  });
}

/** The next one that a listener is told about. */
export function nextSnapshot(store: MetadataStore): Promise<Snapshot> {
  return new Promise((resolve) => {
    const stop = store.watch((snapshot) => {
      stop();
      resolve(snapshot);
    });
  });
}
