/** Ranges of values in the order of an index, from files that have their columns in another one. */
import type { IndexedFile, StoredFile } from '../files.ts';
import { foldName } from '../names.ts';
import type { ColumnType } from './columns.ts';

type Columns = readonly ColumnType[];

/** One file, from its footer or from the previous index. */
export interface KnownFile {
  readonly stored: StoredFile;
  readonly columns: Columns;
  /** Ranges by folded name of the column; null = no row groups known. */
  readonly rowGroups: IndexedFile['rowGroups'];
  /** Names of the ranges, folded. */
  readonly ranged: readonly string[];
}

/** Of the catalog's columns those with a bound somewhere. */
export function rangeNames(files: readonly KnownFile[], columns: Columns): readonly string[] {
  const known = new Set<string>();
  for (const { rowGroups, ranged } of files)
    for (const { ranges } of rowGroups ?? []) for (const [i, range] of ranges.entries()) if (range !== null) known.add(ranged[i] ?? '');
  return columns.filter(({ name }) => known.has(foldName(name))).map(({ name }) => name);
}

/** Brings a file's ranges into the order of the index. Bounds of another type than the catalog's may sort another way and are dropped; whole numbers do not. */
export function rangeArranger(names: readonly string[], columns: Columns): (file: KnownFile) => IndexedFile['rowGroups'] {
  const typeOf = new Map(columns.map(({ name, type }) => [foldName(name), type]));
  const known = new Map<Columns, Map<readonly string[], readonly number[]>>();
  const placesOf = ({ columns: own, ranged }: KnownFile): readonly number[] => {
    const byRanged = known.get(own) ?? new Map<readonly string[], readonly number[]>();
    known.set(own, byRanged);
    const places =
      byRanged.get(ranged) ??
      names.map((name) => {
        const type = own.find((column) => foldName(column.name) === foldName(name))?.type;
        return sortsAlike(type, typeOf.get(foldName(name))) ? ranged.indexOf(foldName(name)) : -1;
      });
    byRanged.set(ranged, places);
    return places;
  };
  return (file) => {
    const places = placesOf(file);
    // Nothing to move: files of an earlier index mostly.
    if (places.length === file.ranged.length && places.every((place, i) => place === i)) return file.rowGroups;
    return (
      file.rowGroups?.map(({ rows, bytes, ranges }) => ({ rows, bytes, ranges: places.map((place) => ranges[place] ?? null) })) ?? null
    );
  };
}

function sortsAlike(type: string | undefined, wanted: string | undefined): boolean {
  const whole = /^U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?$/;
  return type !== undefined && wanted !== undefined && (type === wanted || (whole.test(type) && whole.test(wanted)));
}
