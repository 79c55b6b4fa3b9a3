import { refuse } from '../refusal.js'
import {
  asDecimal,
  common,
  DATE,
  decimal,
  engineType,
  isFloat,
  isInteger,
  isNumber,
  isText,
  shown,
  type TrinoType,
  VARCHAR,
  wider,
} from '../types.js'
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
  throw refuse(
    statement,
    at,
    `Cannot apply operator: ${shown(a)} || ${shown(b)}`,
    'Cast both sides to varchar.',
  )
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

/** Dates and times that are moved by an interval. */
function times(operator: string, left: Written, right: Written): Omit<Written, 'at'> | undefined {
  const [a, b] = [left.type, right.type] as [TrinoType, TrinoType]
  const isInterval = ({ name }: TrinoType) => name === 'interval' || name === 'interval of days'
  if (operator === '+' && isInterval(a)) return times('+', right, left)
  if (operator === '*' && isInterval(a) && isInteger(b))
    return { sql: `(${left.sql} * ${right.sql})`, type: a }
  if (operator === '*' && isInteger(a) && isInterval(b))
    return { sql: `(${left.sql} * ${right.sql})`, type: b }
  if ((operator !== '+' && operator !== '-') || !isInterval(b)) return undefined
  const sql = `(${left.sql} ${operator} ${right.sql})`
  if (a.name === 'date')
    return b.name === 'interval of days' ? { sql: `CAST(${sql} AS DATE)`, type: DATE } : undefined
  return a.name === 'timestamp' || a.name === 'timestamptz' ? { sql, type: a } : undefined
}
