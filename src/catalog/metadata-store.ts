/** Where metadata comes from; every implementation passes `test/contracts/metadata-store.ts`. */
import type { Snapshot } from '../model.ts';

export interface MetadataStore extends AsyncDisposable {
  /** The set in force; immutable. */
  current(): Snapshot;
  /** Called after each change with a snapshot of a higher epoch; returns how to stop. */
  watch(listener: (snapshot: Snapshot) => void): () => void;
}
