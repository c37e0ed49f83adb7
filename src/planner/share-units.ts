/** What a scan is cut into: files, and row groups of large ones. */
import type { ScanPart, StoredFile } from '../files.ts';
import { foldName } from '../names.ts';
import type { PlanEntry } from '../sql/index.ts';
import { indexedFile } from './file-set.ts';

/** A file or a row group of it, in reading order. Sizes are bytes. */
export interface Unit {
  readonly part: ScanPart;
  readonly file: StoredFile;
  readonly bytes: number;
  /** [from, to) of a file that has more. */
  readonly rows: readonly [from: number, to: number] | null;
}

/** The engine counts a file's rows in a column of this name. */
const ROW_NUMBER = 'file_row_number';
const NAMED_IN_PATH = /file_row_number=/i;

/** Files of more than `bytes` in pieces, where an index tells of their row groups. */
export function unitsOf({ dataset, parts = [] }: PlanEntry, bytes: number): readonly Unit[] {
  const byRows = dataset.source.kind === 'parquet' && !dataset.columns.some(({ name }) => foldName(name) === ROW_NUMBER);
  // A directory of that name would count in its place.
  const isCut = (file: StoredFile): boolean => byRows && file.bytes > bytes && !NAMED_IN_PATH.test(file.path);
  return parts.flatMap((part) =>
    part.files.flatMap((file) => (part.rows === undefined && isCut(file) ? piecesOf(part, file) : wholeFile(part, file))),
  );
}

function wholeFile(part: ScanPart, file: StoredFile): readonly Unit[] {
  return [{ part, file, bytes: file.bytes, rows: null }];
}

function piecesOf(part: ScanPart, file: StoredFile): readonly Unit[] {
  const groups = indexedFile(file)?.rowGroups ?? [];
  if (groups.length < 2) return wholeFile(part, file);
  let from = 0;
  return groups.map(({ rows, bytes }): Unit => {
    const piece: Unit = { part, file, bytes, rows: [from, from + rows] };
    from += rows;
    return piece;
  });
}

/** Units that follow each other → parts of a scan. */
export function partsOfUnits(units: readonly Unit[]): readonly ScanPart[] {
  const parts: OpenPart[] = [];
  let last: Unit | null = null;
  for (const unit of units) {
    const open = last !== null && last.part === unit.part ? parts.at(-1) : undefined;
    if (open === undefined || !joins(open, unit)) parts.push(partOf(unit));
    last = unit;
  }
  return parts.map(withoutNeedlessRows);
}

type OpenPart = Omit<ScanPart, 'files' | 'rows'> & { readonly files: StoredFile[]; rows?: readonly [from: number, to: number] };

/** Nobody looked whether the files of a listing have the same types. */
function partOf({ part, file, rows }: Unit): OpenPart {
  const { missing } = part;
  const mixed = part.mixed === true || indexedFile(file) === null;
  return { files: [file], missing, ...(mixed ? { mixed } : {}), ...(rows === null ? {} : { rows }) };
}

/** Takes in a unit that goes on where the part ends. */
function joins(part: OpenPart, { file, rows }: Unit): boolean {
  if (part.rows === undefined && rows === null) part.files.push(file);
  else if (part.rows !== undefined && rows !== null && part.files[0] === file && part.rows[1] === rows[0])
    part.rows = [part.rows[0], rows[1]];
  else return false;
  return true;
}

function withoutNeedlessRows({ rows, ...part }: OpenPart): ScanPart {
  const [file] = part.files;
  if (rows === undefined || file === undefined) return part;
  const all = (indexedFile(file)?.rowGroups ?? []).reduce((sum, group) => sum + group.rows, 0);
  return rows[0] === 0 && rows[1] === all ? part : { ...part, rows };
}
