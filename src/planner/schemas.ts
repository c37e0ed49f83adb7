/** Finds the column types of a draft catalog when a policy directory is loaded; reads schemas, never rows. */
import type { Analyzer } from '../engine/index.ts';
import { fail, toSluiceError } from '../errors.ts';
import type { Connection } from '../files.ts';
import type { Column, Dataset, Snapshot } from '../model.ts';
import { sourceRelation } from '../sql/index.ts';
import { type BindContext, bindView } from './bind.ts';
import { openView } from './shapes.ts';

export interface ColumnType {
  readonly name: string;
  readonly type: string;
}

/** Column types by dataset id, or why the dataset can not be read. */
export type ResolvedColumns = ReadonlyMap<string, readonly ColumnType[] | string>;

export interface SchemaSource {
  readonly analyzer: Analyzer;
  readonly functions: BindContext['functions'];
  readonly limits: BindContext['limits'];
  /** DESCRIBE of a trusted relation over these connections. */
  readonly columnsOf: (connections: readonly Connection[], relation: string) => Promise<readonly ColumnType[]>;
  /** The objects that a pattern means, for the engine reads no patterns over S3. Rejects with storage.unavailable. */
  readonly objects?: (connections: readonly Connection[], pattern: string) => Promise<readonly string[]>;
}

/** Files first, then views over what is known, until nothing new resolves. */
export async function resolveColumns(
  draft: Pick<Snapshot, 'connections' | 'datasets' | 'defaultSchema' | 'catalogName'>,
  source: SchemaSource,
): Promise<ResolvedColumns> {
  const resolved = new Map<string, readonly ColumnType[] | string>();
  for (const dataset of draft.datasets.filter(({ source: { kind } }) => kind !== 'view'))
    resolved.set(
      dataset.id,
      await attempt(async () => source.columnsOf(draft.connections, await relationOf(dataset, draft.connections, source))),
    );
  const waiting = new Set(draft.datasets.filter(({ source: { kind } }) => kind === 'view'));
  for (let progress = true; progress && waiting.size > 0; ) {
    progress = false;
    for (const view of waiting) {
      const columns = await resolveView(view, withColumns(draft, resolved), source);
      if (columns === null) continue;
      resolved.set(view.id, columns);
      progress = waiting.delete(view);
    }
  }
  for (const view of waiting) resolved.set(view.id, 'the view refers to itself or to a dataset that can not be read');
  return resolved;
}

async function relationOf(dataset: Dataset, connections: readonly Connection[], { objects }: SchemaSource): Promise<string> {
  const { source } = dataset;
  if (source.kind !== 'parquet' || objects === undefined || !source.path.startsWith('s3://')) return sourceRelation(dataset);
  const files = await objects(connections, source.path);
  return files.length > 0 ? sourceRelation(dataset, files) : fail('storage.unavailable', 'there are no objects at its path');
}

async function attempt(work: () => Promise<readonly ColumnType[]>): Promise<readonly ColumnType[] | string> {
  try {
    return await work();
  } catch (error) {
    const failure = toSluiceError(error);
    // This text goes to the steward who wrote the directory, not to a client.
    return `its columns can not be read: ${failure.cause instanceof Error ? failure.cause.message : failure.message}`;
  }
}

function withColumns(draft: Pick<Snapshot, 'datasets' | 'defaultSchema' | 'catalogName'>, resolved: ResolvedColumns): Snapshot {
  const datasets = draft.datasets.map((dataset): Dataset => {
    const columns = resolved.get(dataset.id);
    if (columns === undefined || typeof columns === 'string') return { ...dataset, columns: [] };
    return { ...dataset, columns: columns.map((column): Column => ({ ...column, tags: [] })) };
  });
  return {
    epoch: 0,
    contentHash: '',
    connections: [],
    users: [],
    model: '',
    memberships: [],
    grants: [],
    rowFilters: [],
    masks: [],
    problems: [],
    catalogName: draft.catalogName,
    defaultSchema: draft.defaultSchema,
    scratchSchema: null,
    datasets,
  };
}

/** null = a base is not known yet. */
async function resolveView(view: Dataset, snapshot: Snapshot, source: SchemaSource): Promise<readonly ColumnType[] | string | null> {
  const written = view.source.kind === 'view' ? view.source.sql : '';
  const { analyzer, functions, limits } = source;
  const context: BindContext = { snapshot, defaultSchema: snapshot.defaultSchema, subject: null, analyzer, functions, limits };
  try {
    const { gated, sql } = await bindView(view, written, context);
    if (gated.datasets.some((base) => base.columns.length === 0)) return null;
    const { catalog, text } = openView(sql, gated, snapshot.defaultSchema);
    return (await source.analyzer.describe(catalog, text)).columns;
  } catch (error) {
    return `its SQL does not bind: ${toSluiceError(error).message}`;
  }
}
