/*
 * What is known of the engine's functions: whether the same arguments give the same value at each
 * run. The engine's own word (`stability` in its catalog) is not enough: `age(day)` and
 * `current_setting` are "consistent" there. A function that stands on none of these lists is
 * refused; `functions.test.ts` holds them to the catalog of the engine that runs.
 */

const words = (text: string): ReadonlySet<string> => new Set(text.trim().toLowerCase().split(/\s+/))

/** Functions of a row: their value depends on their arguments alone. */
export const rowFunctions = words(`
  !__postfix !~~ !~~* % & && * ** + - ->> / // <-> << <=> <@ >> @ @> ^ ^@ abs acos acosh add age
  aggregate apply array_aggr array_aggregate array_append array_apply array_cat array_concat
  array_contains array_cosine_distance array_cosine_similarity array_cross_product
  array_distance array_distinct array_dot_product array_extract array_filter array_grade_up
  array_has array_has_all array_has_any array_indexof array_inner_product array_intersect
  array_length array_negative_dot_product array_negative_inner_product array_pop_back
  array_pop_front array_position array_prepend array_push_back array_push_front array_reduce
  array_resize array_reverse array_reverse_sort array_select array_slice array_sort
  array_to_json array_to_string array_transform array_unique array_value array_where array_zip
  ascii asin asinh atan atan2 atanh bar base64 bin bit_count bit_length bit_position bitstring
  cardinality cbrt ceil ceiling century char_length character_length chr concat concat_ws
  contains cos cosh cot damerau_levenshtein date_add date_diff date_part date_sub date_trunc
  datediff datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month
  decade decode degrees divide editdist3 element_at encode ends_with enum_first enum_last
  enum_range enum_range_boundary epoch epoch_ms epoch_ns epoch_us equi_width_bins era error even
  exp factorial fdiv filter flatten floor fmod format formatReadableDecimalSize
  formatReadableSize format_bytes from_base64 from_binary from_hex from_json from_json_strict
  gamma gcd generate_series get_bit grade_up greatest greatest_common_divisor hamming hash hex
  hour ilike_escape instr isfinite isinf isnan isodow isoyear jaccard jaro_similarity
  jaro_winkler_similarity json json_array json_array_length json_contains json_exists
  json_extract json_extract_path json_extract_path_text json_extract_string json_keys
  json_merge_patch json_object json_pretty json_quote json_structure json_transform
  json_transform_strict json_type json_valid json_value julian last_day lcase lcm least
  least_common_multiple left left_grapheme len length length_grapheme levenshtein lgamma
  like_escape list_aggr list_aggregate list_any_value list_append list_apply
  list_approx_count_distinct list_avg list_bit_and list_bit_or list_bit_xor list_bool_and
  list_bool_or list_cat list_concat list_contains list_cosine_distance list_cosine_similarity
  list_count list_distance list_distinct list_dot_product list_element list_entropy list_extract
  list_filter list_first list_grade_up list_has list_has_all list_has_any list_histogram
  list_indexof list_inner_product list_intersect list_kurtosis list_kurtosis_pop list_last
  list_mad list_max list_median list_min list_mode list_negative_dot_product
  list_negative_inner_product list_pack list_position list_prepend list_product list_reduce
  list_resize list_reverse list_reverse_sort list_select list_sem list_skewness list_slice
  list_sort list_stddev_pop list_stddev_samp list_string_agg list_sum list_transform list_unique
  list_value list_var_pop list_var_samp list_where list_zip ln log log10 log2 lower lpad ltrim
  make_date make_time make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz map
  map_concat map_contains map_contains_entry map_contains_value map_entries map_extract
  map_extract_value map_from_entries map_keys map_values md5 md5_number md5_number_lower
  md5_number_upper microsecond millennium millisecond minute mismatches mod month monthname
  multiply nanosecond nextafter nfc_normalize normalized_interval not_ilike_escape
  not_like_escape nullif octet_length ord parse_dirname parse_dirpath parse_filename
  parse_formatted_bytes parse_path pg_size_pretty pg_typeof pi position pow power prefix printf
  quarter radians range reduce regexp_escape regexp_extract regexp_extract_all regexp_full_match
  regexp_matches regexp_replace regexp_split_to_array repeat replace reverse right
  right_grapheme round round_even roundbankers row row_to_json rpad rtrim second set_bit sha1
  sha256 sign signbit sin sinh split split_part sqrt st_asbinary st_astext st_aswkb st_aswkt
  st_crs st_geomfromwkb st_intersects_extent starts_with str_split str_split_regex strftime
  string_split string_split_regex string_to_array strip_accents strlen strpos strptime
  struct_concat struct_contains struct_extract struct_extract_at struct_has struct_indexof
  struct_insert struct_keys struct_pack struct_position struct_update struct_values substr
  substring substring_grapheme subtract suffix tan tanh time_bucket timezone timezone_hour
  timezone_minute to_base to_base64 to_binary to_centuries to_days to_decades to_hex to_hours
  to_json to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters
  to_seconds to_timestamp to_weeks to_years translate trim trunc try_strptime typeof ucase unbin
  unhex unicode union_extract union_tag union_value unpivot_list upper url_decode url_encode
  uuid_extract_timestamp uuid_extract_version variant_extract variant_typeof week weekday
  weekofyear xor year yearweek | || ~ ~~ ~~* ~~~
`)

