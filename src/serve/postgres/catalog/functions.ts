import { quoteText } from '../../../define/sql/sql.js'
import { SERVER_VERSION } from '../sql/settings.js'
import type { Token } from '../sql/tokens.js'
import { pgTypes } from '../types/pg-type.js'
import { numberOf, partsOf, tableNumber } from './names.js'
import { DATABASE, type Visible } from './visible.js'

/** What functions are rewritten with. */
export interface FunctionContext {
  visible: Visible
  /** The name of a relation of `pg_catalog`, which is then part of the statement. */
  relation: (name: string) => string
  /** The value of a parameter, where it is known and a text. */
  constantOf: (token: Token) => string | undefined
}

/** `undefined` where a call stays as it is. */
type Rewrite = (args: readonly string[], context: FunctionContext) => string | undefined

const constant =
  (sql: string): Rewrite =>
  () =>
    sql
const NO_TEXT = constant('CAST(NULL AS VARCHAR)')
const NO_NUMBER = constant('CAST(NULL AS BIGINT)')
const TRUE = constant('true')
const names = (text: string, rewrite: Rewrite) =>
  Object.fromEntries(
    text
      .trim()
      .split(/\s+/)
      .map((name) => [name, rewrite]),
  )

/** Privileges that nobody has here: everything is only read. */
const CHANGES = /insert|update|delete|truncate|create|trigger|references|temp/i

const privilege: Rewrite = (args) =>
  args.some((arg) => arg.startsWith("'") && CHANGES.test(arg)) ? 'false' : 'true'

/** Columns of catalogs with transactions, of which there are none here. */
const TRANSACTION = /(?:^|\.)"?\w*(?:frozenxid|minmxid|_xid|xmin)"?$/i

/** Of a transaction; that between two times is the engine's own. */
const age: Rewrite = ([of = '', ...more]) =>
  more.length === 0 && TRANSACTION.test(of) ? 'CAST(NULL AS BIGINT)' : undefined

const isVisible: Rewrite = ([oid = 'NULL'], { visible }) => {
  const hidden = visible.tables.filter((table) => !table.isVisible).map((table) => table.oid)
  return hidden.length === 0 ? 'true' : `((${oid}) NOT IN (${hidden.join(', ')}))`
}

/** `format_type(oid, typmod)`, for the types that there are. */
const formatType: Rewrite = ([oid = 'NULL', modifier = 'NULL']) => {
  const types = Object.values(pgTypes)
  const titles = types.flatMap(({ oid: number, array, title }) => [
    `WHEN ${number} THEN ${quoteText(title)}`,
    ...(array === 0 ? [] : [`WHEN ${array} THEN ${quoteText(`${title}[]`)}`]),
  ])
  const { oid: numeric, array } = pgTypes.numeric
  const digits = `((${modifier}) - 4)`
  const size = `'(' || (${digits} // 65536) || ',' || (${digits} % 65536) || ')'`
  const sized = `CASE (${oid}) WHEN ${numeric} THEN 'numeric' || ${size} ELSE 'numeric' || ${size} || '[]' END`
  return `(CASE WHEN (${oid}) IN (${numeric}, ${array}) AND (${modifier}) >= 4 THEN ${sized} ELSE CASE (${oid}) ${titles.join(' ')} ELSE '???' END END)`
}

const described =
  (part: (args: readonly string[]) => string): Rewrite =>
  (args, { relation }) =>
    `(SELECT max(d.description) FROM ${relation('pg_description')} AS d WHERE d.objoid = (${args[0]}) AND d.objsubid = (${part(args)}))`

const searchPath: Rewrite = ([implicit], { visible: { path } }) => {
  const all = implicit && /true/i.test(implicit) ? ['pg_catalog', ...path] : path
  return `CAST([${all.map(quoteText).join(', ')}] AS VARCHAR[])`
}

const quoted: Rewrite = ([text = 'NULL']) =>
  `(CASE WHEN regexp_full_match(${text}, '[a-z_][a-z0-9_$]*') THEN ${text} ELSE '"' || replace(${text}, '"', '""') || '"' END)`

/**
 * Functions of PostgreSQL that the engine does not have, or that would tell of the engine: each as
 * SQL that it does have.
 */
