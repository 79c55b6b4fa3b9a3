import { refuse } from '../refusal.js'
import {
  arrayOf,
  asDecimal,
  common,
  DATE,
  decimal,
  engineType,
  isFloat,
  isInteger,
  isInterval,
  isNumber,
  isText,
  shown,
  type TrinoType,
  VARCHAR,
  wider,
} from '../types.js'
import { localOf, momentOf } from './moments.js'
import type { Context } from './scope.js'
import { failsWhen, once, type Written } from './written.js'

/** `+`, `-`, `*`, `/`, `%` and `||`, by the types of both sides. */
export function writeArithmetic(
  operator: string,
  [left, right]: readonly [Written, Written],
  at: number,
  { statement }: Pick<Context, 'statement'>,
): Written {
  const { type: a } = left
  const { type: b } = right
  const unclear = (side: Written) =>
    refuse(
      statement,
      side.at,
      `The type of this value is not known, and '${operator}' depends on it`,
      'Say it: CAST(… AS bigint)',
    )
  if (!a) throw unclear(left)
  if (!b) throw unclear(right)
  if (operator === '||') return joined(left, right, at, statement)
  if (a.name === 'unknown' || b.name === 'unknown') {
    const type = a.name === 'unknown' ? b : a
    return { sql: `CAST(NULL AS ${engineType(type) ?? 'INTEGER'})`, type, at, isPlain: true }
  }
  if (isNumber(a) && isNumber(b)) return { ...numbers(operator, left, right), at }
  const moved = times(operator, left, right)
  if (moved) return { ...moved, at }
  throw refuse(statement, at, `Cannot apply operator: ${shown(a)} ${operator} ${shown(b)}`)
}

function joined(left: Written, right: Written, at: number, statement: string): Written {
  const [a, b] = [left.type, right.type] as [TrinoType, TrinoType]
  const sql = `(${left.sql} || ${right.sql})`
  const isTextual = (one: TrinoType) => isText(one) || one.name === 'unknown'
  if (isTextual(a) && isTextual(b)) return { sql, type: VARCHAR, at }
  if (a.name === 'varbinary' && b.name === 'varbinary') return { sql, type: a, at }
  if (a.name === 'array' && b.name === 'array') {
    const type = common(a, b)
    const whole = once(
      { a: left, b: right },
      ({ a, b }) =>
        `CASE WHEN ${a} IS NOT NULL AND ${b} IS NOT NULL THEN list_concat(${a}, ${b}) END`,
    )
    if (type) return { sql: whole, type, at }
  }
  const added = appended(left, right)
  if (added) return { ...added, at }
  throw refuse(
    statement,
    at,
    `Cannot apply operator: ${shown(a)} || ${shown(b)}`,
    'Cast both sides to varchar.',
  )
}

/** An array with one more element at an end of it. */
function appended(left: Written, right: Written): Omit<Written, 'at'> | undefined {
  const isLast = left.type?.name === 'array'
  const [list, one] = isLast ? [left, right] : [right, left]
  const [of] = list.type?.of ?? []
  if (list.type?.name !== 'array' || !of || !one.type) return undefined
  const element = common(of, one.type)
  const type = element && arrayOf(element)
  const engine = type && engineType(type)
  if (!engine) return undefined
  const sql = once({ a: list, x: one }, ({ a, x }) => {
    const both = isLast ? `list_append(${a}, ${x})` : `list_prepend(${x}, ${a})`
    return `CASE WHEN ${a} IS NOT NULL AND ${x} IS NOT NULL THEN CAST(${both} AS ${engine}) END`
  })
  return { sql, type }
}

function numbers(operator: string, left: Written, right: Written): Omit<Written, 'at'> {
  const [a, b] = [left.type, right.type] as [TrinoType, TrinoType]
  if (isFloat(a) || isFloat(b)) {
    const type = common(a, b) as TrinoType
    const engine = engineType(type)
    const [x, y] = [left, right].map((one) =>
      one.type?.name === type.name ? one.sql : `CAST(${one.sql} AS ${engine})`,
    )
    return { sql: `(${x} ${operator} ${y})`, type }
  }
  if (isInteger(a) && isInteger(b)) return integers(operator, left, right, wider(a, b))
  return decimals(operator, left, right)
}

