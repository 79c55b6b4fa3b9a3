import { z } from 'zod'
import type { SqlValue } from '../define/model.js'
import { literal, quoteText } from '../define/sql/sql.js'
import type { ColumnType } from '../define/types/column-type.js'
import { readingOf } from '../define/types/reading.js'
import { columnTypeOf, defOf } from '../define/types/schema.js'
import type { Dialect } from '../sql/dialect.js'
import { applyCheck, type Check, checkDefs, type Flow, NeedsJavaScript } from './checks.js'
import type { Context } from './functions.js'
import { decode, isText } from './grammar.js'
import { absentValues, inputTypeOf } from './javascript.js'
import { compareNumbers, isNumber } from './known.js'
import { decodeRaw, decodesAsIs, isNested, notOne, type RawColumn, withoutNulls } from './raw.js'

/** What to say of a row on which SQL of the user's fails. */
export const FAILED = 'its SQL fails on this row'

/** SQL that is never true, but computes what is in it. */
export function forced(sql: string, { values }: Dialect): string {
  return `${values.hash(sql)} IS NULL`
}

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
  /**
   * SQL that is never true, but computes the value: where it fails, that must not depend on who
   * looks.
   */
  forced?: string
}

export function compileColumn(
  name: string,
  schema: z.ZodType,
  given: RawColumn,
  context: Context,
): CompiledColumn {
  const type = columnTypeOf(schema)
  const inputType = inputTypeOf(schema)
  const reading = readingOf(schema)
  const raw = withoutNulls(given, inputType, reading, context)
  const { value: read, isNone, doubts = [] } = decodeRaw(raw, inputType, reading, context)
  const decoded = context.bind(read)
  const unreadable: Check = {
    fails: `${raw.sql} IS NOT NULL AND ${isNone === undefined ? `${decoded} IS NULL` : `(${isNone})`}`,
    reason: notOne(inputType, reading),
  }
  // What is a value of the type already can't fail to be read as one.
  const certain = isText(inputType) || isNested(inputType) || decodesAsIs(raw, inputType)
  const failed = raw.failed === undefined ? [] : [{ fails: raw.failed, reason: FAILED }]
  const typeChecks = [...failed, ...(certain ? [] : [unreadable, ...doubts])]
  try {
    if (isNested(inputType)) throw new NeedsJavaScript('nested')
    const flow = compileNode(schema, { value: decoded, checks: [] }, type, context)
    const missing = onMissing(schema, type, context.dialect)
    const mayFail = flow.checks.filter((check) => !isProved(check, raw, inputType, decoded))
    const checks = mayFail.map((check) => ({
      ...check,
      fails: `${decoded} IS NOT NULL AND (${check.fails})`,
    }))
    if (missing === undefined && raw.known?.nulls !== 0)
      typeChecks.push({
        fails: `${raw.sql} IS NULL${raw.failed ? ` AND NOT ${raw.failed}` : ''}`,
        reason: 'required, but it is missing',
      })
    const value =
      missing === undefined || missing === 'NULL'
        ? flow.value
        : `CASE WHEN ${raw.sql} IS NULL THEN ${missing} ELSE ${flow.value} END`
    const asked = prefixed(name, typeChecks, checks)
    const isComputed = given.computed && typeChecks.length + checks.length === 0
    return {
      name,
      type,
      value,
      ...asked,
      ...(isComputed ? { forced: forced(given.sql, context.dialect) } : {}),
    }
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

/** SQL for the value when the input has none; `undefined` when a value is required. */
function onMissing(schema: z.ZodType, type: ColumnType, dialect: Dialect): string | undefined {
  for (const absent of absentValues(schema)) {
    const result = z.safeParse(schema, absent)
    if (result.success) return typedLiteral(result.data, type, dialect)
  }
  return undefined
}

function typedLiteral(value: unknown, type: ColumnType, { values }: Dialect): string {
  if (value === null || value === undefined) return 'NULL'
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return `CAST(${quoteText(text)} AS ${values.type(type)})`
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
    const [given, wanted] = [inputTypeOf(first), type].map(context.dialect.values.type)
    if (given !== wanted) throw new NeedsJavaScript('pipe')
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
  const { json, texts, values } = context.dialect
  const asked = context.bind(values.text(decoded))
  const answer = context.ask(name, asked)
  const text = `CASE WHEN ${answer} = '=' THEN ${asked} WHEN ${texts.startsWith(answer, "'+'")} THEN ${texts.slice(answer, 2)} END`
  const value = isText(type)
    ? text
    : isNested(type)
      ? json.value(text, values.type(type))
      : decode(text, type, context.dialect)
  const unreadable = typeChecks.map(({ fails }) => `(${fails})`).join(' OR ')
  const reasons = json.texts(texts.slice(answer, 2))
  const guard = `${texts.startsWith(answer, "'-'")}${unreadable ? ` AND NOT (${unreadable})` : ''}`
  return {
    name,
    type,
    value: context.bind(value),
    ...prefixed(name, typeChecks, []),
    moreReasons: `CASE WHEN ${guard} THEN ${reasons} END`,
  }
}
