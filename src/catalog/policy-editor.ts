/** Changes to the policy set by programs: the whole set is checked before it is written, and nobody else's change is overwritten. */
import type { Connection } from '../files.ts';
import type { Dataset, Snapshot } from '../model.ts';
import { foldName } from '../names.ts';
import type { PolicyFiles } from './load.ts';
import type { PathBase } from './paths.ts';
import { Problems } from './problems.ts';
import { CATALOG_FILE, readCatalog } from './read-catalog.ts';
import type { ColumnType } from './types.ts';

/** The files of the set as they are, and which state that is. */
export interface PolicyEdition {
  readonly files: PolicyFiles;
  readonly revision: string;
}

export interface PolicyNote {
  readonly author: string;
  readonly comment: string;
}

export interface PolicyEditor {
  read(): Promise<PolicyEdition>;
  /**
   * Puts `files` in place of the state that `revision` names, and in force here. Gives the set with its problems.
   * Rejects with policy.invalid when they do not load, metadata.conflict when another state is there, metadata.unavailable.
   */
  write(edition: PolicyEdition, note: PolicyNote): Promise<Snapshot>;
  /** What catalog.yaml says of a dataset, nothing resolved; `schema.name` in any case. */
  describe(files: PolicyFiles, key: string): DescribedDataset;
}

export interface DescribedDataset {
  readonly connections: readonly Connection[];
  /** null = there is none, or none that reads. */
  readonly dataset: Dataset | null;
  /** Columns with a declared type. */
  readonly typed: readonly ColumnType[];
  readonly problems: readonly string[];
}

export function describeDataset(files: PolicyFiles, key: string, base: PathBase): DescribedDataset {
  const problems = new Problems();
  const catalog = readCatalog(files.get(CATALOG_FILE) ?? '', base, problems);
  const draft = catalog?.datasets.find(({ dataset: { schema, name } }) => foldName(`${schema}.${name}`) === foldName(key));
  return {
    connections: catalog?.connections ?? [],
    dataset: draft?.dataset ?? null,
    typed: (draft?.declared ?? []).flatMap(({ name, type }) => (type === undefined ? [] : [{ name, type }])),
    problems: problems.list,
  };
}
