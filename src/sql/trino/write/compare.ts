import { refuse } from '../refusal.js'
import { common, isFloat, isText, shown, type TrinoType } from '../types.js'
import type { Context } from './scope.js'
import { once, type Written } from './written.js'

/** @throws for types that Trino does not compare: the engine would cast one of them. */
export function comparable(
  a: Written,
  b: Written,
  at: number,
  { statement }: Pick<Context, 'statement'>,
): void {
  if (!a.type || !b.type) return
  if (mayCompare(a.type, b.type)) return
  throw refuse(
    statement,
    at,
    `Cannot compare ${shown(a.type)} with ${shown(b.type)}`,
    "Cast one of them: CAST(… AS varchar), DATE '2026-01-31'",
  )
}

/** @throws for types that are not compared with those of a query, as they are there. */
export function inQuery(
  of: Written,
  type: TrinoType | undefined,
  at: number,
  { statement }: Pick<Context, 'statement'>,
): void {
  comparable(of, { ...of, type }, at, { statement })
  const isPadded = [of.type, type].some((one) => one?.name === 'char')
  if (isPadded && type && of.type && shown(type) !== shown(of.type))
    throw refuse(
      statement,
      at,
      'A char is compared with those of a query only where all have its length',
      'Cast both to varchar.',
    )
}

function mayCompare(a: TrinoType, b: TrinoType): boolean {
  // Equal JSON is written in several ways.
  if (a.name === 'json' || b.name === 'json') return a.name === 'unknown' || b.name === 'unknown'
  if (isText(a) && isText(b)) return true
  return common(a, b) !== undefined || [a, b].every(({ name }) => /^(timestamp|date)/.test(name))
}

/** Values that are compared with each other, in forms that the engine compares as Trino does. */
export function compared(a: Written, operator: string, b: Written): string {
  const [x, y] = alike([a, b]) as [Written, Written]
  const plain = `(${x.sql} ${operator} ${y.sql})`
  const floats = [x, y].filter((one) => one.type && isFloat(one.type) && one.word === undefined)
  if (floats.length === 0 || operator.startsWith('IS')) return plain
  return withoutNan([x, y], operator, floats, plain)
}

/** To Trino, NaN is neither greater nor less than anything, nor the same as itself. */
function withoutNan(
  [a, b]: readonly [Written, Written],
  operator: string,
  floats: readonly Written[],
  plain: string,
): string {
  const [only] = floats
  if (only && floats.length === 1 && (a.word !== undefined || b.word !== undefined)) {
    // The engine has it as the greatest, so that it matters on one side alone.
    const matters = only === a ? ['>', '>='] : ['<', '<=']
    return matters.includes(operator) ? `(${plain} AND NOT isnan(${only.sql}))` : plain
  }
  const nan = (names: readonly string[]) => names.map((one) => `isnan(${one})`).join(' OR ')
  return once({ a, b }, ({ a: x = '', b: y = '' }) => {
    const which = nan([x, y].filter((_, i) => floats.includes([a, b][i] as Written)))
    return `CASE WHEN ${x} IS NULL OR ${y} IS NULL THEN NULL WHEN ${which} THEN ${operator === '<>'} ELSE ${x} ${operator} ${y} END`
  })
}

/**
 * Values that stand beside each other in a comparison. Where one is a text of a length, spaces at
 * the ends of texts do not count; a constant beside decimals is one where that is the same, since
 * files can be passed over by decimals.
 */
export function alike(values: readonly Written[]): Written[] {
  if (values.some(({ type }) => type?.name === 'char'))
    return values.map((one) => ({ ...one, sql: `rtrim(${one.sql}, ' ')` }))
  const types = values.flatMap(({ type, word }) => (type && word === undefined ? [type] : []))
  const isExact = types.length > 0 && types.every(isShortDecimal)
  const constants = values.filter(({ word, type }) => word !== undefined && type?.name === 'double')
  if (!isExact || !constants.every(isShortNumber)) return [...values]
  return values.map((one) => (constants.includes(one) ? asDecimalConstant(one) : one))
}

/** Doubles keep fifteen digits apart. */
const DIGITS = 15

const isShortDecimal = ({ name, precision = 38 }: TrinoType) =>
  name === 'decimal' && precision <= DIGITS

const NUMBER = /^(-?)(\d*)\.?(\d*)$/

const isShortNumber = ({ word = '' }: Written) => {
  const [, , whole = '', fraction = ''] = NUMBER.exec(word) ?? []
  const size = whole.replace(/^0+/, '').length + fraction.length
  return whole.length + fraction.length > 0 && size <= DIGITS
}

function asDecimalConstant(one: Written): Written {
  const [, sign = '', whole = '', fraction = ''] = NUMBER.exec(one.word ?? '') ?? []
  const precision = Math.max(1, whole.replace(/^0+/, '').length + fraction.length)
  const scale = fraction.length
  const sql = `CAST('${sign}${whole}.${fraction}' AS DECIMAL(${precision}, ${scale}))`
  return { ...one, sql, type: { name: 'decimal', precision, scale } }
}
