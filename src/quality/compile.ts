import type { z } from 'zod'
import type { Rule, Severity } from '../define/model.js'
import { quoteName, quoteText, renderSql } from '../define/sql/sql.js'
import type { ColumnType } from '../define/types/column-type.js'
import { ownValue } from '../own-value.js'
import type { Dialect } from '../sql/dialect.js'
import type { Check } from './checks.js'
import { type CompiledColumn, compileColumn, FAILED, forced } from './column.js'
import { Context, type Host, type Layers, type Question, Workspace } from './functions.js'
import type { RawColumn } from './raw.js'

/** Columns of the relation that is checked, beside the raw values. */
const lineageColumns = [
  '_batch',
  '_source_file',
  '_source_line',
  '_error',
  '_raw',
  '_input',
  '_superseded',
  '_deleted',
] as const

export interface CheckedSchema {
  schema: z.ZodObject
  severity: Readonly<Record<string, Severity>>
  rules: readonly Rule[]
  key: readonly string[]
  cursor: string | undefined
  deleteWhen?: unknown
}

/** What is done where SQL of the user's has failed on some row. */
export interface Care {
  /** SQL that `deleteWhen` has failed on the row. */
  deleteFailed?: string
  /** Rules, by name, that are tried on each row by itself. */
  triedRules: ReadonlySet<string>
}

/** A pass after which JavaScript is asked. */
export interface Pass {
  /** SQL over what the pass before has given, with the answers as further columns. */
  over(relation: string): string
  questions: readonly Question[]
}

/** The checks of a dataset as one pass of SQL, or up to three where JavaScript has a say. */
export interface CompiledChecks {
  /** The schema's columns, and whether a value is just what came. */
  columns: { name: string; type: ColumnType; asIs: boolean }[]
  /** What comes before the last pass: the questions about columns, then those about rows. */
  passes: Pass[]
  /**
   * SQL over a relation with the raw values and {@link lineageColumns}, or over what the last of
   * `passes` gave, with its answers. It gives the columns of the
   * schema, the lineage, and three lists of reasons, NULL when empty: `_reasons` (discard),
   * `_warnings`, `_failures` (the step must fail); `_doubtful` holds for all rows that have any,
   * and is quicker to ask for.
   */
  over(relation: string): string
}

/**
 * Compiles a schema and its rules to SQL.
 *
 * @param raw SQL for each column's raw value, over the relation that will be checked.
 * @param host what will run the SQL: it is told of the JavaScript that the SQL calls.
 */
export function compileChecks(
  checked: CheckedSchema,
  raw: Readonly<Record<string, RawColumn>>,
  host: Host,
  care: Care = { triedRules: new Set() },
): CompiledChecks {
  const workspace = new Workspace(host)
  const columns = Object.entries(checked.schema.shape).map(([name, schema]) =>
    compileColumn(name, schema as z.ZodType, raw[name] as RawColumn, new Context(workspace)),
  )
  const { questions, asking, answered } = workspace
  const { dialect } = host
  const asked = (relation: string) => layered(relation, asking)
  const first = { over: (relation: string) => `SELECT * FROM ${asked(relation)}`, questions }
  const before = questions.length > 0 ? [first] : []
  const values = (relation: string) => {
    const known = questions.length > 0 ? relation : asked(relation)
    return valuesSql(checked, columns, layered(known, answered), care, dialect)
  }
  const bound = new Map([...asking, ...answered].flat().map(({ alias, sql }) => [alias, sql]))
  const result = {
    columns: columns.map(({ name, type, value }) => {
      return { name, type, asIs: (bound.get(value) ?? value) === raw[name]?.sql }
    }),
  }
  if ((checked.schema._zod.def.checks ?? []).length === 0)
    return {
      ...result,
      passes: before,
      over: (relation) => withRules(values(relation), columns, checked, care, dialect),
    }
  return {
    ...result,
    passes: [...before, rowPass(values, columns, dialect)],
    over: (relation) =>
      withRules(withRowReasons(relation, dialect), columns, checked, care, dialect),
  }
}

