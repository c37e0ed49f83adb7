/** The store's face and what it is given from outside. */
import type { Connection } from '../files.ts';
import type { Dataset, Snapshot } from '../model.ts';

/** Every implementation passes `test/contracts/metadata-store.ts`. */
export interface MetadataStore extends AsyncDisposable {
  /** The set in force; immutable. */
  current(): Snapshot;
  /** Called after each change with a snapshot of a higher epoch; returns how to stop. */
  watch(listener: (snapshot: Snapshot) => void): () => void;
}

export interface ColumnType {
  readonly name: string;
  /** DuckDB type text. */
  readonly type: string;
}

/** By dataset id; text says why the columns can not be known. */
export type ResolvedColumns = ReadonlyMap<string, readonly ColumnType[] | string>;

/** A catalog whose datasets may have no columns yet. */
export interface ColumnsDraft {
  readonly catalogName: string;
  readonly defaultSchema: string;
  readonly connections: readonly Connection[];
  readonly datasets: readonly Dataset[];
}

/** One fault that the policy check found; `id` as in the files, members as `<member> <role>`. */
export interface Finding {
  readonly about: { readonly kind: 'model' | 'grant' | 'member' | 'filter' | 'mask'; readonly id: string };
  readonly message: string;
  /** `reject` keeps the set out of force, `break` makes `datasets` unreadable, `warn` does neither. */
  readonly effect: 'reject' | 'break' | 'warn';
  readonly datasets: readonly string[];
}
