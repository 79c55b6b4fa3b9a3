import type { AstNode } from './ast.js'

/** How many parts before and after its own a row may be looked at from: days, or numbers. */
export interface Affects {
  before?: number
  after?: number
}

/** How far windows of a query may look, where those around it have looked already. */
export interface Reach {
  /** What is declared; absent where none may. */
  affects: Affects | undefined
  /** How far those around it look. */
  used?: Required<Affects>
  /** A column around it that is computed of its part, which `affects` therefore does not count. */
  coarser?: string
}

const hint =
  'Order it by the partition and bound its frame: RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW'

/** Why a window may look farther than it may. */
interface TooFar {
  message: string
  hint: string
}

/**
 * How far a window looks; or why that may be farther than `affects` says.
 *
 * @param used how far windows look that read what this one gives.
 * @param byPart whether it is ordered by the part.
 */
export function reachOf(
  window: AstNode,
  { affects, used }: { affects: Affects; used: Required<Affects> },
  byPart: boolean,
): Required<Affects> | TooFar {
  if (!byPart) return { message: 'is not ordered by it', hint }
  // Rows are as far apart as the parts that have none.
  if (window.type !== 'WINDOW_AGGREGATE' && !framed.has(String(window.function_name).toLowerCase()))
    return { message: 'counts rows, which may be any number of partitions apart', hint }
  const first = (window.orders as { type: string }[])[0]
  const down = first?.type === 'DESCENDING'
  const start = boundOf(window, 'start')
  const end = boundOf(window, 'end')
  if (start === undefined || end === undefined)
    return { message: 'the reach of its frame is unknown', hint }
  // A row that is looked at from a later part affects parts after its own.
  const [earlier, later] = (down ? [end, -start] : [-start, end]).map((by) => Math.max(by, 0)) as [
    number,
    number,
  ]
  const { before = 0, after = 0 } = affects
  const all = { before: used.before + later, after: used.after + earlier }
  if (all.after > after || all.before > before) {
    const others =
      used.before + used.after > 0 ? `, ${all.after} and ${all.before} with those around it` : ''
    return {
      message: `its frame reaches ${earlier} before and ${later} after${others}`,
      hint: `Declare it: affects: { before: ${Math.max(Math.ceil(all.before), before)}, after: ${Math.max(Math.ceil(all.after), after)} }`,
    }
  }
  return { before: later, after: earlier }
}

const framed = new Set(['first_value', 'last_value', 'nth_value'])

/** Where a frame begins or ends, seen from the row: before it as a negative number. */
function boundOf(window: AstNode, side: 'start' | 'end'): number | undefined {
  const kind = String(window[side])
  if (kind === 'CURRENT_ROW_RANGE') return 0
  if (kind !== 'EXPR_PRECEDING_RANGE' && kind !== 'EXPR_FOLLOWING_RANGE') return undefined
  const size = sizeOf(window[`${side}_expr`])
  return size === undefined ? undefined : kind === 'EXPR_PRECEDING_RANGE' ? -size : size
}

const days: Readonly<Record<string, number>> = {
  to_seconds: 1 / 86_400,
  to_minutes: 1 / 1_440,
  to_hours: 1 / 24,
  to_days: 1,
  to_weeks: 7,
  to_months: 31,
  to_years: 366,
}

/** A constant number, or the days of a constant interval at most. */
function sizeOf(value: unknown): number | undefined {
  const node = value as AstNode | undefined
  if (node?.class === 'CAST') return sizeOf(node.child)
  if (node?.class === 'CONSTANT') {
    const { value: own, type } = node.value as { value: unknown; type: { id: string } }
    const whole = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT'].includes(type.id)
    return whole && typeof own === 'number' && own >= 0 ? own : undefined
  }
  if (node?.class !== 'FUNCTION') return undefined
  const [child] = node.children as AstNode[]
  const name = String(node.function_name).toLowerCase()
  if (name === 'trunc') return sizeOf(child)
  const unit = days[name]
  const count = unit === undefined ? undefined : sizeOf(child)
  return count === undefined ? undefined : count * (unit as number)
}
