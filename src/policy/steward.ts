/** Who may operate the server, and on which datasets: asked when a statement is planned, and again when it runs. */
import { fail } from '../errors.ts';
import type { Dataset, Snapshot, StewardCommand, TableName } from '../model.ts';
import { foldName } from '../names.ts';
import type { PrincipalPolicy } from './policy.ts';

/** Looking is allowed to auditors too. Throws policy.denied. */
export function requireSteward(command: StewardCommand, rights: Pick<PrincipalPolicy, 'may'>): void {
  if (rights.may('operate')) return;
  const looks = command.kind === 'showWorkers' || command.kind === 'showCache';
  if (looks && rights.may('audit')) return;
  fail(
    'policy.denied',
    looks
      ? 'you may not look into this server; ask for the right operate or audit on *'
      : 'you may not operate this server; ask for the right operate on *',
  );
}

/** The right is on the server, so every governed dataset is there; tables of one principal are not. Throws dataset.unknown. */
export function stewardDataset({ schema, name }: TableName, { datasets }: Pick<Snapshot, 'datasets'>): Dataset {
  const found = datasets.find(
    (dataset) => dataset.owner === undefined && foldName(dataset.schema) === foldName(schema) && foldName(dataset.name) === foldName(name),
  );
  return found ?? fail('dataset.unknown', `there is no dataset ${JSON.stringify(schema)}.${JSON.stringify(name)} in the catalog`);
}
