/** From the columns of each file to the columns of the dataset. */
import { foldName } from '../names.ts';
import { type ColumnType, fitColumns, joinColumns, type Variant } from './columns.ts';
import { type Partitioned, partitionType } from './hive.ts';
import type { IndexRequest } from './types.ts';

type Columns = readonly ColumnType[];

export interface Variants {
  readonly list: readonly Variant[];
  /** By file. */
  readonly of: readonly number[];
}

/** What a directory says counts more than what a file says, as the engine has it. */
export function groupVariants(files: readonly { readonly columns: Columns }[], partitions: Partitioned): Variants {
  const inPath = new Set(partitions.columns.map(foldName));
  const places = new Map<string, number>();
  const list: { columns: Columns; files: number }[] = [];
  const byColumns = new Map<Columns, number>();
  const of = files.map(({ columns }) => {
    const seen = byColumns.get(columns);
    const place = seen ?? placeOf(columns.filter(({ name }) => !inPath.has(foldName(name))));
    byColumns.set(columns, place);
    const variant = list[place];
    if (variant !== undefined) variant.files++;
    return place;
  });
  function placeOf(columns: Columns): number {
    const key = JSON.stringify(columns.map(({ name, type }) => [foldName(name), type]));
    const place = places.get(key) ?? list.push({ columns, files: 0 }) - 1;
    places.set(key, place);
    return place;
  }
  return { list, of };
}

export interface Settled {
  readonly columns: Columns;
  readonly notes: readonly string[];
}

/** Rejects with dataset.invalid. */
export function settleColumns(variants: readonly Variant[], partitions: Partitioned, request: IndexRequest): Settled {
  const { source, columns: catalog, known = [] } = request;
  const inFiles =
    source.kind === 'parquet' ? variants : variants.map(({ files, columns }) => ({ files, ...retyped({ columns }, catalog ?? known) }));
  if (catalog === null) {
    const joined = joinColumns(inFiles, { known, otherwise: source.kind === 'parquet' ? null : 'VARCHAR' });
    const found = [...joined, ...partitionColumns(partitions, joined)];
    // One such name would make the whole dataset unreadable.
    const columns = found.filter(({ name }) => name !== '' && !/[\p{Cc}\p{Surrogate}]/u.test(name));
    return { columns, notes: [...leftOut(found.length - columns.length), ...inNoFile(columns, variants, partitions)] };
  }
  const added = partitionColumns(partitions, catalog).map(({ name }) => JSON.stringify(name));
  const notes =
    added.length === 0 ? [] : [`partitions that are not in the catalog: ${added.join(', ')}; register the dataset again to add them`];
  return { columns: catalog, notes: [...fitColumns(catalog, inFiles), ...notes, ...inNoFile(catalog, variants, partitions)] };
}

function leftOut(count: number): readonly string[] {
  return count === 0 ? [] : [`left out: ${count} of the columns, whose names are empty or hold control characters`];
}

/** What the sniffer says of text depends on the values that it met; the types that the catalog has count. */
export function retyped({ columns }: { readonly columns: Columns }, known: Columns): { readonly columns: Columns } {
  const types = new Map(known.map(({ name, type }) => [foldName(name), type]));
  return { columns: columns.map(({ name, type }) => ({ name, type: types.get(foldName(name)) ?? textType(type) })) };
}

/** Values without a type of their own. */
function textType(type: string): string {
  return type === 'JSON' ? 'VARCHAR' : type.replace(/^JSON\[/, 'VARCHAR[');
}

/** Those that are not among the columns yet. */
function partitionColumns({ columns, values }: Partitioned, known: Columns): Columns {
  const names = new Set(known.map(({ name }) => foldName(name)));
  return columns.flatMap((name, i) =>
    names.has(foldName(name)) ? [] : [{ name, type: partitionType(new Set(values.map((value) => value[i] ?? null))) }],
  );
}

function inNoFile(columns: Columns, variants: readonly Variant[], partitions: Partitioned): readonly string[] {
  const there = new Set([...partitions.columns, ...variants.flatMap((variant) => variant.columns.map(({ name }) => name))].map(foldName));
  const gone = columns.filter(({ name }) => !there.has(foldName(name))).map(({ name }) => JSON.stringify(name));
  return gone.length === 0 ? [] : [`in no file, so NULL in each row: ${gone.join(', ')}`];
}
