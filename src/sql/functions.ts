/** Which functions a user's SQL may name. The list comes from the engine itself, minus what reads state, files or the catalog. */

export interface FunctionFacts {
  readonly name: string;
  /** scalar, aggregate, macro, table, … as duckdb_functions() says. */
  readonly type: string;
}

/**
 * Settings, session, catalog, plan and file state; engine internals; errors and sleeps; statistics of hidden rows; what calls itself as
 * deep as a value is nested, and so ends the process, or needs memory or time by the square of its arguments without counting it.
 */
const DENIED: ReadonlySet<string> = new Set(
  `json_structure json_group_structure json_contains json_merge_patch json_pretty damerau_levenshtein
   current_setting getvariable nextval currval write_log sleep_ms stats current_query current_query_id txid_current
   current_user session_user user in_search_path current_schemas current_database current_catalog current_connection_id current_transaction_id
   json_serialize_sql json_deserialize_sql json_serialize_plan json_execute_serialized_sql parse_duckdb_log_message
   get_block_size vector_type create_sort_key constant_or_null error combine finalize bitstring_agg
   can_cast_implicitly cast_to_type replace_type make_type get_type st_geomfromwkb st_crs st_setcrs
   variant_bytes_to_variant variant_to_parquet_variant variant_normalize setseed enum_range_boundary icu_sort_key
   is_histogram_other_bin obj_description shobj_description col_description query query_table seq_scan arrow_scan
   which_secret getenv remap_struct switch timetz_byte_comparable transaction_timestamp alias unpivot_list
   format_pg_type format_type map_to_pg_oid`.split(/\s+/),
);

const DENIED_FAMILY = /^(__internal_|duckdb_|pragma_|pg_(?!typeof$|size_pretty$)|inet_|has_|icu_collate|st_)/;

/** Answered by macros of the plan's own catalog: only by their bare names, which find those first. */
const SESSION_FUNCTIONS: ReadonlySet<string> = new Set(['current_catalog', 'current_database', 'current_user', 'session_user', 'user']);

export function isSessionFunction(name: string): boolean {
  return SESSION_FUNCTIONS.has(name);
}

const TABLE_FUNCTIONS: ReadonlySet<string> = new Set(['range', 'generate_series', 'unnest', 'json_each', 'json_tree']);

/** Lower-case names that gateStatement accepts in expressions. */
export function functionAllowList(functions: readonly FunctionFacts[]): ReadonlySet<string> {
  const allowed = new Set(['unnest']);
  for (const { name, type } of functions) {
    const lower = name.toLowerCase();
    if ((type === 'scalar' || type === 'aggregate' || type === 'macro') && !isDenied(lower)) allowed.add(lower);
  }
  return allowed;
}

function isDenied(name: string): boolean {
  return DENIED.has(name) || DENIED_FAMILY.test(name);
}

export function isTableFunction(name: string): boolean {
  return TABLE_FUNCTIONS.has(name);
}

/** The table of `information_schema` behind a catalog function that client libraries call; null for any other. */
export function systemTableOf(name: string): string | null {
  return name === 'duckdb_constraints' ? name : null;
}

/** list_aggregate(list, 'name') calls the aggregate named by its second argument. */
export const AGGREGATE_BY_NAME: ReadonlySet<string> = new Set([
  'list_aggregate',
  'list_aggr',
  'array_aggregate',
  'array_aggr',
  'aggregate',
]);
