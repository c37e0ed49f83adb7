/** Metadata commands → result schema and rows, from what the principal may see. */
import type { Schema } from 'apache-arrow';
import { compareText } from '../names.ts';
import type { VisibleCatalog, VisibleTable } from '../planner/index.ts';
import { encapsulatedSchema, type IpcMessages, type MetadataCommand, type TableFilter } from '../wire/index.ts';
import { type Cell, rowsToIpc } from './arrow-rows.ts';
import { foreignKeyRows, primaryKeyRows } from './keys.ts';
import {
  CATALOGS,
  DB_SCHEMAS,
  FOREIGN_KEYS,
  PRIMARY_KEYS,
  SQL_INFO,
  TABLE_TYPES,
  TABLES,
  TABLES_WITH_SCHEMA,
  XDBC_TYPES,
} from './metadata-schemas.ts';
import { type InfoValue, sqlInfo } from './sql-info.ts';
import { xdbcTypes } from './xdbc-types.ts';

const TABLE_TYPE_NAMES: readonly string[] = ['TABLE', 'VIEW'];

export function metadataSchema(command: MetadataCommand): Schema {
  switch (command.kind) {
    case 'sqlInfo':
      return SQL_INFO;
    case 'catalogs':
      return CATALOGS;
    case 'schemas':
      return DB_SCHEMAS;
    case 'tables':
      return command.withSchema ? TABLES_WITH_SCHEMA : TABLES;
    case 'tableTypes':
      return TABLE_TYPES;
    case 'primaryKeys':
      return PRIMARY_KEYS;
    case 'foreignKeys':
      return FOREIGN_KEYS;
    case 'xdbcTypes':
      return XDBC_TYPES;
  }
}

/** Sorted as Flight SQL asks. */
export function metadataResult(command: MetadataCommand, catalog: VisibleCatalog, infos: ReadonlyMap<number, InfoValue>): IpcMessages {
  if (command.kind === 'sqlInfo') return sqlInfo(infos, command.codes);
  if (command.kind === 'xdbcTypes') return xdbcTypes(command.dataType);
  return rowsToIpc(metadataSchema(command), rowsOf(command, catalog));
}

function rowsOf(command: Exclude<MetadataCommand, { kind: 'sqlInfo' | 'xdbcTypes' }>, catalog: VisibleCatalog): Cell[][] {
  switch (command.kind) {
    case 'catalogs':
      return [[catalog.catalogName]];
    case 'schemas':
      return schemaNames(command.filter, catalog).map((schema) => [catalog.catalogName, schema]);
    case 'tables':
      return tableRows(command.filter, command.withSchema, catalog);
    case 'tableTypes':
      return TABLE_TYPE_NAMES.map((type) => [type]);
    case 'primaryKeys':
      return primaryKeyRows(command.table, catalog);
    case 'foreignKeys':
      return foreignKeyRows(command.primary, command.foreign, catalog);
  }
}

function schemaNames(filter: TableFilter, catalog: VisibleCatalog): string[] {
  const tables = catalog.tables.filter((table) => schemaMatches(filter, catalog, table));
  return [...new Set(tables.map((table) => table.schema))].sort(compareText);
}

function tableRows(filter: TableFilter, withSchema: boolean, catalog: VisibleCatalog): Cell[][] {
  return catalog.tables
    .filter((table) => schemaMatches(filter, catalog, table) && tableMatches(filter, table))
    .sort((a, b) => compareText(a.schema, b.schema) || compareText(a.name, b.name) || compareText(a.type, b.type))
    .map((table) => {
      const row = [catalog.catalogName, table.schema, table.name, table.type];
      return withSchema ? [...row, encapsulatedSchema(table.arrow)] : row;
    });
}

/** Every object has a catalog and a schema, so `""` (without one) matches nothing. */
function schemaMatches(filter: TableFilter, catalog: VisibleCatalog, table: VisibleTable): boolean {
  const catalogFits = filter.catalog === undefined || filter.catalog === catalog.catalogName;
  return catalogFits && matches(filter.schemaPattern, table.schema);
}

function tableMatches(filter: TableFilter, table: VisibleTable): boolean {
  return matches(filter.tablePattern, table.name) && (filter.types.length === 0 || filter.types.includes(table.type));
}

/** `%` any text, `_` any character, backslash escapes; an absent pattern matches all. */
export function matches(pattern: string | undefined, text: string): boolean {
  if (pattern === undefined) return true;
  const wanted = pattern.match(/\\[\s\S]|[\s\S]/gu) ?? [];
  const characters = [...text];
  // Greedy with one restart point, so that no pattern takes more than |pattern| × |text| steps.
  let at = 0;
  let next = 0;
  let restartAt = -1;
  let restartNext = -1;
  while (at < characters.length) {
    const token = wanted[next];
    if (token === '%') {
      restartAt = at;
      restartNext = ++next;
    } else if (token !== undefined && tokenMatches(token, characters[at])) {
      at++;
      next++;
    } else if (restartNext >= 0) {
      at = ++restartAt;
      next = restartNext;
    } else return false;
  }
  return wanted.slice(next).every((token) => token === '%');
}

function tokenMatches(token: string, character: string | undefined): boolean {
  return token === '_' || character === (token.length > 1 && token.startsWith('\\') ? token.slice(1) : token);
}
