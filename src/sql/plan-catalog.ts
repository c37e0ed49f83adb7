/** The private catalog of one plan: a source layer over storage and governed views over it. */
import { createHash } from 'node:crypto';
import { fail } from '../errors.ts';
import type { Scan, ScanPart } from '../files.ts';
import type { AllowDecision, Column, ColumnDecision, Dataset, PlanCatalog } from '../model.ts';
import { maskExpression } from './masks.ts';
import { predicateSql, type Row } from './predicate-sql.ts';
import { identifier, qualified, replaceEnums, stringLiteral, typeText } from './quote.ts';
import { SOURCE_SCHEMA } from './scan-views.ts';

export interface PlanEntry {
  readonly dataset: Dataset;
  readonly decision: AllowDecision;
  /** Keep the user's expressions from running on rows that the filter hides (docs/decisions/002). */
  readonly barrier: boolean;
  /** Read below a view, by the right of the view's owner; it may be decided otherwise than the same dataset named by the user. */
  readonly base?: boolean;
  /** For view datasets: the steward's SQL with every name qualified by the given plan catalog. */
  readonly viewSql?: (catalog: string) => string;
  /** Trusted query whose rows are the dataset, in place of storage: `information_schema`. */
  readonly rows?: string;
  /** Which files are read, for a dataset of files. */
  readonly parts?: readonly ScanPart[];
}

/** A function without arguments that the statement calls by its bare name, ahead of the engine's own. */
export interface Macro {
  readonly name: string;
  /** What stands after AS. */
  readonly body: (catalog: string) => string;
}

export interface PlanCatalogInput {
  readonly defaultSchema: string;
  readonly entries: readonly PlanEntry[];
  /** `empty`: typed tables without rows, for the planner, which reads no data. */
  readonly data: 'rows' | 'empty';
  readonly macros?: readonly Macro[];
}

/** Of clients; DuckDB keeps a schema of this name for itself, so its tables are base views of the plan. */
export const INFORMATION_SCHEMA = 'information_schema';
/** Schemas of what views read; no statement of a user resolves to them, since dataset schemas do not start with `__`. */
const BASE_SCHEMA_PREFIX = '__base_';
/** The engine's largest LIMIT: no row is cut, but no filter moves below it. */
const NO_LIMIT = '9223372036854775807';

/** Throws policy.invalid when a decision does not fit its dataset. The name is a hash of the statements and of what is scanned. */
export function buildPlanCatalog(input: PlanCatalogInput): PlanCatalog {
  const { defaultSchema } = input;
  const named = scansOf(input, 'p').map(({ parts, ...scan }) => [scan, digestOf(parts)]);
  const hash = createHash('sha256')
    .update(JSON.stringify([defaultSchema, statements(input, 'p'), named]))
    .digest('hex');
  const name = `p_${hash.slice(0, 32)}`;
  const scans = scansOf(input, name);
  return { name, defaultSchema, statements: statements(input, name), ...(scans.length === 0 ? {} : { scans }) };
}

function scansOf({ entries, data }: PlanCatalogInput, catalog: string): readonly Scan[] {
  if (data === 'empty') return [];
  return entries.filter(isScan).map((entry): Scan => {
    const { id, columns, source } = entry.dataset;
    if (source.kind === 'view' || source.kind === 'duckdb' || entry.parts === undefined)
      return fail('server.internal', 'a plan reads files that were not listed');
    return {
      dataset: id,
      relation: sourceName(entry, catalog),
      format: source.kind,
      hivePartitioning: source.hivePartitioning,
      columns: columns.map(({ name, type }) => ({ name, type })),
      parts: entry.parts,
    };
  });
}

function isScan({ dataset: { source }, rows }: PlanEntry): boolean {
  return rows === undefined && source.kind !== 'view' && source.kind !== 'duckdb';
}

const digests = new WeakMap<readonly ScanPart[], string>();

/** Of a list of 100,000 files it is made once. */
function digestOf(parts: readonly ScanPart[]): string {
  const known = digests.get(parts);
  if (known !== undefined) return known;
  const hash = createHash('sha256');
  for (const { files, ...rest } of parts) {
    hash.update(JSON.stringify([rest, files.length]));
    for (const { path, version } of files) hash.update(`${path}\0${version}\0`);
  }
  const digest = hash.digest('hex');
  digests.set(parts, digest);
  return digest;
}

