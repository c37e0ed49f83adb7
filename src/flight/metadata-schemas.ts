/** The fixed result schemas of the Flight SQL metadata commands. Clients compare names, order, types and nullability exactly. */
import {
  Binary,
  Bool,
  type DataType,
  DenseUnion,
  Field,
  Int32,
  Int64,
  List,
  Map_,
  Schema,
  Struct,
  Uint8,
  Uint32,
  Utf8,
} from 'apache-arrow';

const text: DataType = new Utf8();

export const CATALOGS: Schema = new Schema([required('catalog_name', text)]);

export const DB_SCHEMAS: Schema = new Schema([optional('catalog_name', text), required('db_schema_name', text)]);

export const TABLES: Schema = new Schema([
  optional('catalog_name', text),
  optional('db_schema_name', text),
  required('table_name', text),
  required('table_type', text),
]);

export const TABLES_WITH_SCHEMA: Schema = new Schema([...TABLES.fields, required('table_schema', new Binary())]);

export const TABLE_TYPES: Schema = new Schema([required('table_type', text)]);

export const PRIMARY_KEYS: Schema = new Schema([
  optional('catalog_name', text),
  optional('db_schema_name', text),
  required('table_name', text),
  required('column_name', text),
  required('key_sequence', new Int32()),
  optional('key_name', text),
]);

export const FOREIGN_KEYS: Schema = new Schema([
  optional('pk_catalog_name', text),
  optional('pk_db_schema_name', text),
  required('pk_table_name', text),
  required('pk_column_name', text),
  optional('fk_catalog_name', text),
  optional('fk_db_schema_name', text),
  required('fk_table_name', text),
  required('fk_column_name', text),
  required('key_sequence', new Int32()),
  optional('fk_key_name', text),
  optional('pk_key_name', text),
  required('update_rule', new Uint8()),
  required('delete_rule', new Uint8()),
]);

export const XDBC_TYPES: Schema = new Schema([
  required('type_name', text),
  required('data_type', new Int32()),
  optional('column_size', new Int32()),
  optional('literal_prefix', text),
  optional('literal_suffix', text),
  optional('create_params', new List(required('item', text))),
  required('nullable', new Int32()),
  required('case_sensitive', new Bool()),
  required('searchable', new Int32()),
  optional('unsigned_attribute', new Bool()),
  required('fixed_prec_scale', new Bool()),
  optional('auto_increment', new Bool()),
  optional('local_type_name', text),
  optional('minimum_scale', new Int32()),
  optional('maximum_scale', new Int32()),
  required('sql_data_type', new Int32()),
  optional('datetime_subcode', new Int32()),
  optional('num_prec_radix', new Int32()),
  optional('interval_precision', new Int32()),
]);

const infoMapEntry: Struct = new Struct([required('key', new Int32()), optional('value', new List(optional('item', new Int32())))]);

export const SQL_INFO_MAP: Map_ = new Map_(required('entries', infoMapEntry) as Field<Struct<{ key: DataType; value: DataType }>>);

/** Children of the SqlInfo value, by type id; not nullable in Arrow's Go and Java references. */
export const SQL_INFO_VALUE: DenseUnion = new DenseUnion(
  [0, 1, 2, 3, 4, 5],
  [
    required('string_value', text),
    required('bool_value', new Bool()),
    required('bigint_value', new Int64()),
    required('int32_bitmask', new Int32()),
    required('string_list', new List(optional('item', text))),
    required('int32_to_int32_list_map', SQL_INFO_MAP),
  ],
);

export const SQL_INFO: Schema = new Schema([required('info_name', new Uint32()), required('value', SQL_INFO_VALUE)]);

function required(name: string, type: DataType): Field {
  return new Field(name, type, false);
}

function optional(name: string, type: DataType): Field {
  return new Field(name, type, true);
}
