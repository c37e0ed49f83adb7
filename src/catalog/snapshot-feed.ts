/** The set in force and who wants to hear of the next one. */
import { fail } from '../errors.ts';
import type { Snapshot } from '../model.ts';

export class SnapshotFeed {
  readonly #listeners = new Set<(snapshot: Snapshot) => void>();
  readonly #onProblems: (problems: readonly string[]) => void;
  #current: Snapshot | null = null;

  constructor(onProblems: (problems: readonly string[]) => void) {
    this.#onProblems = onProblems;
  }

  get last(): Snapshot | null {
    return this.#current;
  }

  /** Rejects with policy.invalid before the first one. */
  current(): Snapshot {
    return this.#current ?? fail('policy.invalid', 'no policy is loaded');
  }

  watch(listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  publish(snapshot: Snapshot): void {
    this.#current = snapshot;
    for (const listener of this.#listeners) this.#tell(listener, snapshot);
  }

  close(): void {
    this.#listeners.clear();
  }

  /** One that throws must not keep the others from hearing. */
  #tell(listener: (snapshot: Snapshot) => void, snapshot: Snapshot): void {
    try {
      listener(snapshot);
    } catch (error) {
      this.#onProblems([`a listener failed: ${error instanceof Error ? error.message : String(error)}`]);
    }
  }
}
