/** The columns of files that were written over time: joined by name, widened where nothing is lost, refused otherwise. */
import { fail } from '../errors.ts';
import { foldName } from '../names.ts';
import { widen } from './widen.ts';

export interface ColumnType {
  readonly name: string;
  /** DuckDB's text. */
  readonly type: string;
}

/** Columns of some files, and how many files they are. */
export interface Variant {
  readonly columns: readonly ColumnType[];
  readonly files: number;
}

interface Found {
  readonly name: string;
  readonly type: string;
  /** Files by type. */
  readonly types: ReadonlyMap<string, number>;
}

const NAMED_MAX = 5;

export interface JoinOptions {
  /** What the catalog has already: first in order, and widened. */
  readonly known: readonly ColumnType[];
  /** The type of columns whose types do not go together; null = they are refused. */
  readonly otherwise: string | null;
}

/** In the order in which they come first. Rejects with dataset.invalid. */
export function joinColumns(variants: readonly Variant[], { known, otherwise }: JoinOptions): readonly ColumnType[] {
  const before = new Map(known.map(({ name, type }) => [foldName(name), type]));
  const found = new Map(known.map(({ name, type }): [string, Found] => [foldName(name), { name, type, types: new Map() }]));
  const torn = new Set<string>();
  for (const { columns, files } of variants)
    for (const { name, type } of columns) {
      const key = foldName(name);
      const { name: first, type: soFar, types } = found.get(key) ?? { name, type, types: new Map<string, number>() };
      const joined = widen(soFar, type) ?? otherwise;
      if (joined === null) torn.add(key);
      found.set(key, { name: first, type: joined ?? soFar, types: new Map(types).set(type, (types.get(type) ?? 0) + files) });
    }
  const faults = [...torn].map((key) => {
    const { name = '', types = new Map<string, number>() } = found.get(key) ?? {};
    const inCatalog = before.get(key);
    return `column ${JSON.stringify(name)} is ${describe(types)}${inCatalog === undefined ? '' : ` and ${inCatalog} in the catalog`}`;
  });
  refuse(faults, 'types that do not go together');
  return [...found.values()].map(({ name, type }) => ({ name, type }));
}

/** What files have that a catalog's columns do not hold; a wider type is refused, for a cast could lose values or fail. Rejects with dataset.invalid. */
export function fitColumns(catalog: readonly ColumnType[], variants: readonly Variant[]): readonly string[] {
  const known = new Map(catalog.map((column) => [foldName(column.name), column]));
  const wider = new Map<string, Map<string, number>>();
  const added = new Map<string, number>();
  for (const { columns, files } of variants)
    for (const { name, type } of columns) {
      const column = known.get(foldName(name));
      if (column === undefined) added.set(name, (added.get(name) ?? 0) + files);
      else if (widen(column.type, type) !== column.type) {
        const types = wider.get(column.name) ?? new Map<string, number>();
        wider.set(column.name, types.set(type, (types.get(type) ?? 0) + files));
      }
    }
  refuse(
    [...wider].map(
      ([name, types]) => `column ${JSON.stringify(name)} is ${describe(types)} and ${known.get(foldName(name))?.type} in the catalog`,
    ),
    'types that the catalog does not hold; register the dataset again to widen them where that is possible',
  );
  const names = [...added].map(([name, files]) => `${JSON.stringify(name)} (${count(files)})`);
  return names.length === 0 ? [] : [`not in the catalog: ${short(names, ', ')}; register the dataset again to add them`];
}

function refuse(faults: readonly string[], what: string): void {
  if (faults.length > 0) fail('dataset.invalid', `the files have ${what}: ${short(faults)}`);
}

function describe(types: ReadonlyMap<string, number>): string {
  return [...types].map(([type, files]) => `${type} in ${count(files)}`).join(', ');
}

function count(files: number): string {
  return files === 1 ? '1 file' : `${files} files`;
}

function short(texts: readonly string[], separator = '; '): string {
  return texts.length > NAMED_MAX
    ? `${texts.slice(0, NAMED_MAX).join(separator)}${separator}and ${texts.length - NAMED_MAX} more`
    : texts.join(separator);
}