function statements(input: PlanCatalogInput, catalog: string): readonly string[] {
  const schemas = new Set([input.defaultSchema, ...input.entries.map(schemaOf)]);
  const taken = new Set<string>();
  for (const entry of input.entries) {
    const key = target(entry, catalog).toLowerCase();
    if (entry.dataset.schema.startsWith('__') || taken.has(key))
      fail('policy.invalid', 'two datasets of a plan share a name, or one uses a reserved schema');
    taken.add(key);
  }
  const objects = inOrder(input.entries, catalog).flatMap((entry) => [
    ...sourceLayer(entry, catalog, input.data),
    governedView(entry, catalog),
  ]);
  const macros = (input.macros ?? []).map(
    ({ name, body }) => `CREATE MACRO ${qualified(catalog, input.defaultSchema, name)}() AS ${body(catalog)}`,
  );
  const created = [SOURCE_SCHEMA, ...schemas].map((schema) => `CREATE SCHEMA IF NOT EXISTS ${qualified(catalog, schema)}`);
  return [...created, ...objects, ...macros];
}

/** Views after what they read: a qualified view text names its bases as `baseName` gives them. */
function inOrder(entries: readonly PlanEntry[], catalog: string): readonly PlanEntry[] {
  const done: PlanEntry[] = entries.filter(({ viewSql }) => viewSql === undefined);
  let waiting = entries.filter(({ viewSql }) => viewSql !== undefined);
  while (waiting.length > 0) {
    const blocked = waiting.filter((entry) =>
      waiting.some((other) => other !== entry && entry.viewSql?.(catalog).includes(target(other, catalog))),
    );
    if (blocked.length === waiting.length) fail('policy.invalid', 'views read each other in a circle');
    done.push(...waiting.filter((entry) => !blocked.includes(entry)));
    waiting = blocked;
  }
  return done;
}

function schemaOf({ dataset, base }: PlanEntry): string {
  return base === true ? `${BASE_SCHEMA_PREFIX}${dataset.schema}` : dataset.schema;
}

function target(entry: PlanEntry, catalog: string): string {
  return qualified(catalog, schemaOf(entry), entry.dataset.name);
}

/** What a steward's view reads in place of a dataset. */
export function baseName(dataset: Dataset, catalog: string): string {
  return qualified(catalog, `${BASE_SCHEMA_PREFIX}${dataset.schema}`, dataset.name);
}

/** Whether `schema` holds the base views of a schema as a steward wrote it, or left it out. */
export function isBaseSchema(schema: string, written: string): boolean {
  const expected = `${BASE_SCHEMA_PREFIX}${written}`.toLowerCase();
  return written === '' ? schema.startsWith(BASE_SCHEMA_PREFIX) : schema.toLowerCase() === expected;
}

/** Named and below a view, a dataset may be read by other rights, and so from other files. */
function sourceName(entry: PlanEntry, catalog: string): string {
  return qualified(catalog, SOURCE_SCHEMA, `${schemaOf(entry)}.${entry.dataset.name}`);
}

function columnList(columns: readonly Column[]): string {
  return columns.map(({ name }) => identifier(name)).join(', ');
}

/** Nothing for files: their relation is the worker's to make. */
function sourceLayer(entry: PlanEntry, catalog: string, data: 'rows' | 'empty'): readonly string[] {
  const { dataset, viewSql, rows } = entry;
  const name = sourceName(entry, catalog);
  if (dataset.columns.length === 0) fail('policy.invalid', 'a dataset has no columns');
  if (viewSql !== undefined) return [`CREATE VIEW ${name} AS SELECT ${columnList(dataset.columns)} FROM (${viewSql(catalog)}\n) AS "view"`];
  if (data === 'empty')
    return [`CREATE TABLE ${name} (${dataset.columns.map((column) => `${identifier(column.name)} ${typeText(column.type)}`).join(', ')})`];
  if (isScan(entry)) return [];
  const relation = rows === undefined ? sourceRelation(dataset) : `(${rows}) AS "rows"`;
  return [`CREATE VIEW ${name} AS SELECT ${columnList(dataset.columns)} FROM ${relation}`];
}

