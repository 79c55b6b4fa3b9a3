import type { Expression, Lambda, Query } from '../parse/tree.js'
import { refuse } from '../refusal.js'
import {
  arrayOf,
  BOOLEAN,
  common,
  engineType,
  INTEGER,
  isInterval,
  isNumber,
  isText,
  shown,
  type TrinoType,
  UNKNOWN,
} from '../types.js'
import { writeArithmetic } from './arithmetic.js'
import { writeCall } from './call.js'
import { writeCast } from './casts.js'
import {
  alike,
  between,
  comparable,
  compared,
  inQuery,
  isToldApart,
  nullWithin,
  oneOf,
} from './compare.js'
import { writeLiteral } from './literals.js'
import { writeExtract, writeNow, writeZone } from './moments.js'
import { fieldOf, writeName } from './names.js'
import { type Context, type Field, folded, quote, type Scope } from './scope.js'
import { condition, type Writer, write } from './writer.js'
import { failsWhen, once, stopsWhen, type Written } from './written.js'

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
    return bool(between([of, low, high], node.not), node.at)
  },
  in: writeIn,
  like: writeLike,
  null: (node, scope, writer) =>
    bool(`(${write(node.of, scope, writer).sql} IS ${not(node)}NULL)`, node.at),
  exists: (node, scope, writer) => bool(`EXISTS (${writer.query(node.query, scope).sql})`, node.at),
  subquery: (node, scope, writer) => {
    const { sql, type } = asValue(node.query, scope, writer)
    // The engine would take the first of several rows, if a setting says so, and Trino never does.
    return { sql: `(${sql})`, type, at: node.at }
  },
  quantified: (node, scope, writer) => {
    const of = write(node.of, scope, writer)
    const word = node.word === 'SOME' ? 'ANY' : node.word
    const sql = amongRows(node, of, scope, writer)
    const isSame = `${node.operator} ${word}`
    if (of.type?.of && !['= ANY', '<> ALL'].includes(isSame))
      throw refuse(
        writer.statement,
        node.at,
        `Rows and arrays are not compared by ${isSame} with those of a query`,
        '= ANY and <> ALL are translated, and so are MIN and MAX of what they are made of.',
      )
    return bool(`(${of.sql} ${isSame} (${sql}))`, node.at)
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
      isPlain: items.every(({ word }) => word !== undefined),
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
    return { sql: `{${fields}}`, type, at: node.at, items }
  },
  subscript: writeSubscript,
  extract: (node, scope, writer) =>
    writeExtract(node.part, write(node.of, scope, writer), node.at, writer),
  zone: (node, scope, writer) =>
    writeZone(write(node.of, scope, writer), write(node.zone, scope, writer), node.at, writer),
  now: (node) => writeNow(node.name, node.at),
}

const not = (node: { not: boolean }) => (node.not ? 'NOT ' : '')

/** A query that stands for a value: of several columns, for a row of them. */
function asValue(query: Query, scope: Scope, writer: Writer) {
  const { sql, types } = writer.query(query, scope)
  if (types.length === 1) return { sql, type: types[0], isOne: true }
  const names = types.map((_, i) => quote(`field${i}`))
  const row = names.map((name, i) => `'field${i}': ${name}`).join(', ')
  const isKnown = types.every((one) => one !== undefined)
  return {
    isOne: false,
    sql: `SELECT {${row}} FROM (${sql}) AS "m row"(${names.join(', ')})`,
    type: isKnown
      ? { name: 'row', of: types as TrinoType[], fields: types.map(() => undefined) }
      : undefined,
  }
}

/** The rows of a query that a value is looked for in. */
function amongRows(
  node: Of<'in'> | Of<'quantified'>,
  of: Written,
  scope: Scope,
  writer: Writer,
): string {
  const query = (node.kind === 'in' ? node.list : node.query) as Query
  const { sql, type, isOne } = asValue(query, scope, writer)
  if (isOne && of.type?.name === 'row' && type)
    throw refuse(
      writer.statement,
      node.at,
      `Value expression and result of subquery must be of the same type: ${shown(of.type)} vs row(${shown(type)})`,
      'Let the query give a column for each field.',
    )
  inQuery(of, type, node.at, writer)
  return sql
}

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

