import type { z } from 'zod'
import * as zod from 'zod'
import { literal, quoteText } from '../define/sql/sql.js'
import type { ColumnType } from '../define/types/column-type.js'
import type { BoundCheck } from '../define/types/values.js'
import type { Dialect } from '../sql/dialect.js'
import type { Context } from './functions.js'
import { toRe2 } from './regex.js'

/** A condition under which a value fails, as SQL, and how the failure reads. */
export interface Check {
  fails: string
  reason: string
  /** Where it only asks that a number is within bounds: of what, and which. */
  interval?: Interval
}

export interface Interval {
  /** SQL for the number. */
  of: string
  low?: Limit
  high?: Limit
}

interface Limit {
  value: string
  inclusive: boolean
}

/** A value on its way through a schema's checks: SQL for it, and the checks so far. */
export interface Flow {
  value: string
  checks: Check[]
}

/** Thrown when a check has no exact SQL; the whole column is then checked in JavaScript. */
export class NeedsJavaScript extends Error {}

type CheckDef = { check: string; [key: string]: any }

export function checkDefs(schema: z.ZodType): CheckDef[] {
  const def = schema._zod.def as unknown as CheckDef & { checks?: { _zod: { def: CheckDef } }[] }
  const own = def.check ? [def] : []
  return [...own, ...(def.checks ?? []).map((check) => check._zod.def)]
}

/** Threads a value through one check. */
export function applyCheck(flow: Flow, def: CheckDef, type: ColumnType, js: Context): Flow {
  const apply = appliers[def.check]
  if (!apply) throw new NeedsJavaScript(def.check)
  return apply(flow, def, type, js)
}

type Applier = (flow: Flow, def: CheckDef, type: ColumnType, js: Context) => Flow

function failing(
  flow: Flow,
  def: CheckDef,
  fails: string,
  usual: string,
  within?: Omit<Interval, 'of'>,
): Flow {
  const interval = within ? { interval: { of: flow.value, ...within } } : {}
  const check = { fails, reason: messageFor(def, usual), ...interval }
  return { value: flow.value, checks: [...flow.checks, check] }
}

/** One end of an interval, by an operator: `>=`, `>`, `<=`, `<`. */
function oneEnd(operator: string, value: string): Omit<Interval, 'of'> {
  const limit = { value, inclusive: operator.endsWith('=') }
  return operator.startsWith('>') ? { low: limit } : { high: limit }
}

/** The message the user gave with the check, if it is a fixed one. */
function messageFor(def: CheckDef, usual: string): string {
  if (typeof def.error === 'string') return def.error
  try {
    const said = def.error?.({ code: 'custom', input: undefined, path: [] })
    return typeof said === 'string' ? said : (said?.message ?? usual)
  } catch {
    return usual
  }
}

function bound(operator: string, inclusive: boolean, words: string): Applier {
  return (flow, def, type, { dialect }) => {
    const limit = numberLiteral(def.value, type, dialect)
    const full = `${operator}${inclusive || def.inclusive ? '=' : ''}`
    const holds = `${flow.value} ${full} ${limit}`
    const or = def.inclusive
      ? `must be at ${words === 'more' ? 'least' : 'most'}`
      : `must be ${words} than`
    const end = oneEnd(full, String(def.value))
    return failing(flow, def, `NOT (${holds})`, `${or} ${def.value}`, end)
  }
}

function numberLiteral(value: number | bigint, type: ColumnType, { values }: Dialect): string {
  if (type.kind === 'double') return `CAST(${quoteText(String(value))} AS DOUBLE)`
  if (typeof value === 'bigint' || Number.isInteger(value)) return values.whole(BigInt(value))
  throw new NeedsJavaScript('a fractional bound of a whole number')
}

const characters = (n: number) => (n === 1 ? '1 character' : `${n} characters`)

function lengthCheck(operator: string, limit: string, words: string): Applier {
  return (flow, def, type, { dialect }) => {
    if (type.kind === 'list') throw new NeedsJavaScript('a list')
    // Zod counts code points since 4.6, and so does SQL.
    const fails = `NOT (${dialect.texts.length(flow.value)} ${operator} ${def[limit]})`
    return failing(flow, def, fails, `${words} ${characters(def[limit])}`)
  }
}

const sourceOf = (check: unknown) => String((check as { _zod: { def: CheckDef } })._zod.def.tx)
const overwrites = {
  trim: sourceOf(zod.core._trim()),
  lower: sourceOf(zod.core._toLowerCase()),
  upper: sourceOf(zod.core._toUpperCase()),
}
// String.prototype.trim: white space and line ends of ECMAScript (sections 12.2 and 12.3), in
// ASCII.
const ASCII_SPACE = [9, 10, 11, 12, 13]

const overwrite: Applier = (flow, def, _type, js) => {
  const tx = def.tx as (text: string) => string
  const source = String(tx)
  const call = (text: string | null) => (text === null ? null : tx(text))
  const through = (ascii: string) => ({
    ...flow,
    value: js.bind(js.asciiOr(flow.value, ascii, call)),
  })
  if (source === overwrites.trim) {
    // All white space of ASCII sorts before `!`; to cut it off takes longer than to look for it.
    const { value } = flow
    const { texts } = js.dialect
    const some = `${value} < '!' OR ${texts.last(value, 1)} < '!'`
    const cut = texts.trim(value, `${texts.characters(ASCII_SPACE)}||' '`)
    return through(`CASE WHEN ${some} THEN ${cut} ELSE ${value} END`)
  }
  if (source === overwrites.lower) return through(`lower(${flow.value})`)
  if (source === overwrites.upper) return through(`upper(${flow.value})`)
  throw new NeedsJavaScript('overwrite')
}