const functions: Readonly<Record<string, Rewrite>> = {
  ...names(
    `pg_get_expr pg_get_constraintdef pg_get_indexdef pg_get_triggerdef pg_get_ruledef pg_get_viewdef
     pg_get_partkeydef pg_get_functiondef pg_get_function_result pg_get_function_arguments
     pg_get_function_identity_arguments pg_get_statisticsobjdef pg_get_statisticsobjdef_columns
     pg_get_serial_sequence pg_tablespace_location shobj_description inet_server_addr
     inet_client_addr pg_get_partition_constraintdef array_to_string_acl`,
    NO_TEXT,
  ),
  ...names(
    `pg_relation_size pg_total_relation_size pg_table_size pg_indexes_size pg_database_size
     pg_sequence_last_value pg_stat_get_live_tuples pg_tablespace_size`,
    NO_NUMBER,
  ),
  ...names(
    `pg_type_is_visible pg_function_is_visible pg_operator_is_visible pg_opclass_is_visible
     pg_collation_is_visible pg_ts_config_is_visible pg_statistics_obj_is_visible pg_has_role
     pg_try_advisory_lock pg_advisory_unlock`,
    TRUE,
  ),
  ...names(
    `has_table_privilege has_schema_privilege has_database_privilege has_column_privilege
     has_any_column_privilege has_function_privilege has_sequence_privilege has_type_privilege
     has_tablespace_privilege has_language_privilege has_foreign_data_wrapper_privilege
     has_server_privilege`,
    privilege,
  ),
  age,
  pg_table_is_visible: isVisible,
  pg_get_userbyid: (_, { visible }) => quoteText(visible.user),
  pg_advisory_unlock_all: constant("''"),
  pg_is_in_recovery: constant('false'),
  pg_relation_is_publishable: constant('false'),
  pg_relation_is_updatable: constant('0'),
  pg_is_other_temp_schema: constant('false'),
  pg_backend_pid: constant('CAST(1 AS INTEGER)'),
  pg_my_temp_schema: constant('CAST(0 AS BIGINT)'),
  pg_postmaster_start_time: constant('current_timestamp'),
  pg_conf_load_time: constant('current_timestamp'),
  pg_encoding_to_char: constant("'UTF8'"),
  pg_client_encoding: constant("'UTF8'"),
  pg_char_to_encoding: constant('6'),
  pg_get_keywords: constant('(SELECT 1)'),
  pg_size_pretty: ([bytes = 'NULL']) => `format_bytes(CAST(${bytes} AS BIGINT))`,
  txid_current: constant('CAST(1 AS BIGINT)'),
  inet_server_port: constant('CAST(NULL AS INTEGER)'),
  inet_client_port: constant('CAST(NULL AS INTEGER)'),
  format_type: formatType,
  obj_description: described(() => '0'),
  col_description: described(([, number = 'NULL']) => number),
  version: (_, { visible }) =>
    quoteText(
      `PostgreSQL ${SERVER_VERSION} on Moraine, a data lake (database ${visible.database})`,
    ),
  current_database: (_, { visible }) => quoteText(visible.database),
  current_schema: (_, { visible: { path } }) =>
    path[0] === undefined ? 'CAST(NULL AS VARCHAR)' : quoteText(path[0]),
  current_schemas: searchPath,
  current_setting: ([name = ''], { visible: { settings } }) => {
    const wanted = name.slice(1, -1).toLowerCase()
    const found = settings.find(([key]) => key.toLowerCase() === wanted)
    return found ? quoteText(found[1]) : 'CAST(NULL AS VARCHAR)'
  },
  set_config: ([, value = 'NULL']) => value,
  pg_typeof: ([value = 'NULL']) => `typeof(${value})`,
  to_regclass: ([name = ''], { visible }) =>
    name.startsWith("'")
      ? String(tableNumber(name.slice(1, -1), visible) ?? 'CAST(NULL AS BIGINT)')
      : 'CAST(NULL AS BIGINT)',
  to_regtype: ([name = ''], { visible }) => String(numberOf('regtype', name.slice(1, -1), visible)),
  parse_ident: ([name = 'NULL']) =>
    name.startsWith("'")
      ? `CAST([${partsOf(unquoted(name)).map(quoteText).join(', ')}] AS VARCHAR[])`
      : `string_split(${name}, '.')`,
  quote_ident: quoted,
  quote_literal: ([text = 'NULL']) => `('''' || replace(${text}, '''', '''''') || '''')`,
  array_upper: ([list = 'NULL']) => `nullif(len(${list}), 0)`,
  array_lower: ([list = 'NULL']) => `(CASE WHEN len(${list}) > 0 THEN 1 END)`,
  cardinality: ([list = 'NULL']) => `len(${list})`,
  json_build_object: (args) => `json_object(${args.join(', ')})`,
  jsonb_build_object: (args) => `json_object(${args.join(', ')})`,
  _pg_expandarray: constant('CAST(NULL AS STRUCT(x INTEGER, n INTEGER))'),
  oid: ([value = 'NULL']) => `CAST(${value} AS BIGINT)`,
  database_oid: constant(String(DATABASE)),
}

/** Words that are functions without parentheses. */
const words: Readonly<Record<string, string>> = {
  current_user: 'user',
  session_user: 'user',
  current_role: 'user',
  current_catalog: 'database',
}

/** Whether a call of a function is written otherwise for the engine. */
export const isRewritten = (name: string): boolean =>
  Object.hasOwn(words, name) || Object.hasOwn(functions, name)

/** A call of a function of PostgreSQL as SQL of the engine; `undefined` where it stays as it is. */
export function rewrittenCall(
  name: string,
  args: readonly string[],
  context: FunctionContext,
): string | undefined {
  const user = Object.hasOwn(words, name) ? words[name] : undefined
  if (user) return rewrittenWord(name, context)
  return Object.hasOwn(functions, name) ? functions[name]?.(args, context) : undefined
}

/** A word that means who asks, or what. */
export function rewrittenWord(
  name: string,
  { visible }: Pick<FunctionContext, 'visible'>,
): string | undefined {
  if (name === 'current_schema') return quoteTextOrNull(visible.path[0])
  const of = Object.hasOwn(words, name) ? words[name] : undefined
  return of && quoteText(of === 'user' ? visible.user : visible.database)
}

const unquoted = (constant: string) => constant.slice(1, -1).replaceAll("''", "'")

const quoteTextOrNull = (text: string | undefined) =>
  text === undefined ? 'CAST(NULL AS VARCHAR)' : quoteText(text)
