import { quoteName, quoteText } from '../../../define/sql/sql.js'
import { sqlType } from '../../../define/types/sql-type.js'
import type {
  AggregateDialect,
  Dialect,
  JoinOn,
  JsonDialect,
  ListDialect,
  PatternDialect,
  RowDialect,
  TextDialect,
  TimeDialect,
  ValueDialect,
} from '../../../sql/dialect.js'

const named = (fields: readonly (readonly [name: string, value: string])[]) =>
  fields.map(([name, value]) => `${quoteName(name)} := ${value}`).join(', ')

const values: ValueDialect = {
  type: sqlType,
  wholeType: 'HUGEINT',
  whole: (number) => `CAST(${number} AS HUGEINT)`,
  tryCast: (value, type) => `TRY_CAST(${value} AS ${type})`,
  text: (value) => `CAST(${value} AS VARCHAR)`,
  // As the body of a lambda: otherwise what comes twice in it would be computed once, before TRY.
  attempt: (expression) =>
    `TRY(struct_pack(v := list_transform([0], lambda _once: (\n${expression}\n))[1]))`,
  hash: (...all) => `hash(${all.join(', ')})`,
  isFinite: (double) => `isfinite(${double})`,
  isNaN: (double) => `isnan(${double})`,
  quotient: (number, by) => `${number} // ${by}`,
  struct: (fields) => `struct_pack(${named(fields)})`,
  fail: (message) => `error(${message})`,
}

const texts: TextDialect = {
  length: (text) => `length(${text})`,
  bytes: (text) => `strlen(${text})`,
  utf8: (text) => `encode(${text})`,
  md5: (text) => `md5(${text})`,
  characters: (codes) => codes.map((code) => `chr(${code})`).join('||'),
  contains: (text, part) => `contains(${text}, ${part})`,
  startsWith: (text, part) => `starts_with(${text}, ${part})`,
  endsWith: (text, part) => `ends_with(${text}, ${part})`,
  slice: (text, from, length) =>
    `substr(${text}, ${from}${length === undefined ? '' : `, ${length}`})`,
  first: (text, length) => `left(${text}, ${length})`,
  last: (text, length) => `right(${text}, ${length})`,
  position: (text, part) => `strpos(${text}, ${part})`,
  before: (text, mark) => `split_part(${text}, ${quoteText(mark)}, 1)`,
  trim: (text, characters) => `trim(${text}, ${characters})`,
  replace: (text, part, by) => `replace(${text}, ${part}, ${by})`,
  join: (parts) => `concat(${parts.join(', ')})`,
  joinBy: (separator, parts) => `concat_ws(${quoteText(separator)}, ${parts.join(', ')})`,
}

const patterns: PatternDialect = {
  matches: (text, pattern) => `regexp_full_match(${text}, ${quoteText(pattern)})`,
  finds: (text, pattern) => `regexp_matches(${text}, ${quoteText(pattern)})`,
  extract: (text, pattern, group) => `regexp_extract(${text}, ${quoteText(pattern)}, ${group})`,
  extractAll: (text, pattern, names) =>
    `regexp_extract(${text}, ${quoteText(pattern)}, [${names.map(quoteText).join(', ')}])`,
  without: (text, pattern) => `regexp_replace(${text}, ${quoteText(pattern)}, '', 'g')`,
  replaceFirst: (text, pattern, by) =>
    `regexp_replace(${text}, ${quoteText(pattern)}, ${quoteText(by.replaceAll('\\', '\\\\'))})`,
}

const times: TimeDialect = {
  parse: (text, format) => `try_strptime(${text}, ${quoteText(format)})`,
  inZone: (zone, time) => `timezone(${zone}, ${time})`,
  isZone: (name) => `${name} IN (SELECT name FROM pg_timezone_names())`,
  fromDays: (days) => `DATE '1970-01-01' + CAST(${days} AS INTEGER)`,
  fromMicros: (micros) => `make_timestamp(${micros})`,
  minutes: (number) => `to_minutes(${number})`,
  days: (number) => `INTERVAL ${number} DAY`,
  micros: (number) => `INTERVAL ${number} MICROSECOND`,
  seconds: (time) => `epoch(${time})`,
  millis: (time) => `epoch_ms(${time})`,
  weekday: (time) => `strftime(${time}, '%a')`,
}

const lists: ListDialect = {
  present: (items, type) =>
    `list_filter([${items.join(', ')}]::${type}[], lambda x: x IS NOT NULL)`,
  concat: (one, other) => `list_concat(${one}, ${other})`,
  orEmpty: (list) => `coalesce(${list}, [])`,
  none: 'CAST(NULL AS VARCHAR[])',
  of: (...items) => `[${items.join(', ')}]`,
  some: (list, condition) => `len(list_filter(${list}, lambda r: ${condition('r')})) > 0`,
  at: (list, place) => `${list}[${place}]`,
  each: (list) => `unnest(${list})`,
}

const json: JsonDialect = {
  text: (value) => `CAST(to_json(${value}) AS VARCHAR)`,
  object: (fields) => `CAST(to_json(struct_pack(${named(fields)})) AS VARCHAR)`,
  value: (text, type) => `CAST(CAST(${text} AS JSON) AS ${type})`,
  texts: (text) => `from_json(${text}, '["VARCHAR"]')`,
}

const aggregates: AggregateDialect = {
  frequent: (value, rows, most) =>
    `CAST(to_json(list_transform(min({'less': -${rows}, 'value': ${value}}, ${most}), lambda x: {'rows': -x.less, 'value': x.value})) AS VARCHAR)`,
  any: (condition) => `bool_or(${condition})`,
  all: (condition) => `bool_and(${condition})`,
  maxBy: (value, by) => `arg_max(${value}, ${by})`,
  list: (value) => `list(${value})`,
  checksum: (row) => `bit_xor(hash(${row}))`,
}

const joined = (on: JoinOn) => ('using' in on ? `USING (${on.using})` : `ON ${on.on}`)

const rows: RowDialect = {
  number: 'rowid',
  except: (columns) => `* EXCLUDE (${columns.join(', ')})`,
  replacing: (columns) =>
    `* REPLACE (${columns.map(([name, value]) => `${value} AS ${name}`).join(', ')})`,
  semiJoin: (one, other, on) => `${one} SEMI JOIN ${other} ${joined(on)}`,
  antiJoin: (one, other, on) => `${one} ANTI JOIN ${other} ${joined(on)}`,
  union: (queries) => queries.join('\nUNION ALL BY NAME\n'),
  qualify: (columns, from, condition) => `SELECT ${columns} FROM ${from} QUALIFY ${condition}`,
}

/** DuckDB's own SQL. */
export const duckdbDialect: Dialect = {
  values,
  texts,
  patterns,
  times,
  lists,
  json,
  aggregates,
  rows,
}