const EMAIL = String(zod.regexes.email)

/** Zod's own pattern for addresses begins with two look-aheads, which RE2 lacks. */
function asciiMatch(
  text: string,
  pattern: RegExp,
  { patterns, texts }: Dialect,
): string | undefined {
  if (String(pattern) === EMAIL) {
    const body = pattern.source.replace('(?!\\.)(?!.*\\.\\.)', '')
    const re2 = toRe2(new RegExp(body, pattern.flags))
    const [starts, has] = [texts.startsWith(text, "'.'"), texts.contains(text, "'..'")]
    return re2 && `${patterns.finds(text, re2)} AND NOT ${starts} AND NOT ${has}`
  }
  const re2 = toRe2(pattern)
  return re2 && patterns.finds(text, re2)
}

/** SQL for "the text matches the pattern", with JavaScript's meaning. */
function matches(text: string, pattern: RegExp, js: Context): string {
  const test = (s: string | null) => {
    pattern.lastIndex = 0
    return s !== null && pattern.test(s) ? '1' : '0'
  }
  const is1 = (call: string) => `${call} = '1'`
  const ascii = asciiMatch(text, pattern, js.dialect)
  return ascii === undefined ? is1(js.add(test)(text)) : js.asciiOr(text, ascii, test, is1)
}

const described: Record<string, string> = {
  email: 'not an email address',
  guid: 'not a UUID',
  uuid: 'not a UUID',
  lowercase: 'must be in lower case',
  uppercase: 'must be in upper case',
}

const stringFormat: Applier = (flow, def, _type, js) => {
  const { format, pattern } = def
  const text = flow.value
  const { texts } = js.dialect
  if (format === 'includes' && def.position === undefined)
    return failing(
      flow,
      def,
      `NOT ${texts.contains(text, quoteText(def.includes))}`,
      `must contain '${def.includes}'`,
    )
  if (format === 'starts_with')
    return failing(
      flow,
      def,
      `NOT ${texts.startsWith(text, quoteText(def.prefix))}`,
      `must start with '${def.prefix}'`,
    )
  if (format === 'ends_with')
    return failing(
      flow,
      def,
      `NOT ${texts.endsWith(text, quoteText(def.suffix))}`,
      `must end with '${def.suffix}'`,
    )
  if (!(pattern instanceof RegExp) || !['email', 'guid', 'uuid', 'regex'].includes(format))
    throw new NeedsJavaScript(format)
  return failing(
    flow,
    def,
    `NOT (${matches(text, pattern, js)})`,
    described[format] ?? `does not match ${pattern}`,
  )
}

const multipleOf: Applier = (flow, def, type) => {
  const whole = type.kind === 'int' || type.kind === 'bigint'
  const integral = typeof def.value === 'bigint' || Number.isInteger(def.value)
  if (!whole || !integral) throw new NeedsJavaScript('multipleOf')
  return failing(
    flow,
    def,
    `${flow.value} % ${BigInt(def.value)} <> 0`,
    `must be a multiple of ${def.value}`,
  )
}

const ranges: Record<string, [string, string]> = {
  safeint: [String(Number.MIN_SAFE_INTEGER), String(Number.MAX_SAFE_INTEGER)],
  uint32: ['0', '4294967295'],
  float32: ['-3.4028234663852886e38', '3.4028234663852886e38'],
  uint64: ['0', '9223372036854775807'],
}

const numberFormat: Applier = (flow, def) => {
  const range = ranges[def.format]
  if (!range) return flow
  const [low, high] = range
  return failing(
    flow,
    def,
    `${flow.value} NOT BETWEEN ${low} AND ${high}`,
    `must be from ${low} to ${high}`,
    { low: { value: low, inclusive: true }, high: { value: high, inclusive: true } },
  )
}

const appliers: Record<string, Applier> = {
  moraine_bound: (flow, def, type, { dialect }) => {
    const { op, bound: limit, error } = def as unknown as BoundCheck
    const as = dialect.values.type(boundType(type, limit))
    const fails = `NOT (${flow.value} ${op} CAST(${literal(limit)} AS ${as}))`
    const words = { '>=': 'at least', '<=': 'at most', '>': 'more than', '<': 'less than' }[op]
    const end = oneEnd(op, String(limit))
    return failing(flow, { check: '', error }, fails, `must be ${words} ${limit}`, end)
  },
  greater_than: bound('>', false, 'more'),
  less_than: bound('<', false, 'less'),
  min_length: lengthCheck('>=', 'minimum', 'must have at least'),
  max_length: lengthCheck('<=', 'maximum', 'must have at most'),
  length_equals: lengthCheck('=', 'length', 'must have exactly'),
  string_format: stringFormat,
  multiple_of: multipleOf,
  number_format: numberFormat,
  bigint_format: numberFormat,
  overwrite,
}

/** A bound may have more digits than the column: `t.decimal(4, 1).min('0.05')`. */
function boundType(type: ColumnType, limit: string): ColumnType {
  if (type.kind !== 'decimal') return type
  const scale = Math.max(type.scale, (limit.split('.')[1] ?? '').length)
  return { kind: 'decimal', precision: 38, scale }
}
