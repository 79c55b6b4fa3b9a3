import type { Cursor } from './cursor.js'
import type { Bound, Call, Expression, Over, Sorted } from './tree.js'

/** A call: `count(DISTINCT x) FILTER (WHERE …) OVER (…)`. */
export function parseCall(cursor: Cursor): Expression {
  const { at } = cursor.token
  const name = cursor.next().text.toLowerCase()
  const call: Call = {
    kind: 'call',
    at,
    name,
    args: [],
    isStar: false,
    distinct: false,
    orderBy: [],
    ignoreNulls: false,
  }
  cursor.inBrackets(() => {
    if (cursor.isSymbol(')')) return
    if (cursor.takeSymbol('*')) {
      call.isStar = true
      return
    }
    call.distinct = cursor.take('DISTINCT')
    if (!call.distinct) cursor.take('ALL')
    call.args = cursor.list(() => cursor.expression())
    call.orderBy = parseOrderBy(cursor)
  })
  if (cursor.take('WITHIN', 'GROUP')) call.orderBy = cursor.inBrackets(() => parseOrderBy(cursor))
  if (cursor.at('FILTER') && cursor.isSymbol('(', 1)) {
    cursor.next()
    call.filter = cursor.inBrackets(() => {
      cursor.expect('WHERE')
      return cursor.expression()
    })
  }
  if (cursor.take('IGNORE', 'NULLS')) call.ignoreNulls = true
  else cursor.take('RESPECT', 'NULLS')
  if (cursor.take('OVER')) call.over = overOf(cursor)
  return call
}

function overOf(cursor: Cursor): Over {
  if (!cursor.isSymbol('(')) return { name: cursor.name(), partitionBy: [], orderBy: [] }
  return cursor.inBrackets(() => parseWindow(cursor))
}

/** What stands in the brackets of OVER. */
export function parseWindow(cursor: Cursor): Over {
  const over: Over = { partitionBy: [], orderBy: [] }
  if (cursor.isName() && !cursor.at('PARTITION') && !cursor.atAny(['ROWS', 'RANGE', 'GROUPS']))
    over.name = cursor.name()
  if (cursor.take('PARTITION', 'BY')) over.partitionBy = cursor.list(() => cursor.expression())
  over.orderBy = parseOrderBy(cursor)
  const unit = ['ROWS', 'RANGE', 'GROUPS'].find((word) => cursor.take(word))
  if (unit === undefined) return over
  if (!cursor.take('BETWEEN')) return { ...over, frame: { unit, from: bound(cursor) } }
  const from = bound(cursor)
  cursor.expect('AND')
  return { ...over, frame: { unit, from, to: bound(cursor) } }
}

function bound(cursor: Cursor): Bound {
  if (cursor.take('UNBOUNDED', 'PRECEDING')) return { kind: 'unbounded preceding' }
  if (cursor.take('UNBOUNDED', 'FOLLOWING')) return { kind: 'unbounded following' }
  if (cursor.take('CURRENT', 'ROW')) return { kind: 'current row' }
  const by = cursor.expression()
  if (cursor.take('PRECEDING')) return { kind: 'preceding', by }
  cursor.expect('FOLLOWING')
  return { kind: 'following', by }
}

export function parseOrderBy(cursor: Cursor): Sorted[] {
  if (!cursor.take('ORDER', 'BY')) return []
  return cursor.list(() => {
    const by = cursor.expression()
    const order = direction(cursor)
    // Trino has NULLs last whichever way it sorts.
    const isFirst = cursor.take('NULLS', 'FIRST')
    if (!isFirst) cursor.take('NULLS', 'LAST')
    return { by, direction: `${order} NULLS ${isFirst ? 'FIRST' : 'LAST'}` }
  })
}

function direction(cursor: Cursor): 'ASC' | 'DESC' {
  if (cursor.take('DESC')) return 'DESC'
  cursor.take('ASC')
  return 'ASC'
}
