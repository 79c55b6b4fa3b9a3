import { refuse } from '../refusal.js'
import { common, has, isFloat, isText, shown, type TrinoType } from '../types.js'
import type { Context } from './scope.js'
import { once, repeatable, stopsWhen, type Written } from './written.js'

/** @throws for types that Trino does not compare: the engine would cast one of them. */
export function comparable(
  a: Written,
  b: Written,
  at: number,
  { statement }: Pick<Context, 'statement'>,
): void {
  if (!a.type || !b.type) return
  const within = a.type.of && b.type.of && ['map', 'json', 'char'].find((name) => has(a.type, name))
  if (within)
    throw refuse(
      statement,
      at,
      `Values of ${shown(a.type)} are not compared here: the engine knows equal ones of ${within} by how they are written`,
      within === 'map' ? "Compare entries: element_at(m, 'key')" : 'Compare what they are made of.',
    )
  if (mayCompare(a.type, b.type)) return
  throw refuse(
    statement,
    at,
    `Cannot compare ${shown(a.type)} with ${shown(b.type)}`,
    "Cast one of them: CAST(… AS varchar), DATE '2026-01-31'",
  )
}

/** @throws for a type of which the engine does not know two equal values as one. */
export function distinct(
  type: TrinoType | undefined,
  at: number,
  { statement }: Pick<Context, 'statement'>,
): void {
  if (!has(type, 'map')) return
  throw refuse(
    statement,
    at,
    `Values of ${shown(type as TrinoType)} are not told apart here: the engine takes maps for others where their entries are in another order`,
    'Name map_keys or entries of it: element_at(m, …)',
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
  if (isNested(a) && isNested(b) && !operator.startsWith('IS'))
    return repeatable([a, b], ([x, y]) => comparedWithin(x as Written, operator, y as Written))
  const [x, y] = alike([a, b]) as [Written, Written]
  const plain = `(${x.sql} ${operator} ${y.sql})`
  const floats = [x, y].filter((one) => one.type && isFloat(one.type) && one.word === undefined)
  if (floats.length === 0 || operator.startsWith('IS')) return plain
  return withoutNan([x, y], operator, floats, plain)
}

const isNested = ({ type }: Written) => type?.of !== undefined

/** Whether the engine's own `=` says something else of two values than Trino's. */
export const isToldApart = (a: Written, b: Written) =>
  (isNested(a) && isNested(b)) ||
  [a, b].every(({ type, word }) => type && isFloat(type) && word === undefined)

const negated = (sql: string, isNot: boolean) => (isNot ? `(NOT ${sql})` : sql)

/** Whether a value is one of several, or none of them; NULL where that is not known. */
export function oneOf(of: Written, items: readonly Written[], isNot: boolean): string {
  if (!items.some((one) => isToldApart(of, one))) {
    const [sql, ...list] = alike([of, ...items]).map((one) => one.sql)
    return `(${sql} ${isNot ? 'NOT ' : ''}IN (${list.join(', ')}))`
  }
  return repeatable([of, ...items], ([x, ...rest]) => {
    const each = rest.map((one) => compared(x as Written, '=', one))
    return negated(`(${each.join(' OR ')})`, isNot)
  })
}

/** Whether a value is from one to another, or not. */
export function between(
  [of, low, high]: readonly [Written, Written, Written],
  isNot: boolean,
): string {
  const isPlain = !isNested(of) && ![low, high].some((one) => isToldApart(of, one))
  const bounds = [low, high].every(({ word }) => word !== undefined)
  const hasFloat = [of, low, high].some(({ type }) => type && isFloat(type))
  if (isPlain && (bounds || !hasFloat)) {
    const [x, y, z] = alike([of, low, high]) as [Written, Written, Written]
    return `(${x.sql} ${isNot ? 'NOT ' : ''}BETWEEN ${y.sql} AND ${z.sql})`
  }
  return repeatable([of, low, high], (values) => {
    const [x, y, z] = values as [Written, Written, Written]
    return negated(`(${compared(x, '>=', y)} AND ${compared(x, '<=', z)})`, isNot)
  })
}

/**
 * Rows and arrays: whether they are equal is not known where that depends on a NULL within. By `<`
 * Trino compares them up to the first that differs, and fails for a NULL before.
 */
function comparedWithin(a: Written, operator: string, b: Written): string {
  if (operator === '=') return equalWithin(a, b)
  if (operator === '<>') return `(NOT ${equalWithin(a, b)})`
  const fails = stopsWhen(
    `${nullWithin(a)} OR ${nullWithin(b)}`,
    `Rows and arrays with NULL within are not compared by ${operator} here: compare what they are made of`,
  )
  return `CASE WHEN ${a.sql} IS NULL OR ${b.sql} IS NULL THEN NULL ${fails} ELSE ${a.sql} ${operator} ${b.sql} END`
}

function equalWithin(a: Written, b: Written): string {
  if (a.type?.name === 'array') return equalArrays(a, b)
  const [x, y] = [partsOf(a), partsOf(b)]
  return `(${x.map((one, i) => compared(one, '=', y[i] as Written)).join(' AND ')})`
}

/** Of each pair 2 where it is equal, 1 where that is not known, and 0: the least is that of all. */
function equalArrays(a: Written, b: Written): string {
  // Within each other they have names of their own.
  const name = `"m i${depthOf(a.type)}"`
  const [x, y] = [a, b].map((one) => partOf(one, `${one.sql}[${name}]`, 0)) as [Written, Written]
  const same = isUnknown(x) || isUnknown(y) ? 'NULL' : compared(x, '=', y)
  const pairs = `list_transform(range(1, len(${a.sql}) + 1), lambda ${name}: coalesce(2 * CAST(${same} AS INTEGER), 1))`
  return `CASE WHEN ${a.sql} IS NULL OR ${b.sql} IS NULL THEN NULL WHEN len(${a.sql}) <> len(${b.sql}) THEN false ELSE CASE coalesce(list_min(${pairs}), 2) WHEN 0 THEN false WHEN 2 THEN true END END`
}

const isUnknown = ({ type }: Written) => type?.name === 'unknown'
const depthOf = (type: TrinoType | undefined): number =>
  1 + Math.max(0, ...(type?.of ?? []).map(depthOf))

const partOf = ({ type, at }: Written, sql: string, i: number): Written => ({
  sql,
  type: type?.of?.[i],
  at,
  isPlain: true,
})

const partsOf = (row: Written): readonly Written[] =>
  row.items ??
  (row.type?.of ?? []).map((_, i) => partOf(row, `struct_extract_at(${row.sql}, ${i + 1})`, i))

/** Whether a value has NULL within, at any depth. */
export function nullWithin(of: Written): string {
  const isNone = (one: Written): string =>
    one.type?.of ? `(${one.sql} IS NULL OR ${nullWithin(one)})` : `${one.sql} IS NULL`
  if (of.type?.name === 'row') return `(${partsOf(of).map(isNone).join(' OR ')})`
  return `len(list_filter(${of.sql}, lambda "m e": ${isNone(partOf(of, '"m e"', 0))})) > 0`
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
