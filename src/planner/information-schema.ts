/**
 * `information_schema` as one principal may see it, and what else clients ask about their session. DuckDB's own would tell of every plan and
 * every source; these are tables of the plan, with the rows of the visible catalog written into them.
 */
import { fail } from '../errors.ts';
import type { Dataset } from '../model.ts';
import { foldName } from '../names.ts';
import { baseName, INFORMATION_SCHEMA, identifier, type Macro, type PlanEntry, replaceEnums, stringLiteral } from '../sql/index.ts';
import { allRaw } from './shapes.ts';
import type { VisibleCatalog, VisibleTable } from './types.ts';

type Cell = string | number | boolean | null | readonly string[];

interface SystemTable {
  /** Name and DuckDB type, in DuckDB's order. */
  readonly columns: readonly (readonly [name: string, type: string])[];
  readonly rows: (catalog: VisibleCatalog) => readonly (readonly Cell[])[];
}

/** Text of all rows of one table; they travel in the ticket. */
const ROWS_BYTES_MAX = 1024 * 1024;

const TABLES: Readonly<Record<string, SystemTable>> = {
  schemata: {
    columns: texts('catalog_name', 'schema_name', 'schema_owner', 'sql_path'),
    rows: ({ catalogName, tables }) => [...new Set(tables.map(({ schema }) => schema))].map((schema) => [catalogName, schema, null, null]),
  },
  tables: {
    columns: texts('table_catalog', 'table_schema', 'table_name', 'table_type', 'is_insertable_into', 'is_typed', 'table_comment'),
    rows: ({ catalogName, tables }) =>
      tables.map(({ schema, name, type, description }) => [
        catalogName,
        schema,
        name,
        type === 'VIEW' ? 'VIEW' : 'BASE TABLE',
        'NO',
        'NO',
        description === '' ? null : description,
      ]),
  },
  columns: {
    columns: [
      ...texts('table_catalog', 'table_schema', 'table_name', 'column_name'),
      ['ordinal_position', 'INTEGER'],
      ...texts('column_default', 'is_nullable', 'data_type'),
      ...integers('character_maximum_length', 'character_octet_length', 'numeric_precision', 'numeric_precision_radix', 'numeric_scale'),
      ...integers('datetime_precision'),
      ...texts('column_comment'),
    ],
    rows: ({ catalogName, tables }) => tables.flatMap((table) => columnRows(catalogName, table)),
  },
  table_constraints: {
    columns: texts(
      ...['constraint_catalog', 'constraint_schema', 'constraint_name', 'table_catalog', 'table_schema', 'table_name'],
      ...['constraint_type', 'is_deferrable', 'initially_deferred', 'enforced'],
    ),
    rows: ({ catalogName, tables }) =>
      constraintsOf(tables).map(({ table, name, type }) => [
        ...[catalogName, table.schema, name, catalogName, table.schema, table.name, type],
        ...['NO', 'NO', 'NO'],
      ]),
  },
  key_column_usage: {
    columns: [
      ...texts('constraint_catalog', 'constraint_schema', 'constraint_name', 'table_catalog', 'table_schema', 'table_name', 'column_name'),
      ...integers('ordinal_position', 'position_in_unique_constraint'),
    ],
    rows: ({ catalogName, tables }) =>
      constraintsOf(tables).flatMap(({ table, name, columns, references }) =>
        columns.map((column, index) => [
          ...[catalogName, table.schema, name, catalogName, table.schema, table.name, column],
          ...[index + 1, references === null ? null : index + 1],
        ]),
      ),
  },
  /** Behind `duckdb_constraints()`, from which SQLAlchemy dialects read keys. */
  duckdb_constraints: {
    columns: [
      ...texts('database_name', 'schema_name', 'table_name', 'constraint_type', 'constraint_name', 'expression'),
      ['constraint_column_names', 'VARCHAR[]'],
      ['referenced_table', 'VARCHAR'],
      ['referenced_column_names', 'VARCHAR[]'],
    ],
    rows: ({ catalogName, tables }) =>
      constraintsOf(tables).map(({ table, name, type, columns, references }) => [
        ...[catalogName, table.schema, table.name, type, name, null],
        columns,
        references?.name ?? null,
        references?.columns ?? [],
      ]),
  },
};

function texts(...names: readonly string[]): (readonly [string, string])[] {
  return names.map((name) => [name, 'VARCHAR'] as const);
}

function integers(...names: readonly string[]): (readonly [string, string])[] {
  return names.map((name) => [name, 'INTEGER'] as const);
}

