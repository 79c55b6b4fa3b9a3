/**
 * A query as DuckDB's binder understood it, in our own words: every column by its number, every
 * type known, every cast said. It is read from the binder's JSON (`read`) and written as SQL of
 * another engine (`render`).
 */

/** A type that values of a bound query have. */
export type BoundType =
  | { id: SimpleType }
  | { id: 'decimal'; precision: number; scale: number }
  /** A type that values can only be passed on with: lists, structs, intervals. */
  | { id: 'other'; name: string }

export type SimpleType =
  | 'null'
  | 'boolean'
  | 'tinyint'
  | 'smallint'
  | 'integer'
  | 'bigint'
  | 'hugeint'
  | 'float'
  | 'double'
  | 'varchar'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'blob'

/** Where something stands in the SQL, in bytes of UTF-8 from 0; `undefined` where nobody knows. */
export type Offset = number | undefined

/** An expression over the columns of the operator below. */
export type Expression =
  | { is: 'column'; index: number; type: BoundType; at: Offset }
  /** Numbers as their digits, dates and times as SQL writes them. */
  | { is: 'constant'; value: string | boolean | null; type: BoundType; at: Offset }
  /** So many units of time, as `+` and `-` take them. */
  | { is: 'interval'; unit: string; amount: string; type: BoundType; at: Offset }
  | { is: 'cast'; of: Expression; type: BoundType; at: Offset }
  /** A function or an operator, by DuckDB's name: `+`, `and`, `coalesce`. */
  | { is: 'call'; name: string; args: readonly Expression[]; type: BoundType; at: Offset }
  | {
      is: 'case'
      when: readonly { condition: Expression; value: Expression }[]
      otherwise: Expression
      type: BoundType
      at: Offset
    }

export type Call = Extract<Expression, { is: 'call' }>

/** An aggregate function, in a group or over a window. */
export interface Aggregate {
  name: string
  args: readonly Expression[]
  distinct: boolean
  filter: Expression | undefined
  type: BoundType
  at: Offset
}

export interface Order {
  by: Expression
  descending: boolean
  nullsFirst: boolean
}

export interface Window extends Aggregate {
  partitions: readonly Expression[]
  orders: readonly Order[]
  /** The rows that an aggregate is over, as SQL writes it; the functions of places have none. */
  frame: string | undefined
}

export type JoinKind = 'INNER' | 'LEFT' | 'RIGHT' | 'FULL' | 'SEMI' | 'ANTI' | 'MARK'

export interface JoinCondition {
  /** `=` and its kin. */
  comparison: string
  left: Expression
  right: Expression
  at: Offset
}

/** A step of a query; `types` are those of its columns. */
export type Operator = { types: readonly BoundType[] } & (
  | { is: 'table'; schema: string; name: string; columns: readonly (string | undefined)[] }
  | { is: 'values'; rows: readonly (readonly Expression[])[] }
  | { is: 'project'; from: Operator; expressions: readonly Expression[] }
  | { is: 'filter'; from: Operator; conditions: readonly Expression[]; kept: readonly number[] }
  | {
      is: 'aggregate'
      from: Operator
      groups: readonly Expression[]
      aggregates: readonly Aggregate[]
    }
  | { is: 'window'; from: Operator; windows: readonly Window[] }
  | {
      is: 'join'
      kind: JoinKind
      left: Operator
      right: Operator
      conditions: readonly JoinCondition[]
      /**
       * Conditions over the columns of both sides: those of the left one, then those of the right.
       */
      predicates: readonly Expression[]
    }
  | { is: 'cross'; left: Operator; right: Operator }
  | {
      is: 'set'
      kind: 'UNION' | 'EXCEPT' | 'INTERSECT'
      all: boolean
      inputs: readonly Operator[]
    }
  | { is: 'distinct'; from: Operator }
  | {
      is: 'limit'
      from: Operator
      orders: readonly Order[]
      limit: string | undefined
      offset: string | undefined
    }
  | { is: 'with'; name: number; definition: Operator; rest: Operator }
  | { is: 'named'; name: number }
)

/** Why a query can't be written for another engine: what it is, and what to write instead. */
export class NotPortable extends Error {
  constructor(
    message: string,
    readonly hint: string,
    readonly at: Offset,
    /** What to look for in the SQL, where it is not known where it stands. */
    readonly near?: string | undefined,
  ) {
    super(message)
  }
}
