/** The leakproof list: functions shown by test/unit/sql/leakproof.test.ts never to fail before a policy's filter. */

/** What one argument must be: any expression, of a kind, a bounded amount of an interval, a small integer constant, or a text constant that matches. */
export type ArgumentRule = 'any' | 'text' | 'number' | 'date' | 'interval' | 'small' | RegExp;

function words(list: string): ReadonlySet<string> {
  return new Set(list.split(/\s+/).filter((word) => word !== ''));
}

/** Never fail, whatever the arguments. */
export const ALWAYS: ReadonlySet<string> = words(`
  !~~ !~~* ~~ ~~* ~~~ ^@ || && <@ @> @ abs atan atan2 asinh array_contains array_distinct array_has array_has_all array_has_any
  array_position array_to_json array_value ascii bit_count bit_length bit_position cbrt ceil ceiling char_length
  character_length concat concat_ws contains dayname day month year quarter dayofmonth dayofweek dayofyear isodow
  week weekday weekofyear hour minute second degrees editdist3 encode ends_with epoch even exp floor
  formatreadablesize format_bytes greatest least hash hex instr isfinite isinf isnan jaro_similarity jaro_winkler_similarity
  json_array json_quote json_valid lcase len length lower levenshtein list_contains list_distinct list_has list_has_all
  list_has_any list_position list_value list_zip ltrim md5 monthname octet_length ord position prefix radians replace reverse
  right_grapheme round row rtrim sha1 sha256 sign split starts_with str_split string_split strip_accents strlen strpos
  struct_pack struct_extract suffix tanh to_base64 base64 to_json translate trim trunc typeof ucase unicode upper url_encode now today current_date
  current_timestamp get_current_timestamp nullif ifnull coalesce if unnest split_part pg_typeof
`);

/** Run above every filter, over rows that are visible; which rows those are is decided before. */
export const AGGREGATES: ReadonlySet<string> = words(`
  any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_min arg_min_null argmax argmin array_agg avg
  bit_and bit_or bit_xor bool_and bool_or corr count count_if count_star countif covar_pop covar_samp cume_dist dense_rank entropy
  favg fill first first_value fsum group_concat histogram kahan_sum kurtosis kurtosis_pop lag last last_value lead list listagg mad
  max max_by mean median min min_by mode nth_value ntile percent_rank product quantile quantile_cont quantile_disc rank rank_dense
  regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile row_number sem
  skewness stddev stddev_pop stddev_samp string_agg sum sum_no_overflow sumkahan var_pop var_samp variance
`);

export const OPERATORS: ReadonlySet<string> = new Set([
  'OPERATOR_NOT',
  'OPERATOR_IS_NULL',
  'OPERATOR_IS_NOT_NULL',
  'COMPARE_IN',
  'COMPARE_NOT_IN',
  'OPERATOR_COALESCE',
  'OPERATOR_NULLIF',
  'GROUPING_FUNCTION',
  'STRUCT_EXTRACT',
  'ARRAY_CONSTRUCTOR',
  'OPERATOR_UNPACK',
]);

const PART = /^(year|month|day|quarter|week|dow|dayofweek|isodow|doy|dayofyear|hour|minute|second|epoch|decade|century)$/i;
const UNIT = /^(year|quarter|month|week|day|hour|minute|second)$/i;

/** Never fail when the arguments are of these kinds; any one of the alternatives suffices. */
export const WITH_CONSTANTS: Readonly<Record<string, readonly (readonly ArgumentRule[])[]>> = {
  substring: [
    ['any', 'small'],
    ['any', 'small', 'small'],
  ],
  substr: [
    ['any', 'small'],
    ['any', 'small', 'small'],
  ],
  left: [['any', 'small']],
  right: [['any', 'small']],
  lpad: [['any', 'small', /^[ -~]+$/]],
  rpad: [['any', 'small', /^[ -~]+$/]],
  repeat: [['any', 'small']],
  date_part: [[PART, 'any']],
  datepart: [[PART, 'any']],
  date_trunc: [[UNIT, 'date']],
  datetrunc: [[UNIT, 'date']],
  date_diff: [[UNIT, 'date', 'date']],
  datediff: [[UNIT, 'date', 'date']],
  to_days: [['interval']],
  to_weeks: [['interval']],
  to_months: [['interval']],
  to_years: [['interval']],
  to_hours: [['interval']],
  to_minutes: [['interval']],
  to_seconds: [['interval']],
  range: [['small'], ['small', 'small'], ['small', 'small', 'small']],
  generate_series: [['small'], ['small', 'small'], ['small', 'small', 'small']],
};