function integers(operator: string, left: Written, right: Written, type: TrinoType) {
  const engine = engineType(type)
  const [x, y] = [left, right].map((one) => ({
    ...one,
    sql:
      one.type?.name === type.name && one.word === undefined
        ? one.sql
        : `CAST(${one.sql} AS ${engine})`,
  })) as [Written, Written]
  if (operator !== '/' && operator !== '%') return { sql: `(${x.sql} ${operator} ${y.sql})`, type }
  if (operator === '/') return { sql: divided(x, y, (a, b) => `(${a} // ${b})`), type }
  // The engine fails for the least number and -1, for which Trino has 0 as well.
  const by = (b: string) =>
    right.word === undefined ? `CASE ${b} WHEN -1 THEN 1 ELSE ${b} END` : b
  return { sql: divided(x, y, (a, b) => `(${a} % ${by(b)})`), type }
}

/** A division that fails for zero, as the engine's own gives NULL for it. */
function divided(left: Written, right: Written, write: (a: string, b: string) => string): string {
  if (right.word !== undefined && /[1-9]/.test(right.word)) return write(left.sql, right.sql)
  return once(
    { a: { ...left, isPlain: true }, b: right },
    ({ b = '' }) =>
      // What stands on the left is written once in any case.
      `CASE ${failsWhen(`${b} = 0`, 'Division by zero')} ELSE ${write(left.sql, b)} END`,
  )
}

function decimals(operator: string, left: Written, right: Written): Omit<Written, 'at'> {
  const [a, b] = [left, right].map((one) => asDecimal(one.type as TrinoType)) as [Sized, Sized]
  // The engine would keep to 64 bits what was no wider before, and fail where Trino does not.
  const isNarrow = a.precision <= 18 && b.precision <= 18 && a.precision + b.precision > 17
  const width = isNarrow ? 19 : a.precision
  const widened = { ...a, precision: Math.max(width, a.precision) }
  const [x, y] = [left, right].map((one, i) => {
    const to = i === 0 ? widened : b
    const isSame = !isInteger(one.type as TrinoType) && to.precision === one.type?.precision
    return isSame ? one : { ...one, sql: `CAST(${one.sql} AS ${engineType(to)})` }
  }) as [Written, Written]
  const scale = Math.max(a.scale, b.scale)
  const whole = Math.max(a.precision - a.scale, b.precision - b.scale)
  if (operator === '+' || operator === '-')
    return { sql: `(${x.sql} ${operator} ${y.sql})`, type: decimal(whole + scale + 1, scale) }
  if (operator === '*')
    return {
      sql: `(${x.sql} * ${y.sql})`,
      type: decimal(a.precision + b.precision, a.scale + b.scale),
    }
  if (operator === '%') {
    const type = decimal(Math.min(a.precision - a.scale, b.precision - b.scale) + scale, scale)
    return { sql: divided(x, y, (p, q) => `(${p} % ${q})`), type }
  }
  const type = decimal(a.precision + b.scale + Math.max(0, b.scale - a.scale), scale)
  return { sql: quotient([x, y], [a.scale, b.scale], type as Sized), type }
}

type Sized = TrinoType & { precision: number; scale: number }

/** The digits of a decimal without its point. */
const digits = (sql: string, scale: number) =>
  scale === 0
    ? `CAST(${sql} AS HUGEINT)`
    : `CAST(replace(CAST(${sql} AS VARCHAR), '.', '') AS HUGEINT)`

/**
 * A quotient of decimals, rounded half away from zero to the scale that Trino gives it. The engine
 * would make a double of it.
 */
export function quotient(
  [a, b]: readonly [Pick<Written, 'sql' | 'isPlain'>, Pick<Written, 'sql' | 'isPlain'>],
  [scaleA, scaleB]: readonly [number, number],
  { precision, scale }: Sized,
): string {
  const shift = scale + scaleB - scaleA
  const up = shift > 0 ? ` * ${10n ** BigInt(shift)}::HUGEINT` : ''
  const n = `${digits(a.sql, scaleA)}${up}`
  const values = { n: { sql: n }, d: { sql: digits(b.sql, scaleB) } }
  return once(values, ({ n, d }) => {
    const rounded = `((abs(${n}) * 2 + abs(${d})) // (abs(${d}) * 2)) * sign(${n}) * sign(${d})`
    return `CASE ${failsWhen(`${d} = 0`, 'Division by zero')} ELSE ${withPoint(rounded, precision, scale)} END`
  })
}