/** Functions that make several rows of one. */
const rowsOfRow = words('unnest generate_subscripts regexp_split_to_table')

/** Functions in FROM whose rows depend on their arguments alone. */
export const tableFunctions = words(
  'unnest generate_series range repeat repeat_row json_each json_tree generate_subscripts',
)

/**
 * Aggregates whose value depends on which rows there are, and not on their order; sums of doubles
 * do in their last digits.
 */
export const setAggregates = words(`
  approx_count_distinct arg_max arg_max_null arg_max_nulls_last arg_min arg_min_null
  arg_min_nulls_last argmax argmin avg bit_and bit_or bit_xor bitstring_agg bool_and bool_or
  corr count count_if count_star countif covar_pop covar_samp entropy favg fsum geomean
  geometric_mean histogram histogram_exact kahan_sum kurtosis kurtosis_pop mad max max_by mean
  median min min_by product quantile quantile_cont quantile_disc regr_avgx regr_avgy regr_count
  regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy sem skewness stddev stddev_pop
  stddev_samp sum sum_no_overflow sumkahan var_pop var_samp variance wavg weighted_avg
`)

/** Aggregates whose value depends on the order of rows: they need an ORDER BY of their own. */
export const orderedAggregates = words(`
  any_value arbitrary array_agg first group_concat json_group_array json_group_object
  json_group_structure last list listagg mode string_agg
`)

/**
 * Window functions that tell the place of a row among others: the same for all rows without an
 * ORDER BY.
 */
export const rankFunctions = words('cume_dist dense_rank percent_rank rank rank_dense')

/** Window functions that pick rows by their order. */
export const orderedWindows = words(
  'fill first_value lag last_value lead nth_value ntile row_number',
)

/** Functions that give another value at another time. */
export const clock = words(`
  ago current_date current_localtime current_localtimestamp current_time current_timestamp
  get_current_time get_current_timestamp localtime localtimestamp now pg_conf_load_time
  pg_postmaster_start_time today transaction_timestamp
`)

/** Functions that give another value at each call. */
export const chance = words(
  'gen_random_uuid nextval currval random reservoir_quantile setseed uuid uuidv4 uuidv7',
)

/** Estimates that depend on the order of rows. */
export const estimates = words('approx_quantile approx_top_k')

/**
 * Functions that tell of the session, the machine or the version of the engine, or that only the
 * engine itself calls.
 */
const session = words(`
  alias array_to_string_comma_default can_cast_implicitly cast_to_type col_description combine
  constant_or_null create_sort_key current_catalog current_connection_id current_database
  current_query current_query_id current_role current_schema current_schemas current_setting
  current_transaction_id current_user enum_code finalize format_pg_type format_type
  get_block_size get_type getvariable in_search_path is_histogram_other_bin
  json_deserialize_sql json_serialize_plan json_serialize_sql make_type map_to_pg_oid
  obj_description parse_duckdb_log_message remap_struct replace_type session_user
  shobj_description sleep_ms st_setcrs stats switch timetz_byte_comparable txid_current user
  variant_bytes_to_variant variant_normalize variant_to_parquet_variant vector_type version
  write_log
`)

export const internal = /^(__internal_|icu_|pg_|has_|inet_)/

/**
 * What SQL gives without parentheses, where no column is called so; those that never change are
 * left out.
 */
export const bareNames = words(
  'current_date current_time current_timestamp localtime localtimestamp',
)

/** Aggregates over a list that take the name of an aggregate. */
export const namedAggregates = words(
  'aggregate array_aggr array_aggregate list_aggr list_aggregate',
)

/** Why a function's value may differ from run to run; `undefined` for one that is not known to. */
export function whyUnstable(called: string): string | undefined {
  const name = called.toLowerCase()
  if (clock.has(name)) return 'returns a different value in each run'
  if (chance.has(name)) return 'returns a different value in each call'
  if (estimates.has(name)) return 'estimates depending on the order of rows'
  if (session.has(name) || (internal.test(name) && !rowFunctions.has(name)))
    return 'depends on the session or the engine, not on rows'
  return undefined
}

const known = [
  rowFunctions,
  rowsOfRow,
  setAggregates,
  orderedAggregates,
  rankFunctions,
  orderedWindows,
]

/** The names of all functions that give the same value for the same rows. */
export const callable: readonly string[] = known.flatMap((list) => [...list])

/** Whether a function makes one value of many rows. */
export function isAggregate(name: string): boolean {
  const lower = name.toLowerCase()
  return [setAggregates, orderedAggregates, estimates].some((list) => list.has(lower))
}

/** Whether a function stands on one of the lists of what may be called. */
export function isKnown(name: string): boolean {
  return known.some((list) => list.has(name.toLowerCase()))
}
