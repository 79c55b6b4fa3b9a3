import { z } from 'zod'
import { type ColumnType, typeName } from '../define/column-type.js'
import { columnTypeOf, defOf } from '../define/schema.js'
import { literal, quoteText, type SqlValue } from '../define/sql.js'
import { sqlType } from '../define/sql-type.js'
import { columnHints } from '../define/values.js'
import { applyCheck, type Check, checkDefs, type Flow, NeedsJavaScript } from './checks.js'
import type { Context } from './functions.js'
import { type DecodeOptions, decode, isText } from './grammar.js'
import { absentValues, inputTypeOf } from './javascript.js'
import { compareNumbers, isNumber, type Known } from './known.js'

/** A column compiled to SQL over its raw value. */
export interface CompiledColumn {
  name: string
  type: ColumnType
  /** SQL for the value as it is stored. */
  value: string
  /** Failures of reading the value: a row that has one can't be kept, whatever the severity. */
  typeChecks: Check[]
  checks: Check[]
  /** SQL that gives further reasons as a list of texts, or NULL. */
  moreReasons?: string
}

/** The raw value of a column: SQL for it and the engine's name of its type. */
export interface RawColumn {
  sql: string
  sqlType: string
  /** What is known of it in all rows. */
  known?: Known
}

export function compileColumn(
  name: string,
  schema: z.ZodType,
  raw: RawColumn,
  context: Context,
): CompiledColumn {
  const type = columnTypeOf(schema)
  const inputType = inputTypeOf(schema)
  const decoded = context.bind(decodeRaw(raw, inputType, optionsOf(schema)))
  const unreadable: Check = {
    fails: `${raw.sql} IS NOT NULL AND ${decoded} IS NULL`,
    reason: `not ${article(typeName(inputType))}${formatNote(schema)}`,
  }
  // What is a value of the type already can't fail to be read as one.
  const certain = isText(inputType) || isNested(inputType) || decodesAsIs(raw, inputType)
  const typeChecks = certain ? [] : [unreadable]
  try {
    if (isNested(inputType)) throw new NeedsJavaScript('nested')
    const flow = compileNode(schema, { value: decoded, checks: [] }, type, context)
    const missing = onMissing(schema, type)
    const doubtful = flow.checks.filter((check) => !isProved(check, raw, inputType, decoded))
    const checks = doubtful.map((check) => ({
      ...check,
      fails: `${decoded} IS NOT NULL AND (${check.fails})`,
    }))
    if (missing === undefined && raw.known?.nulls !== 0)
      typeChecks.push({ fails: `${raw.sql} IS NULL`, reason: 'required, but it is missing' })
    const value =
      missing === undefined || missing === 'NULL'
        ? flow.value
        : `CASE WHEN ${raw.sql} IS NULL THEN ${missing} ELSE ${flow.value} END`
    return { name, type, value, ...prefixed(name, typeChecks, checks) }
  } catch (error) {
    if (!(error instanceof NeedsJavaScript)) throw error
    return inJavaScript(name, decoded, type, typeChecks, context)
  }
}

/** Whether a check holds for all rows, as their least and greatest values show. */
function isProved({ interval }: Check, raw: RawColumn, type: ColumnType, decoded: string): boolean {
  const { min, max } = raw.known ?? {}
  if (interval?.of !== decoded || !decodesAsIs(raw, type)) return false
  if (min === undefined || max === undefined) return false
  const { low, high } = interval
  const least = low && isNumber(low.value) ? compareNumbers(min, low.value) : low ? -1 : 1
  const most = high && isNumber(high.value) ? compareNumbers(high.value, max) : high ? -1 : 1
  return (
    (least > 0 || (least === 0 && low?.inclusive === true)) &&
    (most > 0 || (most === 0 && high?.inclusive === true))
  )
}

function prefixed(name: string, typeChecks: Check[], checks: Check[]) {
  const named = (check: Check) => ({ ...check, reason: `${name}: ${check.reason}` })
  return { typeChecks: typeChecks.map(named), checks: checks.map(named) }
}

/** The engine's type of a column's values, where a value's usual text is one that the schema takes. */
export function valueType(schema: z.ZodType): string | undefined {
  const type = inputTypeOf(schema)
  const kinds = ['int', 'bigint', 'decimal', 'date', 'timestamp', 'timestamptz']
  const formats = optionsOf(schema).formats ?? []
  return kinds.includes(type.kind) && formats.length === 0 ? sqlType(type) : undefined
}

function isNested(type: ColumnType): boolean {
  return type.kind === 'list' || type.kind === 'struct'
}

