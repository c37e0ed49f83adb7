/** Tables that a principal made: its own alone, and only while the policy of everything they were made of is the same. */
import type { Dataset, Decision, Lineage, Snapshot, TableName } from '../model.ts';
import { foldName } from '../names.ts';
import { canonicalHash } from './canonical.ts';
import { hidden } from './cells.ts';
import { coversCell, type Rights } from './rights.ts';

export interface OwnTableFacts {
  readonly subject: string;
  readonly rights: Rights;
  /** What the lineage's dataset is decided as now; null = there is no such dataset. */
  readonly decisionHash: (datasetId: string) => string | null;
}

type Owner = NonNullable<Dataset['owner']>;

/** No grant, no role and no view opens it to anyone else; a deny counts for the owner too. */
export function decideOwnTable(dataset: Dataset, owner: Owner, facts: OwnTableFacts): Decision {
  const deny = (reason: string, rules: readonly string[] = []): Decision => ({ effect: 'deny', dataset: dataset.id, reason, rules });
  if (owner.subject !== facts.subject) return deny('no grant allows it');
  const denials = facts.rights.denials('select', dataset);
  const whole = denials.filter((right) => right.covers === 'dataset').map((right) => right.held.id);
  if (whole.length > 0) return deny(`denied by ${whole.join(', ')}`, whole);
  if (owner.lineage.some((source) => facts.decisionHash(source.dataset) !== source.decision))
    return deny('the policy of a source changed since; make the table again');
  const columns = dataset.columns.map((column) => {
    const ids = denials.filter((right) => coversCell(right, dataset, column)).map((right) => right.held.id);
    if (ids.length > 0) return hidden(column, ids, `denied by ${ids.join(', ')}`);
    return { name: column.name, treatment: { kind: 'raw' }, rules: [], reason: 'your own table' } as const;
  });
  if (columns.every(({ treatment }) => treatment.kind === 'hidden')) return deny('no column is visible');
  return { effect: 'allow', dataset: dataset.id, rowFilter: null, columns, roles: [], grants: [], rules: [] };
}

/** What may come out of a dataset by these decisions, without the names of the rules behind them. A view's text counts. */
export function hashDecisions(dataset: Dataset, decisions: readonly Decision[]): string {
  const effects = decisions.map((decision) =>
    decision.effect === 'deny'
      ? 'deny'
      : [decision.rowFilter, decision.columns.map(({ name, treatment }) => [name, treatment.kind === 'hidden' ? 'hidden' : treatment])],
  );
  return canonicalHash([dataset.id, dataset.source.kind === 'view' ? dataset.source.sql : null, effects]);
}

/** What a table made of these datasets is made of, down to governed ones. */
export function lineageOf(datasets: readonly Dataset[], hash: (dataset: Dataset) => string): readonly Lineage[] {
  const entries = datasets.flatMap((dataset) => dataset.owner?.lineage ?? [{ dataset: dataset.id, decision: hash(dataset) }]);
  return [...new Map(entries.map((entry) => [JSON.stringify([entry.dataset, entry.decision]), entry])).values()];
}

/** `create` on the table's name, in the scratch schema only. */
export function mayCreate({ schema, name }: TableName, snapshot: Snapshot, rights: Rights): boolean {
  if (snapshot.scratchSchema === null || foldName(schema) !== foldName(snapshot.scratchSchema)) return false;
  const table: Dataset = { id: '', schema, name, tags: [], columns: [], source: { kind: 'view', sql: '' } };
  const covered = rights.routes('create', table).some((right) => right.covers === 'dataset');
  return covered && rights.denials('create', table).length === 0;
}

/** Its owner sees that it is there, also when it can not be read any more. */
export function mayDescribeOwnTable(dataset: Dataset, owner: Owner, facts: OwnTableFacts): boolean {
  return owner.subject === facts.subject && !facts.rights.denials('describe', dataset).some((right) => right.covers === 'dataset');
}
