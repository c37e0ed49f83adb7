/** What tools show in their trees: ADBC's objects and info, JDBC's DatabaseMetaData, each only with what the caller may see. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demoUser, JdbcClient, PythonClients } from '../support/clients.ts';
import { shows } from '../support/protocol.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const DATASETS = ['customer_orders', 'customers', 'flights', 'orders', 'products'];
const CUSTOMER_COLUMNS = ['customer_id', 'name', 'email', 'phone', 'ssn', 'birth_date', 'region', 'balance'];

const python = new PythonClients();
const jdbc = new JdbcClient();
let sluice: TestServer;
const options = (user: string, more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> => ({
  uri: sluice.uri,
  ...demoUser(user),
  ...more,
});

beforeAll(async () => {
  sluice = await startTestServer();
});

afterAll(async () => {
  await Promise.all([python[Symbol.asyncDispose](), jdbc[Symbol.asyncDispose]()]);
  await sluice?.[Symbol.asyncDispose]();
});

interface AdbcTable {
  readonly table_name: string;
  readonly table_type: string;
  readonly table_columns: readonly { readonly column_name: string; readonly xdbc_type_name: string | null }[] | null;
  readonly table_constraints?: readonly AdbcConstraint[] | null;
}

interface AdbcConstraint {
  readonly constraint_type: string;
  readonly constraint_column_names: readonly string[];
  readonly constraint_column_usage: readonly { readonly fk_table: string; readonly fk_column_name: string }[] | null;
}

interface AdbcCatalog {
  readonly catalog_name: string;
  readonly catalog_db_schemas: readonly { readonly db_schema_name: string; readonly db_schema_tables: readonly AdbcTable[] }[];
}

async function adbcTables(user: string): Promise<readonly AdbcTable[]> {
  const catalogs = await python.call<readonly AdbcCatalog[]>('adbc_objects', options(user));
  expect(catalogs.map(({ catalog_name }) => catalog_name)).toEqual(['sluice']);
  const schemas = catalogs.flatMap(({ catalog_db_schemas }) => catalog_db_schemas);
  return schemas.filter(({ db_schema_name }) => db_schema_name === 'demo').flatMap(({ db_schema_tables }) => db_schema_tables);
}

const columnsOf = (tables: readonly AdbcTable[], name: string): readonly string[] =>
  tables.find(({ table_name }) => table_name === name)?.table_columns?.map(({ column_name }) => column_name) ?? [];

describe('ADBC', () => {
  test('get_objects lists what the caller may see, with types', shows('ADBC', 'catalogs and tables'), async () => {
    const tables = await adbcTables('steward');
    expect(tables.map(({ table_name }) => table_name).sort()).toEqual(DATASETS);
    expect(columnsOf(tables, 'customers')).toEqual(CUSTOMER_COLUMNS);
    for (const { table_columns } of tables) for (const { xdbc_type_name } of table_columns ?? []) expect(xdbc_type_name ?? '').not.toBe('');
    expect((await adbcTables('guest')).map(({ table_name }) => table_name)).toEqual(['flights']);
  });

  test('hidden columns are not there', async () => {
    const tables = await adbcTables('analyst_eu');
    expect(columnsOf(tables, 'customers')).toEqual(CUSTOMER_COLUMNS.filter((name) => name !== 'balance'));
    expect(columnsOf(tables, 'products')).not.toContain('cost');
  });

  test('keys', shows('ADBC', 'keys', 'get_objects has no constraints: the driver does not ask for keys'), async () => {
    const tables = await adbcTables('steward');
    const orders = tables.find(({ table_name }) => table_name === 'orders')?.table_constraints ?? [];
    expect(orders.map(({ constraint_type, constraint_column_names }) => [constraint_type, ...constraint_column_names])).toContainEqual([
      'PRIMARY KEY',
      'order_id',
    ]);
  });

  test('an auditor sees the datasets that hold no rows for him', async () => {
    expect((await adbcTables('auditor')).map(({ table_name }) => table_name).sort()).toEqual(DATASETS);
  });

  test('get_table_schema is the schema that a query has', shows('ADBC', 'catalogs and tables'), async () => {
    for (const user of ['steward', 'analyst_eu']) {
      const schema = await python.call<readonly (readonly [string, string, boolean])[]>(
        'adbc_table_schema',
        options(user, { schema: 'demo', table: 'customers' }),
      );
      const { columns } = await python.query('adbc_query', sluice.port, demoUser(user), 'SELECT * FROM demo.customers LIMIT 1');
      expect(schema.map(([name, type]) => [name, type])).toEqual(columns);
    }
    await expect(python.call('adbc_table_schema', options('guest', { schema: 'demo', table: 'customers' }))).rejects.toThrow();
  });

  test.each(['catalogs', 'db_schemas', 'tables', 'columns', 'all'])(
    'get_objects as deep as %s',
    shows('ADBC', 'catalogs and tables'),
    async (depth) => {
      const [catalog, ...more] = await python.call<readonly AdbcCatalog[]>('adbc_objects', options('analyst_us', { depth }));
      expect(more).toEqual([]);
      const schemas = catalog?.catalog_db_schemas ?? null;
      const tables = schemas?.[0]?.db_schema_tables ?? null;
      expect([schemas !== null, tables !== null, (tables?.[0]?.table_columns ?? null) !== null]).toEqual(
        { catalogs: [false, false, false], db_schemas: [true, false, false], tables: [true, true, false] }[depth] ?? [true, true, true],
      );
    },
  );

  const FILTERS: readonly (readonly [Readonly<Record<string, unknown>>, readonly string[]])[] = [
    [{ table_name_filter: 'customer_' }, ['customers']],
    [{ table_name_filter: 'cust%' }, ['customer_orders', 'customers']],
    [{ table_types_filter: ['VIEW'] }, ['customer_orders']],
    [{ table_types_filter: ['TABLE'], table_name_filter: '%s' }, ['customers', 'flights', 'orders', 'products']],
    [{ db_schema_filter: 'de%' }, DATASETS],
    [{ db_schema_filter: 'nothing' }, []],
    [{ catalog_filter: 'sluice' }, DATASETS],
    [{ catalog_filter: 'other' }, []],
    [{ table_name_filter: "%'; DROP" }, []],
  ];
  test.each(FILTERS)('get_objects with %j', shows('ADBC', 'catalogs and tables'), async (filter, names) => {
    const catalogs = await python.call<readonly AdbcCatalog[]>('adbc_objects', options('analyst_eu', { depth: 'tables', ...filter }));
    const found = catalogs
      .flatMap(({ catalog_db_schemas }) => catalog_db_schemas ?? [])
      .flatMap(({ db_schema_tables }) => db_schema_tables ?? []);
    expect(found.map(({ table_name }) => table_name).sort()).toEqual(names);
  });

  test('get_objects with a column filter', shows('ADBC', 'catalogs and tables'), async () => {
    const catalogs = await python.call<readonly AdbcCatalog[]>(
      'adbc_objects',
      options('analyst_eu', { depth: 'columns', column_name_filter: '%_date', table_name_filter: 'customers' }),
    );
    const tables = catalogs.flatMap(({ catalog_db_schemas }) => catalog_db_schemas).flatMap(({ db_schema_tables }) => db_schema_tables);
    expect(columnsOf(tables, 'customers')).toEqual(['birth_date']);
  });

  test('names, types and numbers of a column: in the table, the promise and the rows', shows('ADBC', 'column metadata'), async () => {
    const sql = 'SELECT * FROM demo.orders LIMIT 1';
    type Fields = Readonly<Record<string, Readonly<Record<string, string>>>>;
    const facts = await python.call<{ table: Fields; promised: Fields; rows: Fields }>(
      'adbc_column_metadata',
      options('analyst_eu', { sql, schema: 'demo', table: 'orders' }),
    );
    const key = (name: string): string => `ARROW:FLIGHT:SQL:${name}`;
    expect(facts.table['amount']).toMatchObject({ [key('TYPE_NAME')]: 'DECIMAL(10,2)', [key('PRECISION')]: '10', [key('SCALE')]: '2' });
    expect(facts.table['card_number']).toMatchObject({
      [key('TYPE_NAME')]: 'VARCHAR',
      [key('TABLE_NAME')]: 'orders',
      [key('DB_SCHEMA_NAME')]: 'demo',
    });
    expect(facts.table['card_number']?.[key('REMARKS')]).toMatch(/Card that paid/);
    for (const side of [facts.promised, facts.rows])
      expect(side['amount']).toMatchObject({ [key('TYPE_NAME')]: 'DECIMAL(10,2)', [key('PRECISION')]: '10', [key('SCALE')]: '2' });
    expect(facts.rows).toEqual(facts.promised);
  });

  test('table types and server info', shows('ADBC', 'server information'), async () => {
    expect([...(await python.call<readonly string[]>('adbc_table_types', options('guest')))].sort()).toEqual(['TABLE', 'VIEW']);
    const info = await python.call<Readonly<Record<string, unknown>>>('adbc_info', options('guest'));
    expect(info['vendor_name']).toMatch(/sluice/i);
    expect(String(info['vendor_version'])).toMatch(/\d+\.\d+\.\d+/);
  });
});

describe.each(['steward', 'analyst_eu', 'guest'] as const)('JDBC as %s', (user) => {
  const visible = user === 'guest' ? ['flights'] : DATASETS;
  beforeAll(() => jdbc.connect(sluice.port, demoUser(user)));

  const column = async (name: string, label: string, ...args: readonly string[]): Promise<readonly (string | null)[]> => {
    const { columns, rows } = await jdbc.metadata(name, ...args);
    // Driver 18.3.0 learns a metadata result's columns from its first row.
    if (rows.length === 0) return [];
    const index = columns.findIndex(([found]) => found === label);
    expect(index, `${name} has ${label}`).toBeGreaterThanOrEqual(0);
    return rows.map((row) => row[index] ?? null);
  };

  test('every getter of DatabaseMetaData answers', shows('JDBC', 'server information'), async () => {
    const facts = await jdbc.facts();
    expect(facts.failed).toEqual([]);
    expect(facts['getDatabaseProductName']).toMatch(/sluice/i);
    // There is a scratch schema to write to.
    expect(facts['isReadOnly']).toBe(false);
    expect(facts['getIdentifierQuoteString']).toBe('"');
  });

  test('catalogs, schemas, table types', shows('JDBC', 'catalogs and tables'), async () => {
    expect(await column('catalogs', 'TABLE_CAT')).toEqual(['sluice']);
    expect(await column('schemas', 'TABLE_SCHEM')).toContain('demo');
    expect(await column('schemasLike', 'TABLE_SCHEM', 'dem_')).toEqual(['demo']);
    expect(await column('schemasLike', 'TABLE_SCHEM', 'nothing%')).toEqual([]);
    expect([...(await column('tableTypes', 'TABLE_TYPE'))].sort()).toEqual(['TABLE', 'VIEW']);
  });

  test('tables by schema, pattern and type', shows('JDBC', 'catalogs and tables'), async () => {
    expect([...(await column('tables', 'TABLE_NAME', 'demo', '%'))].sort()).toEqual(visible);
    expect([...(await column('tables', 'TABLE_NAME', '', 'fl%'))]).toEqual(['flights']);
    expect([...(await column('tables', 'TABLE_NAME', 'demo', 'customer_'))]).toEqual(user === 'guest' ? [] : ['customers']);
    expect(await column('tablesOfType', 'TABLE_NAME', 'VIEW')).toEqual(user === 'guest' ? [] : ['customer_orders']);
    expect(await column('tablesOfType', 'TABLE_NAME', 'SYSTEM TABLE')).toEqual([]);
  });

  test('columns: only those one may see', async () => {
    const customers = await column('columns', 'COLUMN_NAME', 'demo', 'customers');
    const expected = { steward: CUSTOMER_COLUMNS, analyst_eu: CUSTOMER_COLUMNS.filter((name) => name !== 'balance'), guest: [] }[user];
    expect(customers).toEqual(expected);
    expect(await column('columns', 'COLUMN_NAME', 'demo', 'flights')).toEqual(['date', 'delay', 'distance', 'origin', 'destination']);
    expect(await column('columns', 'DATA_TYPE', 'demo', 'flights')).toEqual(['93', '-5', '-5', '12', '12']);
  });

  test('columns carry what the catalog says of them', shows('JDBC', 'column metadata'), async () => {
    if (user === 'guest') return;
    expect(await column('columns', 'COLUMN_SIZE', 'demo', 'orders', 'amount')).toEqual(['10']);
    expect(await column('columns', 'DECIMAL_DIGITS', 'demo', 'orders', 'amount')).toEqual(['2']);
    expect((await column('columns', 'REMARKS', 'demo', 'orders', 'card_number'))[0]).toMatch(/Card that paid/);
    const described = await jdbc.describe('SELECT order_id, amount, card_number AS card, amount * 2 AS twice FROM demo.orders LIMIT 1');
    expect(
      described.map(({ label, typeName, precision, scale, table, schema }) => [label, typeName, precision, scale, table, schema]),
    ).toEqual([
      ['order_id', 'BIGINT', expect.any(Number), 0, 'orders', 'demo'],
      ['amount', 'DECIMAL', 10, 2, 'orders', 'demo'],
      ['card', 'VARCHAR', expect.any(Number), 0, 'orders', 'demo'],
      ['twice', 'DECIMAL', expect.any(Number), 2, null, null],
    ]);
  });

  test('keys, of what one may see', shows('JDBC', 'keys'), async () => {
    const seen = user !== 'guest';
    expect(await column('primaryKeys', 'COLUMN_NAME', 'demo', 'customers')).toEqual(seen ? ['customer_id'] : []);
    for (const [call, ...args] of [
      ['importedKeys', 'demo', 'orders'],
      ['exportedKeys', 'demo', 'customers'],
      ['crossReference', 'demo', 'customers', 'demo', 'orders'],
    ] as const) {
      expect(await column(call, 'FKCOLUMN_NAME', ...args), call).toEqual(seen ? ['customer_id'] : []);
      expect(await column(call, 'PKTABLE_NAME', ...args), call).toEqual(seen ? ['customers'] : []);
    }
  });

  test('getTypeInfo', shows('JDBC', 'type information', 'getTypeInfo has no rows: the driver does not ask the server'), async () => {
    expect((await jdbc.metadata('typeInfo')).rows.length).toBeGreaterThan(10);
  });

  test('what there is none of is answered empty', async () => {
    for (const name of [
      'primaryKeys',
      'importedKeys',
      'exportedKeys',
      'indexInfo',
      'columnPrivileges',
      'tablePrivileges',
      'bestRowIdentifier',
    ])
      expect((await jdbc.metadata(name, 'demo', 'flights')).rows, name).toEqual([]);
    for (const name of ['procedures', 'functions', 'clientInfoProperties']) expect((await jdbc.metadata(name)).rows, name).toEqual([]);
  });
});
