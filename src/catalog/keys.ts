/** Primary and foreign keys that catalog.yaml declares: facts for clients, checked against columns, never against rows. */
import type { Dataset, ForeignKey } from '../model.ts';
import { foldName } from '../names.ts';
import type { Position, Problems } from './problems.ts';
import type { DraftDataset } from './read-dataset.ts';
import type { YamlNode } from './yaml-node.ts';

export interface DeclaredKeys {
  readonly primaryKey: { readonly columns: readonly string[]; readonly position: Position } | null;
  readonly foreignKeys: readonly DeclaredForeignKey[];
}

export interface DeclaredForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  /** `schema.name`. */
  readonly references: string;
  /** null: the primary key of the other dataset. */
  readonly referencedColumns: readonly string[] | null;
  readonly position: Position;
}

/** `primaryKey: [a, b]` and `foreignKeys: [{ columns, references, referencedColumns, name }]`; faults become problems. */
export function readKeys(name: string, primary: YamlNode | undefined, foreign: YamlNode | undefined): DeclaredKeys {
  const columns = primary === undefined ? null : readColumns(primary);
  return {
    primaryKey: primary === undefined || columns === null ? null : { columns, position: primary.position },
    foreignKeys: (foreign?.items() ?? []).flatMap((node) => readForeignKey(name, node) ?? []),
  };
}

function readForeignKey(dataset: string, node: YamlNode): DeclaredForeignKey | undefined {
  const fields = node.fields(['name', 'columns', 'references', 'referencedColumns'], ['columns', 'references']);
  const [columns, references, referenced] = [fields.get('columns'), fields.get('references')?.text(), fields.get('referencedColumns')];
  const own = columns === undefined ? null : readColumns(columns);
  if (own === null || references === undefined) return undefined;
  const name = fields.get('name')?.text() ?? `${dataset}_${own.join('_')}_fkey`;
  return {
    name,
    columns: own,
    references,
    referencedColumns: referenced === undefined ? null : readColumns(referenced),
    position: node.position,
  };
}

function readColumns(node: YamlNode): readonly string[] | null {
  const columns = node.texts() ?? [];
  if (columns.length === 0) return node.problem('a key needs columns') ?? null;
  if (new Set(columns.map(foldName)).size < columns.length) return node.problem('a key names a column twice') ?? null;
  return columns;
}

/** Keys go with the datasets that have their columns; a key that does not fit is a problem and is left out. */
export function withKeys(datasets: readonly Dataset[], drafts: readonly DraftDataset[], problems: Problems): readonly Dataset[] {
  const keyed = datasets.map((dataset, i) => withPrimaryKey(dataset, drafts[i]?.keys.primaryKey ?? null, problems));
  const byName = new Map(keyed.map((dataset) => [nameOf(dataset), dataset]));
  return keyed.map((dataset, i) => {
    const declared = dataset.broken === undefined ? (drafts[i]?.keys.foreignKeys ?? []) : [];
    const foreignKeys = declared.flatMap((key) => toForeignKey(dataset, key, byName, problems) ?? []);
    return foreignKeys.length === 0 ? dataset : { ...dataset, foreignKeys };
  });
}

function withPrimaryKey(dataset: Dataset, declared: DeclaredKeys['primaryKey'], problems: Problems): Dataset {
  if (declared === null || dataset.broken !== undefined) return dataset;
  const primaryKey = resolve(dataset, declared.columns, declared.position, problems);
  return primaryKey === null ? dataset : { ...dataset, primaryKey };
}

function toForeignKey(
  dataset: Dataset,
  key: DeclaredForeignKey,
  byName: ReadonlyMap<string, Dataset>,
  problems: Problems,
): ForeignKey | undefined {
  const { name, position } = key;
  const fault = (text: string): undefined => void problems.add(position, `foreign key ${name}: ${text}`);
  const other = byName.get(foldName(key.references));
  if (other === undefined) return fault(`there is no dataset ${key.references}`);
  const columns = resolve(dataset, key.columns, position, problems);
  // What is out of service has no columns to check.
  if (columns === null || other.broken !== undefined) return undefined;
  const wanted = key.referencedColumns ?? other.primaryKey;
  if (wanted === undefined) return fault(`${key.references} has no primary key; write referencedColumns`);
  const referencedColumns = resolve(other, wanted, position, problems);
  if (referencedColumns === null) return undefined;
  if (columns.length !== referencedColumns.length) return fault('it needs as many columns as it refers to');
  return { name, columns, references: other.id, referencedColumns };
}

/** The columns as the dataset spells them. */
function resolve(dataset: Dataset, names: readonly string[], position: Position, problems: Problems): readonly string[] | null {
  const known = new Map(dataset.columns.map(({ name }) => [foldName(name), name]));
  const missing = names.find((name) => !known.has(foldName(name)));
  if (missing !== undefined) {
    problems.add(position, `${dataset.schema}.${dataset.name}: there is no column ${missing} for a key`);
    return null;
  }
  return names.map((name) => known.get(foldName(name)) ?? name);
}

function nameOf({ schema, name }: Dataset): string {
  return foldName(`${schema}.${name}`);
}