/** Trusted relation text over storage. Throws policy.invalid for views, which have no storage of their own. */
export function sourceRelation(dataset: Dataset, files?: readonly string[]): string {
  const { source } = dataset;
  switch (source.kind) {
    case 'parquet':
      return `read_parquet(${files === undefined ? stringLiteral(parquetPattern(source.path)) : `[${files.map(stringLiteral).join(', ')}]`}, hive_partitioning = ${source.hivePartitioning ? 'true' : 'false'})`;
    case 'duckdb':
      return qualified(`src_${source.connection}`, source.schema, source.table);
    default:
      return fail('policy.invalid', 'a view has no storage of its own');
  }
}

/** A directory means every Parquet file below it. */
export function parquetPattern(path: string): string {
  return /\.parquet$|[*?[]/i.test(path) ? path : `${path.replace(/\/$/, '')}/**/*.parquet`;
}

/** Filter on raw values, then mask; every raw column is reached through an alias that no output column can capture. */
function governedView(entry: PlanEntry, catalog: string): string {
  const { dataset, decision, barrier } = entry;
  const row: Row = { alias: identifier(freeAlias(dataset.columns)), columns: dataset.columns };
  const shown = visibleColumns(dataset, decision);
  const select = shown.map((column) => `${outputColumn(column, decision, row, barrier)} AS ${identifier(column.column.name)}`);
  const where = decision.rowFilter === null ? '' : ` WHERE ${predicateSql(decision.rowFilter, row)}`;
  const limit = barrier ? ` LIMIT ${NO_LIMIT}` : '';
  return `CREATE VIEW ${target(entry, catalog)} AS SELECT ${select.join(', ')} FROM ${sourceName(entry, catalog)} AS ${row.alias}${where}${limit}`;
}

function freeAlias(columns: readonly Column[]): string {
  const taken = new Set(columns.map(({ name }) => name.toLowerCase()));
  let alias = '__raw';
  while (taken.has(alias)) alias += '_';
  return alias;
}

interface Shown {
  readonly column: Column;
  readonly treatment: Exclude<ColumnDecision['treatment'], { kind: 'hidden' }>;
}

/** A column without a decision is not shown; a dataset without any visible column is an error, not an empty row. */
function visibleColumns(dataset: Dataset, decision: AllowDecision): readonly Shown[] {
  if (decision.dataset !== dataset.id) fail('policy.invalid', 'a decision belongs to another dataset');
  const decided = new Map(decision.columns.map((column) => [column.name, column.treatment]));
  const shown: Shown[] = [];
  for (const column of dataset.columns) {
    const treatment = decided.get(column.name);
    if (treatment !== undefined && treatment.kind !== 'hidden') shown.push({ column, treatment });
  }
  if (shown.length === 0) fail('policy.invalid', 'no column of the dataset is visible');
  return shown;
}

/** The type that a column has for its readers: the values of an enum are those of hidden rows and cells too. */
export function shownType({ name, type }: Column, decision: AllowDecision): string {
  const treatment = decision.columns.find((column) => column.name === name)?.treatment;
  return decision.rowFilter !== null || treatment?.kind === 'masked' ? replaceEnums(type, 'VARCHAR') : type;
}

/** TRY makes the engine write its values out anew: nothing above it meets a dictionary, whose values may come from hidden rows. */
function outputColumn({ column, treatment }: Shown, decision: AllowDecision, row: Row, barrier: boolean): string {
  const raw = `${row.alias}.${identifier(column.name)}`;
  const value = treatment.kind === 'raw' ? raw : maskedValue(raw, column, treatment, row);
  const type = shownType(column, decision);
  const shown = type === column.type ? value : `CAST(${value} AS ${typeText(type)})`;
  return barrier ? `TRY(${shown})` : shown;
}

function maskedValue(raw: string, column: Column, treatment: Extract<Shown['treatment'], { kind: 'masked' }>, row: Row): string {
  const masked = maskExpression(treatment.mask, raw, column.type);
  if (treatment.rawWhen === null) return masked;
  return `CASE WHEN ${predicateSql(treatment.rawWhen, row)} THEN ${raw} ELSE ${masked} END`;
}
