import type { Target } from './target.js'
import type { BoundType, Expression, Offset } from './tree.js'
import { classOf, comparable, same, type TypeClass } from './types.js'

/** Where a function is written: what it is given and gives, and for whom. */
export interface Site {
  args: readonly Expression[]
  type: BoundType
  target: Target
  at: Offset
  /** An aggregate of values that are counted once each. */
  distinct?: boolean | undefined
}

/** SQL of a call, of SQL of its arguments. */
export type Write = (args: readonly string[], site: Site) => string

/** Why an engine can't: a clause that goes on from its name. */
export interface Refusal {
  refused: string
  hint?: string
}

/**
 * What an argument may be: of one class, of any that engines compare alike, of any at all; a
 * constant count from 0, or from 1; a constant text that is not empty.
 */
export type Taken = TypeClass | 'comparable' | 'any' | 'count' | 'place' | 'word'

/** A line of the list of what can be written: a function, with the types of its arguments. */
export interface Rule {
  name: string
  takes: readonly Taken[]
  /** The last argument may come again, any number of times. */
  more?: boolean
  /** All arguments have one type. */
  alike?: boolean
  trino: Write | Refusal
  spark: Write | Refusal
  /** It counts in days or times: not with those of years that engines count otherwise. */
  counts?: boolean
  /** What writes it gives the very type that the binder says, so that no cast is needed. */
  typed?: boolean
}

export const isRefusal = (one: Write | Refusal): one is Refusal => typeof one !== 'function'

/** A constant whole number, as its digits. */
export function countIn(expression: Expression | undefined): string | undefined {
  const value = expression?.is === 'constant' ? expression.value : undefined
  return typeof value === 'string' && /^\d{1,9}$/.test(value) ? value : undefined
}

export function wordIn(expression: Expression | undefined): string | undefined {
  if (expression?.is !== 'constant' || expression.type.id !== 'varchar') return undefined
  return typeof expression.value === 'string' ? expression.value : undefined
}

function fits(taken: Taken, given: Expression): boolean {
  switch (taken) {
    case 'any':
      return true
    case 'count':
      return countIn(given) !== undefined
    case 'place':
      return Number(countIn(given) ?? 0) > 0
    case 'word':
      return (wordIn(given) ?? '') !== ''
    case 'comparable':
      return comparable.has(classOf(given.type))
    default:
      return classOf(given.type) === taken
  }
}

/** Whether a rule is about such arguments. */
export function takes(rule: Rule, args: readonly Expression[]): boolean {
  const { takes: list, more, alike } = rule
  if (more ? args.length < list.length : args.length !== list.length) return false
  const first = args[0]
  if (alike && first && !args.every(({ type }) => same(type, first.type))) return false
  return args.every((arg, i) => fits((list[i] ?? list.at(-1)) as Taken, arg))
}
