/** Keys as one principal may see them: a key with a hidden column, on either side, does not show. */
import type { Dataset, Snapshot } from '../model.ts';
import type { PrincipalPolicy } from '../policy/index.ts';
import type { VisibleForeignKey, VisibleTable } from './types.ts';

export function visibleKeys(
  dataset: Dataset,
  rights: PrincipalPolicy,
  snapshot: Snapshot,
): Pick<VisibleTable, 'primaryKey' | 'foreignKeys'> {
  const { primaryKey = [], foreignKeys = [] } = dataset;
  return {
    primaryKey: sees(rights, dataset, primaryKey) ? primaryKey : [],
    foreignKeys: foreignKeys.flatMap((key): readonly VisibleForeignKey[] => {
      const other = snapshot.datasets.find(({ id }) => id === key.references);
      if (other === undefined || !rights.mayDescribe(other)) return [];
      if (!sees(rights, dataset, key.columns) || !sees(rights, other, key.referencedColumns)) return [];
      return [{ ...key, references: { schema: other.schema, name: other.name } }];
    }),
  };
}

/** Names of the columns that the principal does not see. Who may only describe a dataset sees them all. */
export function hiddenColumns(rights: PrincipalPolicy, dataset: Dataset): ReadonlySet<string> {
  const decision = rights.decide(dataset);
  if (decision.effect === 'deny') return new Set();
  return new Set(decision.columns.filter(({ treatment }) => treatment.kind === 'hidden').map(({ name }) => name));
}

function sees(rights: PrincipalPolicy, dataset: Dataset, columns: readonly string[]): boolean {
  const hidden = hiddenColumns(rights, dataset);
  return !columns.some((column) => hidden.has(column));
}
