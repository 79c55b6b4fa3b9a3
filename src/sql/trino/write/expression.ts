import type { Expression, Lambda } from '../parse/tree.js'
import { refuse } from '../refusal.js'
import {
  arrayOf,
  BOOLEAN,
  common,
  engineType,
  INTEGER,
  isFloat,
  isNumber,
  shown,
  type TrinoType,
  timestamp,
  UNKNOWN,
  VARBINARY,
} from '../types.js'
import { writeArithmetic } from './arithmetic.js'
import { writeCall } from './call.js'
import { writeCast } from './casts.js'
import { writeExtract, writeNow, writeZone } from './moments.js'
import { fieldOf, writeName } from './names.js'
import { type Context, type Field, folded, quote, type Scope, text } from './scope.js'
import { condition, type Writer, write } from './writer.js'
import { failsWhen, once, type Written } from './written.js'

type Of<K extends Expression['kind']> = Extract<Expression, { kind: K }>
type Write<K extends Expression['kind']> = (node: Of<K>, scope: Scope, writer: Writer) => Written

/** The engine's SQL of an expression. */
export function writeExpression(node: Expression, scope: Scope, writer: Writer): Written {
  return (writers[node.kind] as Write<Expression['kind']>)(node, scope, writer)
}

const bool = (sql: string, at: number): Written => ({ sql, type: BOOLEAN, at })

const writers: { [K in Expression['kind']]: Write<K> } = {
  literal: writeLiteral,
  interval: writeInterval,
  name: writeName,
  field: (node, scope, writer) =>
    fieldOf(write(node.of, scope, writer), node.name, node.at, writer),
  call: writeCall,
  lambda: writeLambda,
  cast: (node, scope, writer) => writeCast(write(node.of, scope, writer), node, writer),
  case: writeCase,
  negative: writeNegative,
  not: (node, scope, writer) => bool(`(NOT ${condition(node.of, scope, writer)})`, node.at),
  binary: writeBinary,
  between: (node, scope, writer) => {
    const [of, low, high] = [node.of, node.low, node.high].map((one) =>
      write(one, scope, writer),
    ) as [Written, Written, Written]
    comparable(of, low, node.at, writer)
    comparable(of, high, node.at, writer)
    return bool(`(${of.sql} ${not(node)}BETWEEN ${low.sql} AND ${high.sql})`, node.at)
  },
  in: writeIn,
  like: writeLike,
  null: (node, scope, writer) =>
    bool(`(${write(node.of, scope, writer).sql} IS ${not(node)}NULL)`, node.at),
  exists: (node, scope, writer) => bool(`EXISTS (${writer.query(node.query, scope).sql})`, node.at),
  subquery: (node, scope, writer) => {
    const { sql, types } = writer.query(node.query, scope)
    // The engine would take the first of several rows, if a setting says so, and Trino never does.
    return { sql: `(${sql})`, type: types.length === 1 ? types[0] : undefined, at: node.at }
  },
  quantified: (node, scope, writer) => {
    const of = write(node.of, scope, writer)
    const word = node.word === 'SOME' ? 'ANY' : node.word
    const { sql, types } = writer.query(node.query, scope)
    if (types.length === 1) comparable(of, { ...of, type: types[0] }, node.at, writer)
    return bool(`(${of.sql} ${node.operator} ${word} (${sql}))`, node.at)
  },
  array: (node, scope, writer) => {
    const items = node.items.map((one) => write(one, scope, writer))
    const type = allCommon(items, node.at, writer)
    const engine = type && engineType(arrayOf(type))
    const sql = `[${items.map((one) => one.sql).join(', ')}]`
    return {
      sql: engine ? `CAST(${sql} AS ${engine})` : sql,
      type: type && arrayOf(type),
      at: node.at,
    }
  },
  row: (node, scope, writer) => {
    const items = node.items.map((one) => write(one, scope, writer))
    const fields = items.map(({ sql }, i) => `'field${i}': ${sql}`).join(', ')
    const of = items.map((one) => one.type)
    const isKnown = of.every((one) => one !== undefined)
    const type = isKnown
      ? { name: 'row', of: of as TrinoType[], fields: of.map(() => undefined) }
      : undefined
    return { sql: `{${fields}}`, type, at: node.at }
  },
  subscript: writeSubscript,
  extract: (node, scope, writer) =>
    writeExtract(node.part, write(node.of, scope, writer), node.at, writer),
  zone: (node, scope, writer) =>
    writeZone(write(node.of, scope, writer), write(node.zone, scope, writer), node.at, writer),
  now: (node) => writeNow(node.name, node.at),
}

const not = (node: { not: boolean }) => (node.not ? 'NOT ' : '')

