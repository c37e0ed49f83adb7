/** Joins what the YAML says about columns with what the source has. What does not fit breaks the dataset (fail closed). */

import type { Column, Dataset } from '../model.ts';
import { foldName } from '../names.ts';
import type { Problems } from './problems.ts';
import type { CatalogDraft } from './read-catalog.ts';
import type { DeclaredColumn, DraftDataset } from './read-dataset.ts';
import type { ColumnsDraft, ResolvedColumns } from './types.ts';

/** Sources are asked again only when something about them changed or failed. */
export class ColumnCache {
  readonly #resolve: (draft: ColumnsDraft) => Promise<ResolvedColumns>;
  #key = '';
  #known: ResolvedColumns = new Map();

  constructor(resolve: (draft: ColumnsDraft) => Promise<ResolvedColumns>) {
    this.#resolve = resolve;
  }

  forget(): void {
    this.#key = '';
  }

  async of(catalog: CatalogDraft): Promise<ResolvedColumns> {
    const draft: ColumnsDraft = {
      catalogName: catalog.name,
      defaultSchema: catalog.defaultSchema,
      connections: catalog.connections,
      datasets: catalog.datasets.map(withDeclaredColumns),
    };
    if (draft.datasets.every((dataset) => dataset.columns.length > 0)) return new Map();
    const facts = draft.datasets.map(({ id, schema, name, source, columns }) => [
      id,
      schema,
      name,
      source,
      columns.map((column) => [column.name, column.type]),
    ]);
    const key = JSON.stringify([draft.catalogName, draft.defaultSchema, draft.connections, facts]);
    if (key === this.#key) return this.#known;
    const resolved = await this.#resolve(draft);
    const whole = [...resolved.values()].every((columns) => typeof columns !== 'string');
    this.#key = whole ? key : '';
    this.#known = resolved;
    return resolved;
  }
}

/** The dataset with its columns, or broken with the reason among the problems. */
export function completeDataset(draft: DraftDataset, resolved: ResolvedColumns, problems: Problems): Dataset {
  const { declared, position } = draft;
  const dataset = withDeclaredColumns(draft);
  const breakIt = (reason: string, at = position): Dataset => {
    problems.add(at, `${dataset.schema}.${dataset.name}: ${reason}`);
    return { ...dataset, columns: [], broken: reason };
  };
  if (dataset.columns.length > 0) return dataset;
  const found = resolved.get(dataset.id) ?? 'its columns are not known';
  if (typeof found === 'string') return breakIt(found);
  const byName = new Map(found.map((column) => [foldName(column.name), column]));
  if (found.length === 0 || byName.size < found.length)
    return breakIt(found.length === 0 ? 'it has no columns' : 'two of its columns differ in case only');
  for (const column of declared) {
    const source = byName.get(foldName(column.name));
    if (source === undefined) return breakIt(`there is no column ${column.name} in its source`, column.position);
    if (column.type !== undefined && column.type !== source.type)
      return breakIt(`column ${column.name} is ${source.type}, not ${column.type}`, column.position);
  }
  const notes = new Map(declared.map((column) => [foldName(column.name), column]));
  return { ...dataset, columns: found.map((column) => toColumn(column.name, column.type, notes.get(foldName(column.name)))) };
}

/** With every type declared the YAML is the whole list, and the source is not asked. */
function withDeclaredColumns({ dataset, declared }: DraftDataset): Dataset {
  const columns = declared.flatMap((column) => (column.type === undefined ? [] : [toColumn(column.name, column.type, column)]));
  return columns.length === declared.length ? { ...dataset, columns } : dataset;
}

function toColumn(name: string, type: string, note: DeclaredColumn | undefined): Column {
  return { name, type, tags: note?.tags ?? [], ...(note?.description === undefined ? {} : { description: note.description }) };
}
