/** Primary and foreign keys that stewards declared, as far as the caller may see their columns → rows of the key commands. */
import { compareText } from '../names.ts';
import type { VisibleCatalog, VisibleForeignKey, VisibleTable } from '../planner/index.ts';
import type { TableReference } from '../wire/index.ts';
import type { Cell } from './arrow-rows.ts';

/** NO ACTION, for the engine checks no key. */
const NO_ACTION = 3;

/** Sorted by table and position in the key. */
export function primaryKeyRows(wanted: TableReference, catalog: VisibleCatalog): Cell[][] {
  return catalog.tables
    .filter((table) => isTable(wanted, catalog, table))
    .sort(byName)
    .flatMap(({ schema, name, primaryKey }) =>
      primaryKey.map((column, index) => [catalog.catalogName, schema, name, column, index + 1, null]),
    );
}

/** Exported keys are sorted by the table that refers, the others by the one referred to; then by key and position. */
export function foreignKeyRows(
  primary: TableReference | undefined,
  foreign: TableReference | undefined,
  catalog: VisibleCatalog,
): Cell[][] {
  const found = catalog.tables.flatMap((table) => table.foreignKeys.map((key) => ({ table, key })));
  const wanted = found.filter(
    ({ table, key }) =>
      (primary === undefined || isTable(primary, catalog, key.references)) && (foreign === undefined || isTable(foreign, catalog, table)),
  );
  const sideOf = ({ table, key }: (typeof wanted)[number]): Named => (foreign === undefined ? table : key.references);
  wanted.sort((a, b) => byName(sideOf(a), sideOf(b)) || byName(a.table, b.table) || compareText(a.key.name, b.key.name));
  return wanted.flatMap(({ table, key }) => rowsOf(catalog.catalogName, table, key));
}

function rowsOf(catalogName: string, table: VisibleTable, key: VisibleForeignKey): Cell[][] {
  return key.columns.map((column, index) => [
    catalogName,
    key.references.schema,
    key.references.name,
    key.referencedColumns[index] ?? '',
    catalogName,
    table.schema,
    table.name,
    column,
    index + 1,
    key.name,
    null,
    NO_ACTION,
    NO_ACTION,
  ]);
}

interface Named {
  readonly schema: string;
  readonly name: string;
}

/** Every table has a catalog and a schema, so `""` (without one) is none of them. */
function isTable(wanted: TableReference, catalog: VisibleCatalog, { schema, name }: Named): boolean {
  const same = (asked: string | undefined, actual: string): boolean => asked === undefined || asked === actual;
  return same(wanted.catalog, catalog.catalogName) && same(wanted.schema, schema) && same(wanted.table, name);
}

function byName(a: Named, b: Named): number {
  return compareText(a.schema, b.schema) || compareText(a.name, b.name);
}
