import { expect, test } from 'vitest';
import * as schemas from '#src/flight/metadata-schemas.js';

/** Name, type, `!` for not null: as the Flight SQL specification and arrow-go's schema_ref have them. */
const EXPECTED: Record<string, string[]> = {
  CATALOGS: ['catalog_name Utf8!'],
  DB_SCHEMAS: ['catalog_name Utf8', 'db_schema_name Utf8!'],
  TABLES: ['catalog_name Utf8', 'db_schema_name Utf8', 'table_name Utf8!', 'table_type Utf8!'],
  TABLES_WITH_SCHEMA: ['catalog_name Utf8', 'db_schema_name Utf8', 'table_name Utf8!', 'table_type Utf8!', 'table_schema Binary!'],
  TABLE_TYPES: ['table_type Utf8!'],
  PRIMARY_KEYS: [
    'catalog_name Utf8',
    'db_schema_name Utf8',
    'table_name Utf8!',
    'column_name Utf8!',
    'key_sequence Int32!',
    'key_name Utf8',
  ],
  FOREIGN_KEYS: [
    'pk_catalog_name Utf8',
    'pk_db_schema_name Utf8',
    'pk_table_name Utf8!',
    'pk_column_name Utf8!',
    'fk_catalog_name Utf8',
    'fk_db_schema_name Utf8',
    'fk_table_name Utf8!',
    'fk_column_name Utf8!',
    'key_sequence Int32!',
    'fk_key_name Utf8',
    'pk_key_name Utf8',
    'update_rule Uint8!',
    'delete_rule Uint8!',
  ],
  XDBC_TYPES: [
    'type_name Utf8!',
    'data_type Int32!',
    'column_size Int32',
    'literal_prefix Utf8',
    'literal_suffix Utf8',
    'create_params List<Utf8>',
    'nullable Int32!',
    'case_sensitive Bool!',
    'searchable Int32!',
    'unsigned_attribute Bool',
    'fixed_prec_scale Bool!',
    'auto_increment Bool',
    'local_type_name Utf8',
    'minimum_scale Int32',
    'maximum_scale Int32',
    'sql_data_type Int32!',
    'datetime_subcode Int32',
    'num_prec_radix Int32',
    'interval_precision Int32',
  ],
};

const shown = (field: { name: string; type: unknown; nullable: boolean }) => `${field.name} ${field.type}${field.nullable ? '' : '!'}`;

test.each(Object.entries(EXPECTED))('%s', (name, expected) => {
  const schema = Reflect.get(schemas, name) as typeof schemas.TABLES;
  expect(schema.fields.map(shown)).toEqual(expected);
  expect(schema.metadata.size).toBe(0);
});

test('SQL_INFO has the union that drivers cast without a check', () => {
  expect(schemas.SQL_INFO.fields.map((field) => field.name)).toEqual(['info_name', 'value']);
  expect(schemas.SQL_INFO.fields.map((field) => field.nullable)).toEqual([false, false]);
  expect(String(schemas.SQL_INFO.fields[0]?.type)).toBe('Uint32');
  expect([...schemas.SQL_INFO_VALUE.typeIds]).toEqual([0, 1, 2, 3, 4, 5]);
  expect(schemas.SQL_INFO_VALUE.children.map(shown)).toEqual([
    'string_value Utf8!',
    'bool_value Bool!',
    'bigint_value Int64!',
    'int32_bitmask Int32!',
    'string_list List<Utf8>!',
    'int32_to_int32_list_map Map<{key:Int32, value:List<Int32>}>!',
  ]);
});
