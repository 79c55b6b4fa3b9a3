import type { Expression, Query } from '../parse/tree.js'
import { refuse } from '../refusal.js'
import { shown, type TrinoType } from '../types.js'
import type { Context, Field, Named, Scope } from './scope.js'
import type { Written } from './written.js'

/** What the parts of a statement are written with, as they stand within each other. */
export interface Writer extends Context {
  readonly write: (node: Expression, scope: Scope, writer: Writer) => Written
  /** A query that stands within an expression. */
  readonly query: (query: Query, outer: Scope) => { sql: string; types: (TrinoType | undefined)[] }
}

/** A column that a query gives. */
export type Column = Pick<Field, 'name' | 'type'>

export interface WrittenQuery {
  sql: string
  fields: Column[]
  /** What ORDER BY sees beside the columns, where the query is one SELECT. */
  from?: Scope
  /** What the columns of one SELECT are made of. */
  items?: readonly string[]
  isDistinct?: boolean
  /** Whether it is of several queries, or one in brackets: sorted by what it gives alone. */
  isWhole?: boolean
}

export interface QueryWriter extends Writer {
  readonly whole: (query: Query, outer: Scope, named: Named) => WrittenQuery
}

export const write = (node: Expression, scope: Scope, writer: Writer): Written =>
  writer.write(node, scope, writer)

/** A condition: no number or text stands for true. */
export function condition(node: Expression, scope: Scope, writer: Writer): string {
  const { sql, type } = write(node, scope, writer)
  if (type && type.name !== 'boolean' && type.name !== 'unknown')
    throw refuse(writer.statement, node.at, `A condition must be boolean, and not ${shown(type)}`)
  return sql
}
