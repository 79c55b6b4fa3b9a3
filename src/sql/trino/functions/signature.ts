import type { Expression } from '../parse/tree.js'
import type { TrinoType } from '../types.js'
import type { Written } from '../write/written.js'

/** Where a function is called. */
export interface Site {
  args: readonly Written[]
  node: Extract<Expression, { kind: 'call' }>
  /** The whole text, for messages. */
  statement: string
  /** `DISTINCT `, and ` ORDER BY …`, where an aggregate has them. */
  distinct: string
  orderBy: string
  /** An aggregate with its FILTER and OVER. */
  around: (inside: string) => string
  /** What a call is refused with. */
  refused: (why: string, hint?: string) => Error
}

/** A function of Trino: what it takes, what it gives, and how the engine says it. */
export interface Signature {
  /** Kinds of arguments: a type, or `text`, `number`, `word` (a constant), `any`. */
  takes: readonly string[]
  /** Whether any number may follow that are as the last one. */
  more?: boolean
  /** How many there must be, where not all. */
  least?: number
  returns: TrinoType | ((args: readonly Written[], site: Site) => TrinoType | undefined)
  write: (sql: readonly string[], site: Site) => string
}

export type Functions = Readonly<Record<string, readonly Signature[]>>

/** The engine has it by the same or another name, with the same arguments. */
export const call =
  (name: string): Signature['write'] =>
  (args) =>
    `${name}(${args.join(', ')})`

export const firstType: Signature['returns'] = ([a]) => a?.type
