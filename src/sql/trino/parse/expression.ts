import type { Cursor } from './cursor.js'
import { parsePrimary } from './primary.js'
import type { Expression } from './tree.js'

/** An expression: OR binds least. */
export function parseExpression(cursor: Cursor): Expression {
  return cursor.deeper(() => {
    let left = conjunction(cursor)
    while (cursor.at('OR')) left = binary(cursor, left, 'OR', () => conjunction(cursor))
    return left
  })
}

function binary(
  cursor: Cursor,
  left: Expression,
  operator: string,
  right: () => Expression,
): Expression {
  const { at } = cursor.next()
  return { kind: 'binary', at, operator, left, right: right() }
}

function conjunction(cursor: Cursor): Expression {
  let left = negation(cursor)
  while (cursor.at('AND')) left = binary(cursor, left, 'AND', () => negation(cursor))
  return left
}

function negation(cursor: Cursor): Expression {
  const { at } = cursor.token
  if (!cursor.take('NOT')) return predicate(cursor)
  return cursor.deeper(() => ({ kind: 'not', at, of: negation(cursor) }))
}

const COMPARISONS = ['=', '<>', '!=', '<=', '>=', '<', '>']

function predicate(cursor: Cursor): Expression {
  let of = parseOperand(cursor)
  for (;;) {
    const next = comparison(cursor, of) ?? wordPredicate(cursor, of)
    if (!next) return of
    of = next
  }
}

function comparison(cursor: Cursor, left: Expression): Expression | undefined {
  const operator = COMPARISONS.find((one) => cursor.isSymbol(one))
  if (operator === undefined) return undefined
  const { at } = cursor.next()
  for (const word of ['ALL', 'ANY', 'SOME'])
    if (cursor.at(word) && cursor.isSymbol('(', 1)) {
      cursor.next()
      const query = cursor.inBrackets(() => cursor.query())
      return { kind: 'quantified', at, of: left, operator, word, query }
    }
  const right = parseOperand(cursor)
  return { kind: 'binary', at, operator: operator === '!=' ? '<>' : operator, left, right }
}

function wordPredicate(cursor: Cursor, of: Expression): Expression | undefined {
  const { at } = cursor.token
  if (cursor.take('IS')) {
    const not = cursor.take('NOT')
    if (cursor.take('NULL')) return { kind: 'null', at, of, not }
    cursor.expect('DISTINCT', 'FROM')
    const operator = not ? 'IS NOT DISTINCT FROM' : 'IS DISTINCT FROM'
    return { kind: 'binary', at, operator, left: of, right: parseOperand(cursor) }
  }
  const isNot = cursor.at('NOT') && ['BETWEEN', 'IN', 'LIKE'].includes(cursor.ahead().text)
  if (isNot) cursor.next()
  if (cursor.take('BETWEEN')) {
    const low = parseOperand(cursor)
    cursor.expect('AND')
    return { kind: 'between', at, of, low, high: parseOperand(cursor), not: isNot }
  }
  if (cursor.take('LIKE')) {
    const pattern = parseOperand(cursor)
    const escaped = cursor.take('ESCAPE') ? parseOperand(cursor) : undefined
    return { kind: 'like', at, of, pattern, ...(escaped ? { escape: escaped } : {}), not: isNot }
  }
  if (!cursor.take('IN')) return undefined
  const list = cursor.inBrackets(() =>
    cursor.atAny(['SELECT', 'WITH', 'VALUES', 'TABLE'])
      ? cursor.query()
      : cursor.list(() => cursor.expression()),
  )
  return { kind: 'in', at, of, list, not: isNot }
}

function chain(cursor: Cursor, operators: readonly string[], part: () => Expression): Expression {
  let left = part()
  for (;;) {
    const operator = operators.find((one) => cursor.isSymbol(one))
    if (operator === undefined) return left
    left = binary(cursor, left, operator, part)
  }
}

/** What stands on a side of a comparison. */
export const parseOperand = (cursor: Cursor) => chain(cursor, ['||'], () => sum(cursor))
const sum = (cursor: Cursor) => chain(cursor, ['+', '-'], () => product(cursor))
const product = (cursor: Cursor) => chain(cursor, ['*', '/', '%'], () => signed(cursor))

function signed(cursor: Cursor): Expression {
  const { at } = cursor.token
  if (cursor.takeSymbol('+')) return cursor.deeper(() => signed(cursor))
  if (cursor.takeSymbol('-')) {
    // The smallest integer is written as one token by nobody, and yet must not be too large.
    return cursor.deeper(() => ({ kind: 'negative', at, of: signed(cursor) }))
  }
  let of = parsePrimary(cursor)
  while (cursor.at('AT', 'TIME', 'ZONE')) {
    const zoneAt = cursor.token.at
    cursor.take('AT', 'TIME', 'ZONE')
    of = { kind: 'zone', at: zoneAt, of, zone: parsePrimary(cursor) }
  }
  return of
}
