/**
 * One scan over many files → shares that several workers, or one after the other, can read (invariant I9): only for statements of which every
 * row comes from one row of one dataset, so that the shares' rows in their order are the rows of the whole.
 */
import type { FunctionInfo } from '../engine/index.ts';
import type { ScanPart } from '../files.ts';
import { foldName } from '../names.ts';
import type { PlanEntry } from '../sql/index.ts';
import type { Bound } from './bind.ts';
import { consistentFunctions } from './repeatable.ts';
import { partsOfUnits, unitsOf } from './share-units.ts';

/** What decides whether a scan is shared out. */
export interface SplitRules {
  /** Lower-case names of the functions whose value depends on their arguments alone. */
  readonly rowFunctions: ReadonlySet<string>;
  /** Datasets with less are read as a whole: more endpoints would cost more than they bring. */
  readonly bytesMin: number;
}

export interface Split {
  /** Contiguous, in reading order; null = the whole statement is one task. */
  readonly shares: readonly (readonly ScanPart[])[] | null;
  readonly reason: string;
}

/** As much as is shared out at least makes so many shares; more bytes make more. */
const SHARES = 4;

/** `bound` with the files of its entries. */
export function splitStatement(bound: Bound, endpointsMax: number, rules: SplitRules): Split {
  if (endpointsMax <= 1) return whole('the client reads one endpoint');
  const entry = scannedEntry(bound, rules.rowFunctions);
  if (entry === null) return whole('the statement is more than a filter and a projection of the rows of one dataset');
  const bytes = (entry.parts ?? []).reduce((sum, { files }) => files.reduce((more, file) => more + file.bytes, sum), 0);
  if (bytes < rules.bytesMin) return whole('what it reads is small');
  const count = Math.min(endpointsMax, Math.ceil((SHARES * bytes) / rules.bytesMin));
  const units = unitsOf(entry, bytes / count);
  if (units.length < 2) return whole('what it reads is one file');
  const shares = balanced(units, Math.min(count, units.length)).map(partsOfUnits);
  return { shares, reason: `each of ${shares.length} endpoints reads its share of the files, in order` };
}

function whole(reason: string): Split {
  return { shares: null, reason: `one endpoint: ${reason}` };
}

/** Functions of which every overload is one value out of one row's values, the same in every task. */
export function rowFunctions(functions: readonly FunctionInfo[]): ReadonlySet<string> {
  const names = new Set(consistentFunctions(functions));
  for (const { name, type } of functions) if (type !== 'scalar') names.delete(name.toLowerCase());
  return names;
}

/** The entry whose files can be shared out, or null. */
function scannedEntry(bound: Bound, functions: ReadonlySet<string>): PlanEntry | null {
  const [entry, ...others] = bound.entries;
  if (entry === undefined || others.length > 0 || entry.base === true || entry.dataset.source.kind !== 'parquet') return null;
  const columns = new Set(entry.dataset.columns.map(({ name }) => foldName(name)));
  const isRow = [...bound.gated.functions].every((name) => functions.has(name)) && isRowwise(rootOf(bound.ast), columns);
  return isRow ? entry : null;
}

type Json = Readonly<Record<string, unknown>>;

function rootOf(ast: unknown): Json {
  const statements = isJson(ast) ? ast['statements'] : null;
  const [statement] = Array.isArray(statements) ? statements : [];
  const node = isJson(statement) ? statement['node'] : null;
  return isJson(node) ? node : {};
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Every part of a SELECT and what it may be here; a part that is not named makes it something else. */
function isRowwise(node: Json, columns: ReadonlySet<string>): boolean {
  const expressions = (value: unknown): boolean => isRowExpression(value, columns);
  const parts: Readonly<Record<string, (value: unknown) => boolean>> = {
    type: (value) => value === 'SELECT_NODE',
    modifiers: isEmpty,
    cte_map: (value) => isJson(value) && isEmpty(value['map']),
    select_list: expressions,
    from_table: (value) => isJson(value) && value['type'] === 'BASE_TABLE' && isEmpty(value['sample']) && isEmpty(value['at_clause']),
    where_clause: expressions,
    group_expressions: isEmpty,
    group_sets: isEmpty,
    aggregate_handling: (value) => value === 'STANDARD_HANDLING',
    having: isEmpty,
    sample: isEmpty,
    qualify: isEmpty,
  };
  const keys = Object.keys(node);
  return keys.length > 0 && keys.every((key) => Object.hasOwn(parts, key) && parts[key]?.(node[key]) === true);
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || (Array.isArray(value) && value.length === 0);
}

const ROW_CLASSES: ReadonlySet<unknown> = new Set([
  'COLUMN_REF',
  'CONSTANT',
  'FUNCTION',
  'OPERATOR',
  'COMPARISON',
  'CONJUNCTION',
  'BETWEEN',
  'CASE',
  'CAST',
  'STAR',
]);

/** Functions were judged by name. A bare name that is no column may be one of the session's values. */
function isRowExpression(value: unknown, columns: ReadonlySet<string>): boolean {
  if (Array.isArray(value)) return value.every((item) => isRowExpression(item, columns));
  if (!isJson(value)) return true;
  if (Object.hasOwn(value, 'class') && !ROW_CLASSES.has(value['class'])) return false;
  if (value['class'] === 'COLUMN_REF' && !isColumn(value['column_names'], columns)) return false;
  return Object.values(value).every((item) => isRowExpression(item, columns));
}

function isColumn(names: unknown, columns: ReadonlySet<string>): boolean {
  if (!Array.isArray(names)) return false;
  const [first] = names;
  return names.length > 1 || (typeof first === 'string' && columns.has(foldName(first)));
}

/** Cuts where the bytes so far are nearest to an even share of what is left. */
export function balanced<File extends { readonly bytes: number }>(files: readonly File[], count: number): readonly (readonly File[])[] {
  const shares: File[][] = [];
  let left = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let next = 0;
  for (let open = count; open > 0; open--) {
    const share: File[] = [];
    let bytes = 0;
    const last = files.length - (open - 1);
    while (next < last) {
      const file = files[next];
      if (file === undefined || (share.length > 0 && open > 1 && bytes + file.bytes / 2 > left / open)) break;
      share.push(file);
      bytes += file.bytes;
      next++;
    }
    left -= bytes;
    shares.push(share);
  }
  return shares;
}