function article(noun: string): string {
  return /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`
}

function formatNote(schema: z.ZodType): string {
  const formats = optionsOf(schema).formats ?? []
  return formats.length > 0 ? ` written as ${formats.join(' or ')}` : ''
}

function decodesAsIs(raw: RawColumn, type: ColumnType): boolean {
  return raw.sqlType === sqlType(type)
}

/** A raw value as the schema's type: typed inputs pass when nothing can be lost, else as text. */
function decodeRaw(raw: RawColumn, type: ColumnType, options: DecodeOptions): string {
  const target = sqlType(type)
  if (isNested(type))
    return raw.sqlType === 'VARCHAR' ? raw.sql : `CAST(to_json(${raw.sql}) AS VARCHAR)`
  if (raw.sqlType === target) return raw.sql
  if (raw.sqlType === 'VARCHAR') return decode(raw.sql, type, options)
  if (widens(raw.sqlType, target)) return `CAST(${raw.sql} AS ${target})`
  return decode(`CAST(${raw.sql} AS VARCHAR)`, type, { ...options, formats: [] })
}

const integers = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT']

function widens(from: string, to: string): boolean {
  if (from === 'DATE') return to === 'TIMESTAMP'
  if (from === 'FLOAT') return to === 'DOUBLE'
  return integers.includes(from) && integers.indexOf(to) > integers.indexOf(from)
}

/** Hints given to a schema, also when it is wrapped by `.optional()` and the like. */
function optionsOf(schema: z.ZodType): DecodeOptions {
  if ('formats' in schema) return { formats: schema.formats as readonly string[] }
  const hint = columnHints.get(schema)
  if (hint) return hint
  const def = defOf(schema)
  if (def.type === 'union') return optionsOf(def.options[0])
  const inner = def.innerType ?? (def.type === 'pipe' ? def.in : undefined)
  return inner ? optionsOf(inner) : {}
}

/** SQL for the value when the input has none; `undefined` when a value is required. */
function onMissing(schema: z.ZodType, type: ColumnType): string | undefined {
  for (const absent of absentValues(schema)) {
    const result = z.safeParse(schema, absent)
    if (result.success) return typedLiteral(result.data, type)
  }
  return undefined
}

function typedLiteral(value: unknown, type: ColumnType): string {
  if (value === null || value === undefined) return 'NULL'
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return `CAST(${quoteText(text)} AS ${sqlType(type)})`
}

type Node = (schema: z.ZodType, flow: Flow, type: ColumnType, context: Context) => Flow

const compileNode: Node = (schema, flow, type, context) => {
  const def = defOf(schema)
  const inner = nodes[def.type]
  if (!inner) throw new NeedsJavaScript(def.type)
  const inside = inner(schema, flow, type, context)
  return checkDefs(schema).reduce((f, check) => applyCheck(f, check, type, context), inside)
}

const plain: Node = (_schema, flow) => flow
const wrapped: Node = (schema, flow, type, context) =>
  compileNode(defOf(schema).innerType, flow, type, context)

const nodes: Record<string, Node> = {
  string: plain,
  number: plain,
  bigint: plain,
  boolean: plain,
  custom: (schema, flow) => {
    if (!('columnType' in schema)) throw new NeedsJavaScript('custom')
    return flow
  },
  optional: wrapped,
  nullable: wrapped,
  default: wrapped,
  prefault: wrapped,
  nonoptional: wrapped,
  readonly: wrapped,
  enum: (schema, flow) => oneOf(flow, Object.values(defOf(schema).entries)),
  literal: (schema, flow) => oneOf(flow, defOf(schema).values),
  pipe: (schema, flow, type, context) => {
    const { in: first, out } = defOf(schema)
    if (defOf(first).type === 'transform' || defOf(out).type === 'transform')
      throw new NeedsJavaScript('transform')
    if (sqlType(inputTypeOf(first)) !== sqlType(type)) throw new NeedsJavaScript('pipe')
    return compileNode(out, compileNode(first, flow, type, context), type, context)
  },
  union: (schema, flow, type, context) => {
    const options: Flow[] = defOf(schema).options.map((option: z.ZodType) =>
      compileNode(option, { value: flow.value, checks: [] }, type, context),
    )
    const passes = (option: Flow) =>
      option.checks.map((check) => `NOT (${check.fails})`).join(' AND ') || 'true'
    const cases = options.map((option) => `WHEN ${passes(option)} THEN ${option.value}`)
    const fails = options.map((option) => `NOT (${passes(option)})`).join(' AND ')
    const reason = 'fits none of its alternatives'
    const value = context.bind(`CASE ${cases.join(' ')} END`)
    return { value, checks: [...flow.checks, { fails, reason }] }
  },
}

function oneOf(flow: Flow, values: readonly unknown[]): Flow {
  const shown = values.slice(0, 8).join(', ') + (values.length > 8 ? ', …' : '')
  const fails = `${flow.value} NOT IN (${values.map((v) => literal(v as SqlValue)).join(', ')})`
  return { value: flow.value, checks: [...flow.checks, { fails, reason: `not one of ${shown}` }] }
}

/** The whole column checked by Zod itself, in JavaScript, over the decoded value's text. */
function inJavaScript(
  name: string,
  decoded: string,
  type: ColumnType,
  typeChecks: Check[],
  context: Context,
): CompiledColumn {
  const asked = context.bind(`CAST(${decoded} AS VARCHAR)`)
  const answer = context.ask(name, asked)
  const text = `CASE WHEN ${answer} = '=' THEN ${asked} WHEN starts_with(${answer}, '+') THEN substr(${answer}, 2) END`
  const value = isText(type)
    ? text
    : isNested(type)
      ? `CAST(CAST(${text} AS JSON) AS ${sqlType(type)})`
      : decode(text, type)
  const unreadable = typeChecks.map(({ fails }) => `(${fails})`).join(' OR ')
  const reasons = `from_json(substr(${answer}, 2), '["VARCHAR"]')`
  const guard = `starts_with(${answer}, '-')${unreadable ? ` AND NOT (${unreadable})` : ''}`
  return {
    name,
    type,
    value: context.bind(value),
    ...prefixed(name, typeChecks, []),
    moreReasons: `CASE WHEN ${guard} THEN ${reasons} END`,
  }
}