/** A decimal from its digits. */
function withPoint(whole: string, precision: number, scale: number): string {
  if (scale === 0) return `CAST(${whole} AS DECIMAL(${precision}, 0))`
  const unit = `0.${'0'.repeat(scale - 1)}1`
  return `CAST(CAST(${whole} AS DECIMAL(${38 - scale}, 0)) * CAST('${unit}' AS DECIMAL(${scale}, ${scale})) AS DECIMAL(${precision}, ${scale}))`
}

/** Dates and times that are moved by an interval, or from which another is taken. */
function times(operator: string, left: Written, right: Written): Omit<Written, 'at'> | undefined {
  const [a, b] = [left.type, right.type] as [TrinoType, TrinoType]
  if (operator === '*') return multiplied(left, right)
  if (operator !== '+' && operator !== '-') return undefined
  if (operator === '+' && isInterval(a) && !isInterval(b)) return times('+', right, left)
  if (!isInterval(b)) return operator === '-' ? apart(left, right) : undefined
  const sql = `(${left.sql} ${operator} ${right.sql})`
  if (isInterval(a)) {
    const type = common(a, b)
    return type && { sql, type }
  }
  if (a.name === 'date')
    return b.name === 'interval' ? undefined : { sql: `CAST(${sql} AS DATE)`, type: DATE }
  if (!/^time(stamp|stamptz)?$/.test(a.name)) return undefined
  const isMonths = b.name === 'interval of months'
  // Intervals of days and less have milliseconds.
  const type = isMonths ? a : { ...a, precision: Math.max(3, a.precision ?? 3) }
  if (a.name === 'time') return isMonths ? undefined : { sql, type }
  // Months are those of its zone's calendar; days are of 24 hours.
  if (!isMonths || a.zone === undefined) return { sql, type }
  const local = `(${localOf(left)} ${operator} ${right.sql})`
  return { sql: momentOf(local, a.zone), type: a }
}

function multiplied(left: Written, right: Written): Omit<Written, 'at'> | undefined {
  const [a, b] = [left.type, right.type] as [TrinoType, TrinoType]
  const sql = `(${left.sql} * ${right.sql})`
  if (isInterval(a) && isInteger(b)) return { sql, type: a }
  return isInteger(a) && isInterval(b) ? { sql, type: b } : undefined
}

/** What lies between two days, or two moments. */
function apart(left: Written, right: Written): Omit<Written, 'at'> | undefined {
  const names = [left, right].map(({ type }) => type?.name)
  if (names.every((name) => name === 'date')) {
    const [x, y] = [left, right].map(({ sql }) => `CAST(${sql} AS TIMESTAMP)`)
    return { sql: `(${x} - ${y})`, type: { name: 'interval of days' } }
  }
  if (!names.every((name) => /^(date|timestamp)/.test(name ?? ''))) return undefined
  const isZoned = names.includes('timestamptz')
  const [x, y] = [left, right].map(({ sql }) =>
    isZoned ? `CAST(${sql} AS TIMESTAMP WITH TIME ZONE)` : `CAST(${sql} AS TIMESTAMP)`,
  )
  const type = { name: 'interval' }
  const digits = Math.max(...[left, right].map((one) => one.type?.precision ?? 0))
  if (digits <= 3) return { sql: `(${x} - ${y})`, type }
  // Of milliseconds, to which they are rounded.
  const between = once({ d: { sql: `(epoch_us(${x}) - epoch_us(${y}))` } }, ({ d }) => {
    const rounded = `CASE WHEN ${d} >= 0 THEN (${d} + 500) // 1000 ELSE (${d} - 499) // 1000 END`
    return `to_microseconds((${rounded}) * 1000)`
  })
  return { sql: between, type }
}