function writeInterval({ amount, unit, negative, at }: Of<'interval'>): Written {
  const value = negative ? -BigInt(amount) : BigInt(amount)
  const isMonths = unit === 'MONTH' || unit === 'YEAR'
  const isDays = unit === 'DAY' || unit === 'WEEK'
  return {
    sql: `(INTERVAL '1' ${unit} * ${value})`,
    type: { name: `interval${isMonths ? ' of months' : isDays ? ' of days' : ''}` },
    at,
    isPlain: true,
  }
}

function writeLambda(
  { names, body, at }: Lambda & Of<'lambda'>,
  scope: Scope,
  writer: Writer,
): Written {
  const lambda: Written['lambda'] = (types, named) => {
    if (types.length !== names.length)
      throw refuse(
        writer.statement,
        at,
        `The lambda has ${names.length} parameters, and not ${types.length}`,
      )
    const own = new Map<string, Field>(
      names.map((name, i) => [
        folded(name),
        { name, type: types[i], sql: named?.[i] ?? quote(name) },
      ]),
    )
    const written = write(body, { fields: [], lambda: own, outer: scope }, writer)
    if (named) return written
    return { ...written, sql: `lambda ${names.map(quote).join(', ')}: ${written.sql}` }
  }
  return { sql: '', type: undefined, at, lambda }
}

function writeCase(node: Of<'case'>, scope: Scope, writer: Writer): Written {
  const of = node.operand && write(node.operand, scope, writer)
  const results: Written[] = []
  const cases = node.whens.map(([when]) => (of ? write(when, scope, writer) : undefined))
  for (const one of cases) if (of && one) comparable(of, one, one.at, writer)
  const isOwn = of && (cases as Written[]).some((one) => isToldApart(of, one))
  const [operand, ...values] = of && !isOwn ? alike([of, ...(cases as Written[])]) : []
  const parts = node.whens.map(([when, then], i) => {
    const own = of && isOwn ? compared(of, '=', cases[i] as Written) : undefined
    const whenSql = own ?? values[i]?.sql ?? condition(when, scope, writer)
    const result = write(then, scope, writer)
    results.push(result)
    return `WHEN ${whenSql} THEN ${result.sql}`
  })
  const otherwise = node.otherwise && write(node.otherwise, scope, writer)
  if (otherwise) results.push(otherwise)
  const sql = `CASE ${operand ? `${operand.sql} ` : ''}${parts.join(' ')}${otherwise ? ` ELSE ${otherwise.sql}` : ''} END`
  return { sql, type: allCommon(results, node.at, writer), at: node.at }
}

function writeNegative({ of, at }: Of<'negative'>, scope: Scope, writer: Writer): Written {
  const value = write(of, scope, writer)
  if (value.type && !isNumber(value.type) && !isInterval(value.type))
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

function writeIn(node: Of<'in'>, scope: Scope, writer: Writer): Written {
  const of = write(node.of, scope, writer)
  if (!Array.isArray(node.list)) {
    const among = amongRows(node, of, scope, writer)
    if (!of.type?.of) return bool(`(${of.sql} ${not(node)}IN (${among}))`, node.at)
    // Trino finds NULL within another NULL where it is asked for a value, and not in a condition.
    const found = once(
      { x: { sql: of.sql }, is: { sql: `${of.sql} IN (${among})` } },
      ({ x = '', is = '' }) => {
        const { items: _, ...rest } = of
        const isUnsure = `${is} AND ${nullWithin({ ...rest, sql: x })}`
        return `CASE ${stopsWhen(isUnsure, 'Rows and arrays with NULL within are not looked for by IN (SELECT …) here: use EXISTS')} ELSE ${is} END`
      },
    )
    return bool(node.not ? `(NOT ${found})` : found, node.at)
  }
  const items = node.list.map((one) => write(one, scope, writer))
  for (const one of items) comparable(of, one, node.at, writer)
  return bool(oneOf(of, items, node.not), node.at)
}

function writeLike(node: Of<'like'>, scope: Scope, writer: Writer): Written {
  const [of, pattern] = [write(node.of, scope, writer), write(node.pattern, scope, writer)]
  const escaped = node.escape && write(node.escape, scope, writer)
  for (const { type } of [of, pattern])
    if (type && !isText(type) && type.name !== 'unknown')
      throw refuse(
        writer.statement,
        node.at,
        `LIKE takes texts, and not ${shown(type)}`,
        'Cast it: CAST(… AS varchar)',
      )
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
