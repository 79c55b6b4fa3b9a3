import type { TrinoType } from '../types.js'

/** Where something stands in the statement, in characters. */
interface Placed {
  at: number
}

export interface Sorted {
  by: Expression
  direction: string
}

export interface Over {
  name?: string
  partitionBy: Expression[]
  orderBy: Sorted[]
  /** As it is written, as its bounds are numbers. */
  frame?: { unit: string; from: Bound; to?: Bound }
}

export interface Bound {
  kind: 'unbounded preceding' | 'unbounded following' | 'current row' | 'preceding' | 'following'
  by?: Expression
}

export interface Call extends Placed {
  kind: 'call'
  /** In small letters. */
  name: string
  args: Expression[]
  isStar: boolean
  distinct: boolean
  orderBy: Sorted[]
  filter?: Expression
  over?: Over
  ignoreNulls: boolean
}

export interface Lambda extends Placed {
  kind: 'lambda'
  names: string[]
  body: Expression
}

export type Expression = Placed &
  (
    | { kind: 'literal'; type: TrinoType; value: string }
    | { kind: 'interval'; amount: string; unit: string; negative: boolean }
    | { kind: 'name'; parts: string[] }
    | { kind: 'field'; of: Expression; name: string }
    | Call
    | Lambda
    | { kind: 'cast'; of: Expression; to: TrinoType; isTry: boolean }
    | {
        kind: 'case'
        operand?: Expression
        whens: [Expression, Expression][]
        otherwise?: Expression
      }
    | { kind: 'negative'; of: Expression }
    | { kind: 'not'; of: Expression }
    | { kind: 'binary'; operator: string; left: Expression; right: Expression }
    | { kind: 'between'; of: Expression; low: Expression; high: Expression; not: boolean }
    | { kind: 'in'; of: Expression; list: Expression[] | Query; not: boolean }
    | { kind: 'like'; of: Expression; pattern: Expression; escape?: Expression; not: boolean }
    | { kind: 'null'; of: Expression; not: boolean }
    | { kind: 'exists'; query: Query }
    | { kind: 'subquery'; query: Query }
    | { kind: 'quantified'; of: Expression; operator: string; word: string; query: Query }
    | { kind: 'array'; items: Expression[] }
    | { kind: 'row'; items: Expression[] }
    | { kind: 'subscript'; of: Expression; index: Expression }
    | { kind: 'extract'; part: string; of: Expression }
    | { kind: 'zone'; of: Expression; zone: Expression }
    | { kind: 'now'; name: string }
  )

export type SelectItem = Placed &
  ({ kind: 'star'; of?: string } | { kind: 'value'; value: Expression; alias?: string })

export interface Select {
  kind: 'select'
  at: number
  distinct: boolean
  items: SelectItem[]
  from: Relation[]
  where?: Expression
  groupBy?: { distinct: boolean; elements: Grouping[] }
  having?: Expression
  windows: { name: string; over: Over }[]
}

export type Grouping =
  | { kind: 'by'; items: Expression[] }
  | { kind: 'rollup' | 'cube'; items: Expression[][] }
  | { kind: 'sets'; items: Expression[][] }

export type Body =
  | Select
  | { kind: 'values'; at: number; rows: Expression[] }
  | { kind: 'set'; at: number; operator: string; all: boolean; left: Body; right: Body }
  | { kind: 'nested'; at: number; query: Query }

export interface Query {
  recursive: boolean
  with: { name: string; columns?: string[]; query: Query }[]
  body: Body
  orderBy: Sorted[]
  offset?: Expression
  limit?: Expression
}

export interface Alias {
  name: string
  columns?: string[]
}

export type Relation = Placed & { alias?: Alias } & (
    | { kind: 'table'; parts: string[]; sample?: { method: string; percent: Expression } }
    | { kind: 'query'; query: Query; lateral: boolean }
    | { kind: 'unnest'; items: Expression[]; ordinality: boolean }
    | { kind: 'function'; name: string; args: { name?: string; value: Expression }[] }
    | {
        kind: 'join'
        type: string
        left: Relation
        right: Relation
        on?: Expression
        using?: string[]
      }
    | { kind: 'inside'; of: Relation }
  )