/** The type that all have. */
function allCommon(items: readonly Written[], at: number, { statement }: Context) {
  const [first, ...rest] = items
  if (!first) return UNKNOWN
  return rest.reduce<TrinoType | undefined>((found, one) => {
    const next = common(found, one.type)
    if (found && one.type && !next)
      throw refuse(
        statement,
        one.at ?? at,
        `All values must be of one type: ${shown(found)} and ${shown(one.type)}`,
      )
    return next
  }, first.type)
}

function writeLiteral(
  { type, value, at }: Of<'literal'>,
  _: Scope,
  { statement }: Writer,
): Written {
  const made = (sql: string): Written => ({ sql, type, at, isPlain: true, word: value })
  switch (type.name) {
    case 'varchar':
      return made(text(value))
    case 'varbinary':
      if (value.length % 2 === 1)
        throw refuse(statement, at, 'Binary literal must contain an even number of digits')
      return { ...made(`from_hex('${value}')`), type: VARBINARY }
    case 'double':
      return made(`CAST('${value}' AS DOUBLE)`)
    case 'decimal':
      return made(`CAST('${value}' AS ${engineType(type)})`)
    case 'date':
      if (!/^\s*\d{4}-\d{1,2}-\d{1,2}\s*$/.test(value) || !isDate(value))
        throw refuse(statement, at, `'${value}' is not a valid date literal`)
      return { ...made(`CAST('${value.trim()}' AS DATE)`) }
    case 'timestamp': {
      const [, local = '', day = '', zone] = MOMENT.exec(value) ?? []
      if (!isDate(day))
        throw refuse(
          statement,
          at,
          `'${value}' is not a valid timestamp literal`,
          'Write it without a zone or in UTC, with at most 6 digits of a second.',
        )
      const precision = /\.(\d+)$/.exec(local)?.[1]?.length ?? 0
      if (zone === undefined)
        return { ...made(`CAST('${local}' AS TIMESTAMP)`), type: timestamp(precision) }
      const moment = made(`CAST('${local}+00:00' AS TIMESTAMP WITH TIME ZONE)`)
      return { ...moment, type: { name: 'timestamptz', precision } }
    }
    default:
      return made(value)
  }
}

