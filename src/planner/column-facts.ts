/** What an index tells of a column's values in the row groups of one file. */
import type { FileIndex, RowGroup, ValueRange } from '../files.ts';
import type { Dataset } from '../model.ts';
import { foldName } from '../names.ts';
import { keepsOrder, readKey } from '../sql/index.ts';
import type { Fact } from './prune.ts';

/** By folded name of a column of the dataset, no partition column; null = nothing is known. */
export type ColumnFacts = (column: string, group: RowGroup | null) => Fact | null;

const known = new WeakMap<FileIndex, WeakMap<Dataset, Map<number, ColumnFacts>>>();

/** For files that have the columns of one variant. */
export function columnFacts(index: FileIndex, dataset: Dataset, variant: number): ColumnFacts {
  const byDataset = known.get(index) ?? new WeakMap<Dataset, Map<number, ColumnFacts>>();
  known.set(index, byDataset);
  const variants = byDataset.get(dataset) ?? new Map<number, ColumnFacts>();
  byDataset.set(dataset, variants);
  const facts = variants.get(variant) ?? makeFacts(index, dataset, variant);
  variants.set(variant, facts);
  return facts;
}

const ALL_NULL: Fact = { min: null, max: null, hasNull: true };

function makeFacts(index: FileIndex, { columns }: Dataset, variant: number): ColumnFacts {
  const stored = index.variants[variant];
  if (stored === undefined) return () => null;
  const types = new Map(stored.map(({ name, type }) => [foldName(name), type]));
  const places = new Map(index.rangeColumns.map((name, place) => [foldName(name), place]));
  const facts = new Map<string, (group: RowGroup | null) => Fact | null>();
  for (const { name, type } of columns) {
    const folded = foldName(name);
    const from = types.get(folded);
    const place = places.get(folded) ?? -1;
    // Files without the column have NULL in each row; another type may have another order.
    if (from === undefined) facts.set(folded, () => ALL_NULL);
    else if (keepsOrder(from, type)) facts.set(folded, (group) => rangeFact(group?.ranges[place] ?? null, from));
  }
  return (column, group) => facts.get(column)?.(group) ?? null;
}

function rangeFact(range: ValueRange | null, type: string): Fact | null {
  if (range === null) return null;
  const { min, max, hasNull } = range;
  if (min === null && max === null) return { min: null, max: null, hasNull };
  const [low, high] = [min === null ? null : readKey(min, type), max === null ? null : readKey(max, type)];
  return low === null || high === null ? null : { min: low, max: high, hasNull };
}