function columnRows(catalogName: string, table: VisibleTable): (readonly Cell[])[] {
  return table.columns.map(({ name, type, description }, index) => {
    const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(type);
    return [
      ...[catalogName, table.schema, table.name, name, index + 1, null, 'YES', replaceEnums(type, 'ENUM'), null, null],
      ...(decimal === null ? [null, null, null] : [Number(decimal[1]), 10, Number(decimal[2])]),
      ...[null, description ?? null],
    ];
  });
}

interface Constraint {
  readonly table: VisibleTable;
  readonly name: string;
  readonly type: 'PRIMARY KEY' | 'FOREIGN KEY';
  readonly columns: readonly string[];
  readonly references: { readonly name: string; readonly columns: readonly string[] } | null;
}

function constraintsOf(tables: readonly VisibleTable[]): readonly Constraint[] {
  return tables.flatMap((table): Constraint[] => [
    ...(table.primaryKey.length === 0
      ? []
      : [{ table, name: `${table.name}_pkey`, type: 'PRIMARY KEY' as const, columns: table.primaryKey, references: null }]),
    ...table.foreignKeys.map(
      ({ name, columns, references, referencedColumns }): Constraint => ({
        ...{ table, name, type: 'FOREIGN KEY', columns },
        references: { name: references.name, columns: referencedColumns },
      }),
    ),
  ]);
}

/** The table that a name qualified with `information_schema` means, or null. Never an unqualified name. */
export function systemDataset(parts: readonly string[], catalogName: string): Dataset | null {
  const folded = parts.map(foldName);
  if (folded.length === 3 && folded.shift() !== foldName(catalogName)) return null;
  const [schema, name = ''] = folded;
  const table = Object.hasOwn(TABLES, name) ? TABLES[name] : undefined;
  if (folded.length !== 2 || schema !== INFORMATION_SCHEMA || table === undefined) return null;
  return {
    id: `${INFORMATION_SCHEMA}.${name}`,
    schema: INFORMATION_SCHEMA,
    name,
    tags: [],
    columns: table.columns.map(([column, type]) => ({ name: column, type, tags: [] })),
    source: { kind: 'parquet', connection: '', path: '', hivePartitioning: false },
  };
}

export function isSystem(dataset: Dataset): boolean {
  return dataset.schema === INFORMATION_SCHEMA;
}

/** Without rows, as a bind needs it: everyone may read the shape. */
export function systemEntry(dataset: Dataset): PlanEntry {
  return { dataset, decision: allRaw(dataset), base: true, barrier: false };
}

/** The same entry with the rows that the principal may see. Fails with sql.limit for a catalog too large to travel in a ticket. */
export function withSystemRows(entry: PlanEntry, catalog: VisibleCatalog): PlanEntry {
  const table = isSystem(entry.dataset) ? TABLES[entry.dataset.name] : undefined;
  if (table === undefined) return entry;
  const rows = rowsText(table, table.rows(catalog));
  if (rows.length > ROWS_BYTES_MAX)
    fail('sql.limit', 'the catalog is too large for information_schema; use the metadata commands of the client, such as GetTables');
  return { ...entry, rows };
}

function rowsText({ columns }: SystemTable, rows: readonly (readonly Cell[])[]): string {
  const casts = columns.map(([name, type]) => `CAST(${identifier(name)} AS ${type}) AS ${identifier(name)}`).join(', ');
  const names = columns.map(([name]) => identifier(name)).join(', ');
  const values = rows.length === 0 ? [columns.map(() => null)] : rows;
  const text = values.map((row) => `(${row.map(cellText).join(', ')})`).join(', ');
  return `SELECT ${casts} FROM (VALUES ${text}) AS "values"(${names})${rows.length === 0 ? ' WHERE false' : ''}`;
}

function cellText(cell: Cell): string {
  if (cell === null) return 'NULL';
  if (typeof cell === 'string') return stringLiteral(cell);
  return typeof cell === 'object' ? `[${cell.map(stringLiteral).join(', ')}]` : String(cell);
}

/** What a session is asked about itself, by the functions that the statement calls. */
export function sessionMacros(
  functions: ReadonlySet<string>,
  session: { readonly catalogName: string; readonly subject: string },
): Macro[] {
  const { catalogName, subject } = session;
  const values: Readonly<Record<string, string>> = {
    current_catalog: catalogName,
    current_database: catalogName,
    current_user: subject,
    session_user: subject,
    user: subject,
  };
  const answers: Macro[] = Object.entries(values).map(([name, value]) => ({ name, body: () => stringLiteral(value) }));
  const constraints = systemDataset([INFORMATION_SCHEMA, 'duckdb_constraints'], catalogName);
  if (constraints !== null)
    answers.push({ name: constraints.name, body: (catalog) => `TABLE SELECT * FROM ${baseName(constraints, catalog)}` });
  return answers.filter(({ name }) => functions.has(name));
}