/** A day, with or without its time, and UTC by one of its names. */
const MOMENT =
  /^((\d{4}-\d{1,2}-\d{1,2})(?: \d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?)(?:\s*(UTC|Z|[+-]00:00))?$/

function isDate(value: string): boolean {
  const [y = 0, m = 0, d = 0] = value.trim().split('-').map(Number)
  const date = new Date(Date.UTC(2000, m - 1, d))
  date.setUTCFullYear(y)
  return m >= 1 && m <= 12 && d >= 1 && d <= new Date(Date.UTC(y, m, 0)).getUTCDate()
}

function writeInterval({ amount, unit, negative, at }: Of<'interval'>): Written {
  const value = negative ? -BigInt(amount) : BigInt(amount)
  const isDays = ['DAY', 'WEEK', 'MONTH', 'YEAR'].includes(unit)
  return {
    sql: `(INTERVAL '1' ${unit} * ${value})`,
    type: { name: isDays ? 'interval of days' : 'interval' },
    at,
    isPlain: true,
  }
}

function writeLambda(
  { names, body, at }: Lambda & Of<'lambda'>,
  scope: Scope,
  writer: Writer,
): Written {
  const lambda = (types: readonly (TrinoType | undefined)[]): Written => {
    if (types.length !== names.length)
      throw refuse(
        writer.statement,
        at,
        `The lambda has ${names.length} parameters, and not ${types.length}`,
      )
    const own = new Map<string, Field>(
      names.map((name, i) => [folded(name), { name, type: types[i], sql: quote(name) }]),
    )
    const written = write(body, { fields: [], lambda: own, outer: scope }, writer)
    return { ...written, sql: `lambda ${names.map(quote).join(', ')}: ${written.sql}` }
  }
  return { sql: '', type: undefined, at, lambda }
}

function writeCase(node: Of<'case'>, scope: Scope, writer: Writer): Written {
  const of = node.operand && write(node.operand, scope, writer)
  const results: Written[] = []
  const parts = node.whens.map(([when, then]) => {
    const whenSql = of ? write(when, scope, writer).sql : condition(when, scope, writer)
    const result = write(then, scope, writer)
    results.push(result)
    return `WHEN ${whenSql} THEN ${result.sql}`
  })
  const otherwise = node.otherwise && write(node.otherwise, scope, writer)
  if (otherwise) results.push(otherwise)
  const sql = `CASE ${of ? `${of.sql} ` : ''}${parts.join(' ')}${otherwise ? ` ELSE ${otherwise.sql}` : ''} END`
  return { sql, type: allCommon(results, node.at, writer), at: node.at }
}

function writeNegative({ of, at }: Of<'negative'>, scope: Scope, writer: Writer): Written {
  const value = write(of, scope, writer)
  if (value.type && !isNumber(value.type) && !value.type.name.startsWith('interval'))
    throw refuse(writer.statement, at, `Cannot negate ${shown(value.type)}`)
  const word = value.word === undefined ? {} : { word: `-${value.word}` }
  // The smallest integer, whose digits alone are too large for one.
  if (of.kind === 'literal' && of.value === '2147483648')
    return { ...value, ...word, type: INTEGER, sql: 'CAST(-2147483648 AS INTEGER)', at }
  return { ...value, ...word, sql: `(-${value.sql})`, at, isPlain: value.isPlain ?? false }
}

function writeBinary(
  { operator, left, right, at }: Of<'binary'>,
  scope: Scope,
  writer: Writer,
): Written {
  if (operator === 'AND' || operator === 'OR')
    return bool(
      `(${condition(left, scope, writer)} ${operator} ${condition(right, scope, writer)})`,
      at,
    )
  const [a, b] = [write(left, scope, writer), write(right, scope, writer)]
  if (['+', '-', '*', '/', '%', '||'].includes(operator))
    return writeArithmetic(operator, [a, b], at, writer)
  comparable(a, b, at, writer)
  return bool(compared(a, operator, b), at)
}

/**
 * A comparison. To Trino, NaN is neither greater nor less than anything, nor the same as itself.
 */
function compared(a: Written, operator: string, b: Written): string {
  const plain = `(${a.sql} ${operator} ${b.sql})`
  const floats = [a, b].filter((one) => one.type && isFloat(one.type) && one.word === undefined)
  if (floats.length === 0 || operator.startsWith('IS')) return plain
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

/** @throws for types that Trino does not compare: the engine would cast one of them. */
function comparable(a: Written, b: Written, at: number, { statement }: Context): void {
  if (!a.type || !b.type) return
  const isZoned = a.type.name === 'zoned' || b.type.name === 'zoned'
  const isTimes = [a, b].every(({ type }) => /^timestamp|^date$/.test(type?.name ?? ''))
  if (!isZoned && (common(a.type, b.type) || isTimes)) return
  throw refuse(
    statement,
    at,
    `Cannot compare ${shown(a.type)} with ${shown(b.type)}`,
    "Cast one of them: CAST(… AS varchar), DATE '2026-01-31'",
  )
}

function writeIn(node: Of<'in'>, scope: Scope, writer: Writer): Written {
  const of = write(node.of, scope, writer)
  if (!Array.isArray(node.list)) {
    const { sql, types } = writer.query(node.list, scope)
    if (types.length === 1) comparable(of, { ...of, type: types[0] }, node.at, writer)
    return bool(`(${of.sql} ${not(node)}IN (${sql}))`, node.at)
  }
  const items = node.list.map((one) => write(one, scope, writer))
  for (const one of items) comparable(of, one, node.at, writer)
  return bool(`(${of.sql} ${not(node)}IN (${items.map(({ sql }) => sql).join(', ')}))`, node.at)
}

function writeLike(node: Of<'like'>, scope: Scope, writer: Writer): Written {
  const [of, pattern] = [write(node.of, scope, writer), write(node.pattern, scope, writer)]
  const escaped = node.escape && write(node.escape, scope, writer)
  if (escaped && escaped.word?.length !== 1)
    throw refuse(writer.statement, node.at, 'ESCAPE must be one character in quotes')
  return bool(
    `(${of.sql} ${not(node)}LIKE ${pattern.sql}${escaped ? ` ESCAPE ${escaped.sql}` : ''})`,
    node.at,
  )
}

/** An element that must be there: `a[1]`, `m['key']`. */
function writeSubscript(node: Of<'subscript'>, scope: Scope, writer: Writer): Written {
  const [of, index] = [write(node.of, scope, writer), write(node.index, scope, writer)]
  const { name, of: parts = [] } = of.type ?? { name: '' }
  if (name === 'row') {
    const type = parts[Number(index.word) - 1]
    if (!type) throw refuse(writer.statement, node.at, 'A row has no such field')
    return { sql: `struct_extract_at(${of.sql}, ${index.sql})`, type, at: node.at }
  }
  if (name === 'array')
    return {
      sql: once(
        { a: of, i: index },
        ({ a, i }) =>
          `CASE ${failsWhen(`${i} < 1 OR ${i} > len(${a})`, 'Array subscript is out of bounds')} ELSE ${a}[${i}] END`,
      ),
      type: parts[0],
      at: node.at,
    }
  if (name === 'map')
    return {
      sql: once(
        { m: of, k: index },
        ({ m, k }) =>
          `CASE ${failsWhen(`${m} IS NOT NULL AND ${k} IS NOT NULL AND NOT map_contains(${m}, ${k})`, 'Key not present in map')} ELSE ${m}[${k}] END`,
      ),
      type: parts[1],
      at: node.at,
    }
  throw refuse(writer.statement, node.at, 'Only arrays, maps and rows have elements')
}
