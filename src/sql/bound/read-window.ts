import { inWords, listOf, offsetOf, type Raw, refuseFields, unknown } from './json.js'
import { readExpression } from './read-expression.js'
import { NotPortable, type Offset, type Order, type Window } from './tree.js'
import { readType } from './types.js'

export function readOrder(raw: Raw): Order {
  const nulls = String(raw.null_order)
  if (nulls !== 'NULLS FIRST' && nulls !== 'NULLS LAST') throw unknown(nulls, undefined)
  return {
    by: readExpression(raw.expression as Raw),
    descending: raw.type === 'DESCENDING',
    nullsFirst: nulls === 'NULLS FIRST',
  }
}

/** Functions of places: what they give depends on the order of rows alone, never on a frame. */
const places: Readonly<Record<string, string>> = {
  WINDOW_ROW_NUMBER: 'row_number',
  WINDOW_RANK: 'rank',
  WINDOW_RANK_DENSE: 'dense_rank',
  WINDOW_NTILE: 'ntile',
  WINDOW_LAG: 'lag',
  WINDOW_LEAD: 'lead',
}
const values: Readonly<Record<string, string>> = {
  WINDOW_FIRST_VALUE: 'first_value',
  WINDOW_LAST_VALUE: 'last_value',
}

/** A window function of the binder's JSON. */
export function readWindow(raw: Raw): Window {
  const at = offsetOf(raw)
  const kind = String(raw.type)
  const name = places[kind] ?? values[kind] ?? (kind === 'WINDOW_AGGREGATE' ? raw.name : undefined)
  if (raw.expression_class !== 'BOUND_WINDOW' || typeof name !== 'string')
    throw unknown(`the window function ${inWords(raw.type)}`, at)
  refuseFields(raw, { ignore_nulls: 'IGNORE NULLS', arg_orders: `${name} with ORDER BY` })
  if (raw.exclude_clause !== 'NO_OTHER') throw unknown('EXCLUDE in a window', at)
  const orders = listOf(raw.orders).map(readOrder)
  if (orders.length === 0 && kind !== 'WINDOW_AGGREGATE')
    throw new NotPortable(
      `${name}() without an ORDER BY gives other rows on other engines`,
      'Order the window by columns by which every row has one place',
      at,
    )
  const args = [...listOf(raw.children), raw.offset_expr, raw.default_expr].filter(Boolean)
  return {
    name,
    args: args.map((one) => readExpression(one as Raw)),
    distinct: raw.distinct === true,
    filter: raw.filters ? readExpression(raw.filters as Raw) : undefined,
    type: readType(raw.return_type),
    partitions: listOf(raw.partitions).map(readExpression),
    orders,
    frame: kind in places ? undefined : frameOf(raw, orders.length > 0, at),
    at,
  }
}

const UNBOUNDED = 'ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING'

function frameOf(raw: Raw, ordered: boolean, at: Offset): string {
  const [start, end] = [String(raw.start), String(raw.end)]
  const kinds = [start, end].flatMap((one) => /_(ROWS|RANGE|GROUPS)$/.exec(one)?.[1] ?? [])
  const kind = kinds[0] ?? 'ROWS'
  const away = [start, end].some((one) => one.startsWith('EXPR_'))
  if (kind === 'GROUPS' || (kind === 'RANGE' && away) || kinds.some((one) => one !== kind))
    throw unknown(`a window with ${kind} BETWEEN`, at)
  // Without an order all rows are peers: a range is all of them.
  if (kind === 'RANGE' && !ordered) return UNBOUNDED
  const from = boundary(start, raw.start_expr, at)
  return `${kind} BETWEEN ${from} AND ${boundary(end, raw.end_expr, at)}`
}

function boundary(said: string, expression: unknown, at: Offset): string {
  if (said.startsWith('CURRENT_ROW')) return 'CURRENT ROW'
  if (said.startsWith('UNBOUNDED')) return said.replace('_', ' ')
  const count = expression ? readExpression(expression as Raw) : undefined
  const rows = count?.is === 'constant' ? count.value : undefined
  if (typeof rows !== 'string' || !/^\d{1,18}$/.test(rows))
    throw unknown('a window whose frame is an expression', at)
  return `${rows} ${said.includes('PRECEDING') ? 'PRECEDING' : 'FOLLOWING'}`
}
