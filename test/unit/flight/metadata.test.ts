import { describe, expect, test } from 'vitest';
import { matches, metadataResult, metadataSchema } from '#src/flight/metadata.js';
import type { VisibleCatalog } from '#src/planner/index.js';
import { encapsulatedSchema, type MetadataCommand, schemaMessage, type TableFilter } from '#src/wire/index.js';
import { cpuMsOf } from '../../support/patience.ts';
import { demoCatalog, tableOf } from './fakes.ts';

const all: TableFilter = { catalog: undefined, schemaPattern: undefined, tablePattern: undefined, types: [] };
const rows = (command: MetadataCommand, catalog: VisibleCatalog = demoCatalog) =>
  tableOf(metadataResult(command, catalog, new Map()))
    .toArray()
    .map((row) => Object.values(row.toJSON()));
const tables = (filter: Partial<TableFilter>) =>
  rows({ kind: 'tables', filter: { ...all, ...filter }, withSchema: false }).map((row) => row[2]);
const schemas = (filter: Partial<TableFilter>) => rows({ kind: 'schemas', filter: { ...all, ...filter } }).map((row) => row[1]);

describe('tables', () => {
  test('are sorted by schema and name', () => {
    expect(rows({ kind: 'tables', filter: all, withSchema: false })).toEqual([
      ['sluice', 'crm', 'people', 'VIEW'],
      ['sluice', 'demo', 'order_items', 'TABLE'],
      ['sluice', 'demo', 'orders', 'TABLE'],
    ]);
  });

  test.each([
    [{ catalog: 'sluice' }, ['people', 'order_items', 'orders']],
    [{ catalog: 'other' }, []],
    [{ catalog: '' }, []],
    [{ schemaPattern: 'demo' }, ['order_items', 'orders']],
    [{ schemaPattern: 'd%' }, ['order_items', 'orders']],
    [{ schemaPattern: '' }, []],
    [{ tablePattern: 'order%' }, ['order_items', 'orders']],
    [{ tablePattern: 'order_items' }, ['order_items']],
    [{ tablePattern: 'order\\_items' }, ['order_items']],
    [{ tablePattern: 'orde\\rs' }, ['orders']],
    [{ tablePattern: '' }, []],
    [{ types: ['VIEW'] }, ['people']],
    [{ types: ['VIEW', 'TABLE'] }, ['people', 'order_items', 'orders']],
    [{ types: ['SYSTEM TABLE'] }, []],
    [{ schemaPattern: 'demo', tablePattern: '%s', types: ['TABLE'] }, ['order_items', 'orders']],
  ])('filter %o', (filter, expected) => {
    expect(tables(filter)).toEqual(expected);
  });

  test('carry their encapsulated schema when asked', () => {
    const [row] = rows({ kind: 'tables', filter: { ...all, tablePattern: 'people' }, withSchema: true });
    const people = demoCatalog.tables.find((table) => table.name === 'people');
    expect(row?.[4]).toEqual(Uint8Array.from(people === undefined ? [] : encapsulatedSchema(people.arrow)));
  });
});

test('schemas hold only visible tables', () => {
  expect(schemas({})).toEqual(['crm', 'demo']);
  expect(schemas({ schemaPattern: 'c_m' })).toEqual(['crm']);
  expect(schemas({ catalog: 'other' })).toEqual([]);
  expect(schemas({ schemaPattern: '' })).toEqual([]);
});

test('catalogs and table types', () => {
  expect(rows({ kind: 'catalogs' })).toEqual([['sluice']]);
  expect(rows({ kind: 'catalogs' }, { catalogName: 'sluice', tables: [] })).toEqual([['sluice']]);
  expect(rows({ kind: 'tableTypes' })).toEqual([['TABLE'], ['VIEW']]);
});

test('the stream of every command has the schema that FlightInfo promised, byte for byte', () => {
  const commands: MetadataCommand[] = [
    { kind: 'sqlInfo', codes: [1] },
    { kind: 'catalogs' },
    { kind: 'schemas', filter: all },
    { kind: 'tables', filter: all, withSchema: false },
    { kind: 'tables', filter: all, withSchema: true },
    { kind: 'tableTypes' },
    { kind: 'primaryKeys', table: { catalog: undefined, schema: undefined, table: 'orders' } },
    { kind: 'foreignKeys', primary: undefined, foreign: undefined },
    { kind: 'xdbcTypes', dataType: 4 },
  ];
  const infos = new Map([[1, { child: 'text', value: '1' } as const]]);
  for (const command of commands) {
    expect(metadataResult(command, demoCatalog, infos).schemaHeader, command.kind).toEqual(schemaMessage(metadataSchema(command)));
  }
});

describe('patterns', () => {
  test.each([
    ['%', '', true],
    ['%%', 'abc', true],
    ['_', '', false],
    ['_', '😀', true],
    ['a_c', 'abc', true],
    ['a%c', 'abxc', true],
    ['a%c', 'abxcd', false],
    ['%b%d%', 'abcd', true],
    ['%ab', 'aab', true],
    ['\\%', '%', true],
    ['\\%', 'x', false],
    ['\\_', 'x', false],
    ['a\\\\b', 'a\\b', true],
    ['a\\', 'a\\', true],
    ['A', 'a', false],
    ['a.c', 'abc', false],
    ['', '', true],
  ])('%s on %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  test('a hostile pattern stays cheap', async () => {
    // A backtracking match would not end.
    expect(await cpuMsOf(() => expect(matches('%a'.repeat(2000), 'a'.repeat(1000))).toBe(false))).toBeLessThan(10_000);
  });
});