function layered(relation: string, layers: Layers): string {
  return layers.reduce(
    (from, layer) =>
      `(SELECT *, ${layer.map(({ alias, sql }) => `${sql} AS ${alias}`).join(',\n  ')}\nFROM ${from})`,
    relation,
  )
}

function valuesSql(
  { severity, key, cursor, deleteWhen }: CheckedSchema,
  columns: readonly CompiledColumn[],
  relation: string,
  { deleteFailed }: Care,
  dialect: Dialect,
): string {
  const { lists, texts } = dialect
  const ofRow = deleteFailed ? [{ fails: deleteFailed, reason: `deleteWhen: ${FAILED}` }] : []
  const reasonsOf = (wanted: Severity) =>
    columns.map((column) => {
      const given = ownValue(severity, column.name) ?? 'discard'
      const ofType = given === 'fail' ? 'fail' : 'discard'
      return {
        checks: [
          ...(ofType === wanted ? column.typeChecks : []),
          ...(given === wanted ? column.checks : []),
        ],
        more: given === wanted ? column.moreReasons : undefined,
      }
    })
  const typeChecks = [...ofRow, ...columns.flatMap((column) => column.typeChecks)]
  const unreadable = typeChecks.map(({ fails }) => `(${fails})`)
  const list = (wanted: Severity) =>
    reasonList(dialect, [
      ...(wanted === 'discard' ? [{ checks: ofRow }] : []),
      ...reasonsOf(wanted),
    ])
  const doubts = columns.flatMap(({ checks, moreReasons }) => [
    ...checks.map(({ fails }) => `(${fails})`),
    ...(moreReasons ? [`(${moreReasons}) IS NOT NULL`] : []),
  ])
  const computed = columns.flatMap((column) => column.forced ?? [])
  if (deleteWhen !== undefined) computed.push(forced('_deleted', dialect))
  // Of a row that says that its key is gone, only key and cursor must be readable.
  const telling = columns.filter(({ name }) => key.includes(name) || name === cursor)
  const ofDeleted = reasonList(
    dialect,
    telling.map(({ typeChecks, checks, moreReasons }) => ({
      checks: [...typeChecks, ...checks],
      more: moreReasons,
    })),
  )
  const place = "CASE WHEN _source_line = 0 THEN 'file: ' ELSE 'line: ' END"
  const broken = lists.of(texts.join([place, '_error']))
  return `(SELECT ${lineageColumns.join(', ')},
  ${columns.map((c) => `${c.value} AS ${quoteName(c.name)}`).join(',\n  ')},
  _error IS NOT NULL${unreadable.map((u) => ` OR ${u}`).join('')} AS _unreadable,
  CASE WHEN _error IS NOT NULL THEN ${broken} WHEN _deleted THEN ${ofDeleted} ELSE ${list('discard')} END AS _reasons0,
  CASE WHEN _error IS NULL AND NOT _deleted THEN ${list('warn')} END AS _warnings0,
  CASE WHEN _error IS NULL AND NOT _deleted THEN ${list('fail')} END AS _failures0,
  ${['_error IS NOT NULL', ...unreadable, ...doubts, ...computed].join(' OR ')} AS _doubtful0
FROM ${relation})`
}

/** As Zod does, the row as a whole is only looked at when each of its columns is good. */
function rowPass(
  values: (relation: string) => string,
  columns: readonly CompiledColumn[],
  { json, values: { text } }: Dialect,
): Pass {
  // JSON's numbers would drop the zeros of a decimal, which is a text in TypeScript.
  const value = ({ name: column, type }: CompiledColumn) =>
    type.kind === 'decimal' ? text(quoteName(column)) : quoteName(column)
  const row = json.object(columns.map((column) => [column.name, value(column)] as const))
  const good = '_reasons0 IS NULL AND NOT _unreadable AND NOT _deleted'
  return {
    over: (relation) =>
      `SELECT *, CASE WHEN ${good} THEN ${row} END AS _row FROM ${values(relation)}`,
    questions: [{ of: null, text: '_row', answer: '_said' }],
  }
}

