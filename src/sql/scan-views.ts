/** SQL text of scans: what the worker makes of a dataset's files before the governed views over them. */
import { createHash } from 'node:crypto';
import { fail } from '../errors.ts';
import { hiveDirectories, literalPath } from '../file-paths.ts';
import type { Scan, ScanPart } from '../files.ts';
import type { PlanCatalog } from '../model.ts';
import { identifier, qualified, stringLiteral, typeText } from './quote.ts';
import { scan as tokensOf } from './scan.ts';

/** Schema of the source layer; no dataset may use it. */
export const SOURCE_SCHEMA = '__source';

/** A plan catalog with its scans made. */
export interface ExpandedCatalog {
  /** Complete: without scans. */
  readonly catalog: PlanCatalog;
  /** A statement of the task as it names this catalog. */
  readonly statement: (sql: string) => string;
}

/** `given`: by `Scan.relation` a relation that holds its rows already; a catalog over such relations has another name. */
export function expandScans(catalog: PlanCatalog, given: ReadonlyMap<string, string> = new Map()): ExpandedCatalog {
  const { scans = [], defaultSchema } = catalog;
  if (scans.length === 0) return { catalog, statement: (sql) => sql };
  const name = given.size === 0 ? catalog.name : variantName(catalog.name, given);
  const statement = name === catalog.name ? (sql: string) => sql : (sql: string) => withName(sql, catalog.name, name);
  const views = scans.flatMap((scan) => (scan.columns.length === 0 ? [] : [viewText(scan, given.get(scan.relation))]));
  const schema = `CREATE SCHEMA IF NOT EXISTS ${qualified(catalog.name, SOURCE_SCHEMA)}`;
  return { catalog: { name, defaultSchema, statements: [schema, ...views, ...catalog.statements].map(statement) }, statement };
}

/** Where it is a name: a user's text that spells it out stays as it is. */
function withName(sql: string, from: string, to: string): string {
  const [name, other] = [identifier(from), identifier(to)];
  const parts: string[] = [];
  let at = 0;
  for (const { kind, text, start, end } of tokensOf(sql)) {
    if (kind !== 'quoted' || text !== name) continue;
    parts.push(sql.slice(at, start), other);
    at = end;
  }
  return [...parts, sql.slice(at)].join('');
}

function variantName(name: string, given: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([name, [...given]]))
    .digest('hex');
  return `p_${hash.slice(0, 32)}`;
}

function viewText(scan: Scan, given: string | undefined): string {
  const names = scan.columns.map(({ name }) => identifier(name)).join(', ');
  return `CREATE VIEW ${scan.relation} AS ${given === undefined ? scanText(scan) : `SELECT ${names} FROM ${given}`}`;
}

/** A SELECT of the scan's columns over its files, in their order. Throws policy.invalid. */
export function scanText(scan: Scan): string {
  const [first, ...more] = scan.parts.filter(({ files }) => files.length > 0).map((part) => partText(scan, part));
  if (first === undefined) return `SELECT ${columnList(scan, new Set(scan.columns.map(({ name }) => name)))} WHERE false`;
  return [first, ...more].join('\nUNION ALL ');
}

function partText(scan: Scan, part: ScanPart): string {
  const select = `SELECT ${columnList(scan, new Set(part.missing))} FROM ${READERS[scan.format](scan, part)}`;
  if (part.rows === undefined) return select;
  const [from, to] = part.rows.map((row) => (Number.isSafeInteger(row) ? row : fail('ticket.invalid', 'a scan names no rows')));
  return `${select} WHERE file_row_number >= ${from} AND file_row_number < ${to}`;
}

/** Types do not depend on which of the files are read. */
function columnList({ columns }: Scan, missing: ReadonlySet<string>): string {
  return columns
    .map(({ name, type }) => `CAST(${missing.has(name) ? 'NULL' : identifier(name)} AS ${typeText(type)}) AS ${identifier(name)}`)
    .join(', ');
}

type Reader = (scan: Scan, part: ScanPart) => string;

/** Trusted texts; every file by its own name. */
const READERS: Readonly<Record<Scan['format'], Reader>> = {
  parquet: (scan, part) => {
    const rows = part.rows === undefined ? '' : ', file_row_number = true';
    const union = part.mixed === true && part.files.length > 1 ? ', union_by_name = true' : '';
    return `read_parquet(${fileList(part)}, ${hiveOptions(scan, part)}${rows}${union})`;
  },
  csv: (scan, part) => {
    if (part.rows !== undefined) fail('ticket.invalid', 'only Parquet files are read by rows');
    return `read_csv(${fileList(part)}, header = true, types = ${fileColumns(scan, part)}, ${hiveOptions(scan, part)})`;
  },
  json: (scan, part) => {
    if (part.rows !== undefined) fail('ticket.invalid', 'only Parquet files are read by rows');
    return `read_json(${fileList(part)}, format = 'newline_delimited', columns = ${fileColumns(scan, part)}, ${hiveOptions(scan, part)})`;
  },
};

function fileList({ files }: ScanPart): string {
  return `[${files.map(({ path }) => stringLiteral(literalPath(path))).join(', ')}]`;
}

/** What the files themselves hold. */
function fileColumns(scan: Scan, { files, missing }: ScanPart): string {
  const elsewhere = new Set(
    [...missing, ...(scan.hivePartitioning ? hiveKeys(files[0]?.path ?? '') : [])].map((name) => name.toLowerCase()),
  );
  const columns = scan.columns.filter(({ name }) => !elsewhere.has(name.toLowerCase()));
  return `{${columns.map(({ name, type }) => `${identifier(name)}: ${stringLiteral(typeText(type))}`).join(', ')}}`;
}

/** Values of some partitions alone may look like another type than all together, so they get theirs by name. */
function hiveOptions(scan: Scan, { files }: ScanPart): string {
  if (!scan.hivePartitioning) return 'hive_partitioning = false';
  const types = hiveKeys(files[0]?.path ?? '').flatMap((key) => {
    const column = scan.columns.find(({ name }) => name.toLowerCase() === key.toLowerCase());
    // As a text: a bare type with a scale or of several words does not parse here.
    return column === undefined ? [] : [`${identifier(key)}: ${stringLiteral(typeText(column.type))}`];
  });
  return `hive_partitioning = true${types.length === 0 ? '' : `, hive_types = {${types.join(', ')}}`}`;
}

/** All files of a dataset have the same. */
function hiveKeys(path: string): readonly string[] {
  return hiveDirectories(path).map(([key]) => key);
}
