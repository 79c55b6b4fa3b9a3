import { parseOrderBy, parseWindow } from './call.js'
import type { Cursor } from './cursor.js'
import { isClause, parseColumns, parseRelation } from './relation.js'
import type { Body, Expression, Grouping, Query, Select, SelectItem } from './tree.js'

/** A query, with what stands before and after it. */
export function parseQuery(cursor: Cursor): Query {
  return cursor.deeper(() => {
    const query: Query = {
      recursive: false,
      with: [],
      body: undefined as unknown as Body,
      orderBy: [],
    }
    if (cursor.take('WITH')) {
      query.recursive = cursor.take('RECURSIVE')
      query.with = cursor.list(() => {
        const name = cursor.name()
        const columns = parseColumns(cursor)
        cursor.expect('AS')
        const own = cursor.inBrackets(() => cursor.query())
        return { name, ...(columns ? { columns } : {}), query: own }
      })
    }
    query.body = union(cursor)
    query.orderBy = parseOrderBy(cursor)
    if (cursor.take('OFFSET')) {
      query.offset = cursor.expression()
      if (!cursor.take('ROWS')) cursor.take('ROW')
    }
    const limit = limitOf(cursor)
    return limit ? { ...query, limit } : query
  })
}

function limitOf(cursor: Cursor): Expression | undefined {
  if (cursor.take('LIMIT')) return cursor.take('ALL') ? undefined : cursor.expression()
  if (!cursor.take('FETCH')) return undefined
  if (!cursor.take('FIRST')) cursor.expect('NEXT')
  const count = cursor.expression()
  if (!cursor.take('ROWS')) cursor.expect('ROW')
  if (cursor.at('WITH')) throw cursor.refuse('FETCH … WITH TIES is not translated')
  cursor.expect('ONLY')
  return count
}

function union(cursor: Cursor): Body {
  return setOf(cursor, ['UNION', 'EXCEPT'], () => setOf(cursor, ['INTERSECT'], () => term(cursor)))
}

function setOf(cursor: Cursor, operators: readonly string[], part: () => Body): Body {
  let left = part()
  for (;;) {
    const { at } = cursor.token
    const operator = operators.find((word) => cursor.take(word))
    if (operator === undefined) return left
    const all = cursor.take('ALL')
    if (!all) cursor.take('DISTINCT')
    if (all && operator !== 'UNION') throw cursor.refuse(`${operator} ALL is not translated`)
    left = { kind: 'set', at, operator, all, left, right: part() }
  }
}

function term(cursor: Cursor): Body {
  const { at } = cursor.token
  if (cursor.isSymbol('(')) {
    const query = cursor.inBrackets(() => cursor.query())
    return { kind: 'nested', at, query }
  }
  if (cursor.take('VALUES'))
    return { kind: 'values', at, rows: cursor.list(() => cursor.expression()) }
  if (cursor.take('TABLE')) {
    const parts = [cursor.name()]
    while (cursor.takeSymbol('.')) parts.push(cursor.name())
    const from = [{ kind: 'table', at, parts } as const]
    return { kind: 'select', at, distinct: false, items: [{ kind: 'star', at }], from, windows: [] }
  }
  return select(cursor)
}

function select(cursor: Cursor): Select {
  const { at } = cursor.token
  cursor.expect('SELECT')
  const distinct = cursor.take('DISTINCT')
  if (!distinct) cursor.take('ALL')
  const made: Select = {
    kind: 'select',
    at,
    distinct,
    items: cursor.list(() => item(cursor)),
    from: [],
    windows: [],
  }
  if (cursor.take('FROM')) made.from = cursor.list(() => parseRelation(cursor))
  if (cursor.take('WHERE')) made.where = cursor.expression()
  if (cursor.take('GROUP', 'BY')) {
    const isDistinct = cursor.take('DISTINCT')
    if (!isDistinct) cursor.take('ALL')
    made.groupBy = { distinct: isDistinct, elements: cursor.list(() => grouping(cursor)) }
  }
  if (cursor.take('HAVING')) made.having = cursor.expression()
  if (cursor.take('WINDOW'))
    made.windows = cursor.list(() => {
      const name = cursor.name()
      cursor.expect('AS')
      return { name, over: cursor.inBrackets(() => parseWindow(cursor)) }
    })
  return made
}

function item(cursor: Cursor): SelectItem {
  const { at } = cursor.token
  if (cursor.takeSymbol('*')) return { kind: 'star', at }
  if (cursor.isName() && cursor.isSymbol('.', 1) && cursor.isSymbol('*', 2)) {
    const of = cursor.name()
    cursor.next()
    cursor.next()
    return { kind: 'star', at, of }
  }
  const value = cursor.expression()
  const isNamed = cursor.take('AS') || (cursor.isName() && !isClause(cursor))
  return isNamed ? { kind: 'value', at, value, alias: cursor.name() } : { kind: 'value', at, value }
}

function grouping(cursor: Cursor): Grouping {
  const set = (): Expression[] => {
    if (!cursor.isSymbol('(')) return [cursor.expression()]
    if (cursor.isSymbol(')', 1)) {
      cursor.next()
      cursor.next()
      return []
    }
    const one = cursor.expression()
    return one.kind === 'row' ? one.items : [one]
  }
  for (const kind of ['ROLLUP', 'CUBE'] as const)
    if (cursor.take(kind))
      return {
        kind: kind.toLowerCase() as 'rollup' | 'cube',
        items: cursor.inBrackets(() => cursor.list(set)),
      }
  if (cursor.take('GROUPING', 'SETS'))
    return { kind: 'sets', items: cursor.inBrackets(() => cursor.list(set)) }
  return { kind: 'by', items: set() }
}