function withRowReasons(relation: string, { json, rows }: Dialect): string {
  const columns = rows.replacing([
    ['_reasons0', `coalesce(_reasons0, ${json.texts('_said')})`],
    ['_doubtful0', '_doubtful0 OR _said IS NOT NULL'],
  ])
  return `(SELECT ${columns} FROM ${relation})`
}

interface Reasons {
  checks: readonly Check[]
  more?: string | undefined
}

/** A list of the reasons that apply; the list is only built for rows that fail some check. */
function reasonList({ lists, values }: Dialect, groups: readonly Reasons[]): string {
  const checks = groups.flatMap((group) => group.checks)
  const more = groups.flatMap((group) => (group.more ? [group.more] : []))
  const further = more.map((m) => lists.orEmpty(m))
  const any = [...checks.map((c) => `(${c.fails})`), ...more.map((m) => `(${m}) IS NOT NULL`)]
  if (any.length === 0) return lists.none
  const cases = checks.map((c) => `CASE WHEN ${c.fails} THEN ${quoteText(c.reason)} END`)
  const simple = lists.present(cases, values.type({ kind: 'string' }))
  const all = [simple, ...further].reduce((a, b) => lists.concat(a, b))
  return `CASE WHEN ${any.join(' OR ')} THEN ${all} END`
}

function withRules(
  values: string,
  columns: readonly CompiledColumn[],
  { rules }: CheckedSchema,
  { triedRules }: Care,
  dialect: Dialect,
): string {
  const { lists, values: valueSql } = dialect
  const names = columns.map((c) => quoteName(c.name)).join(', ')
  const isTried = rules.map(({ name }) => triedRules.has(name))
  const validated = rules.map(({ condition }, i) =>
    isTried[i]
      ? `${valueSql.attempt(renderSql(condition))} AS _tried${i}`
      : `NOT (\n${renderSql(condition)}\n) AS _rule${i}`,
  )
  const found = rules.map((_, i) => (isTried[i] ? `NOT (_tried${i}.v)` : `_rule${i}`))
  const failed = rules.map((_, i) => (isTried[i] ? `_tried${i} IS NULL` : 'false'))
  const merged = (wanted: Severity, column: string) => {
    const mine = rules.flatMap((rule, i) =>
      rule.severity === wanted
        ? [
            {
              fails: `${found[i]} AND NOT _unreadable AND NOT _deleted`,
              reason: `rule: ${rule.name}`,
            },
            ...(isTried[i]
              ? [
                  {
                    fails: `${failed[i]} AND NOT _unreadable AND NOT _deleted`,
                    reason: `rule: ${rule.name}: ${FAILED}`,
                  },
                ]
              : []),
          ]
        : [],
    )
    if (mine.length === 0) return `${column}0 AS ${column}`
    const ofRules = reasonList(dialect, [{ checks: mine }])
    // Lists are not touched for the many rows that have none.
    return `CASE WHEN ${column}0 IS NULL THEN ${ofRules} ELSE ${lists.concat(`${column}0`, lists.orEmpty(ofRules))} END AS ${column}`
  }
  const relation = validated.length ? `(SELECT *, ${validated.join(', ')} FROM ${values})` : values
  return `SELECT ${lineageColumns.join(', ')}, ${names},
  ${merged('discard', '_reasons')}, ${merged('warn', '_warnings')}, ${merged('fail', '_failures')},
  ${['_doubtful0', ...found, ...failed.filter((_, i) => isTried[i])].join(' OR ')} AS _doubtful
FROM ${relation}`
}
