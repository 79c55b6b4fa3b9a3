import { nearest } from '../define/nearest.js'
import { callable, chance, clock, estimates, internal, tableFunctions } from '../plan/functions.js'
import { folded } from './relations.js'

/*
 * What SQL of people and programs may call. Every function of the engine's catalog has been looked
 * at: it may be called, or it is refused for one of these reasons. `callable.test.ts` holds the
 * lists to the catalog of the engine that runs, so that a new DuckDB has to be looked at. A
 * function that is on no list is refused.
 */

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

const computing: ReadonlySet<string> = new Set(callable)

/** Functions that tell of the session what anybody may know. */
const harmless = words(`
  alias cast_to_type can_cast_implicitly current_catalog current_database current_role
  current_schema current_schemas current_user enum_code get_type is_histogram_other_bin
  session_user stats user version
`)

/** The reason of those that open files. */
export const FILES = 'it opens files'

const refused: readonly (readonly [why: string, names: ReadonlySet<string>])[] = [
  [
    FILES,
    words(`
      arrow_scan arrow_scan_dumb glob parquet_bloom_probe parquet_file_metadata
      parquet_full_metadata parquet_kv_metadata parquet_metadata parquet_scan parquet_schema
      read_blob read_csv read_csv_auto read_duckdb read_json read_json_auto read_json_objects
      read_json_objects_auto read_ndjson read_ndjson_auto read_ndjson_objects read_parquet
      read_text seq_scan sniff_csv
    `),
  ],
  [
    'it runs SQL passed as a string',
    words(`
      check_peg_parser histogram histogram_values json_deserialize_sql
      json_execute_serialized_sql json_serialize_plan json_serialize_sql query query_table
      sql_auto_complete
    `),
  ],
  [
    'it exposes settings, the catalog or the session of the engine',
    words(`
      col_description current_connection_id current_query current_query_id current_setting
      current_transaction_id duckdb_approx_database_count duckdb_columns
      duckdb_connection_count duckdb_constraints duckdb_coordinate_systems duckdb_databases
      duckdb_dependencies duckdb_extensions duckdb_external_file_cache duckdb_functions
      duckdb_indexes duckdb_keywords duckdb_log_contexts duckdb_logs duckdb_logs_parsed
      duckdb_memory duckdb_optimizers duckdb_prepared_statements duckdb_profiling_settings
      duckdb_schemas duckdb_secret_types duckdb_secrets duckdb_sequences duckdb_settings
      duckdb_table_sample duckdb_tables duckdb_temporary_files duckdb_types duckdb_variables
      duckdb_views format_pg_type format_type get_block_size getenv getvariable
      icu_calendar_names in_search_path obj_description parse_duckdb_log_message
      pragma_collations pragma_database_size pragma_metadata_info pragma_platform pragma_show
      pragma_storage_info pragma_table_info pragma_user_agent pragma_version shobj_description
      txid_current which_secret
    `),
  ],
  [
    'it changes the state of the engine',
    words(`
      checkpoint currval disable_logging disable_peg_parser disable_profiling enable_logging
      enable_peg_parser enable_profiling force_checkpoint nextval truncate_duckdb_logs write_log
    `),
  ],
  ['it only waits', words('pg_sleep sleep_ms')],
  [
    'it is internal to the engine',
    words(`
      array_to_string_comma_default combine constant_or_null create_sort_key finalize make_type
      map_to_pg_oid remap_struct replace_type st_setcrs summary switch test_all_types
      test_vector_types timetz_byte_comparable variant_bytes_to_variant variant_normalize
      variant_to_parquet_variant vector_type
    `),
  ],
]

/** Why a function may not be called; `undefined` where it may. */
export function whyNotCallable(called: string, where: 'value' | 'from'): string | undefined {
  const name = folded(called)
  if (where === 'from' ? tableFunctions.has(name) : isCallable(name)) return undefined
  const found = refused.find(([, names]) => names.has(name))?.[0]
  if (found) return found
  return internal.test(name)
    ? 'it exposes settings, the catalog or the session of the engine'
    : 'unknown'
}

/** The function that a name which is on no list may mean. */
export function similarFunction(name: string, where: 'value' | 'from'): string | undefined {
  return nearest(name, where === 'from' ? [...tableFunctions] : callable)
}

function isCallable(name: string): boolean {
  if (computing.has(name) || clock.has(name) || estimates.has(name) || harmless.has(name))
    return true
  return chance.has(name) && !refused.some(([, names]) => names.has(name))
}
