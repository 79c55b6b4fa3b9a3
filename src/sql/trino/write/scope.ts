import type { TrinoType } from '../types.js'

/** A column that can be named. */
export interface Field {
  /** The name of the table or alias that has it, in small letters. */
  relation?: string
  name: string
  /** `undefined` where the engine has a type that Trino has not. */
  type: TrinoType | undefined
  /** How SQL names it. */
  sql: string
}

/** A table, as a statement is to read it. */
export interface TableFields {
  /** How the engine names it, or a query in brackets. */
  sql: string
  columns: readonly { name: string; type: TrinoType | undefined }[]
}

/** What a part of a statement can name. */
export interface Scope {
  fields: readonly Field[]
  /** Parameters of lambdas, by their names in small letters. */
  lambda?: ReadonlyMap<string, Field>
  outer?: Scope
  /** Whether the fields are those that a query gives, which no aggregate of ORDER BY can have. */
  isOrder?: boolean
  /** Whether it is seen from within such an aggregate. */
  isWithin?: boolean
}

/** Named subqueries, by their names in small letters. */
export type Named = ReadonlyMap<string, readonly Pick<Field, 'name' | 'type'>[]>

/** What is known of the statement while it is written. */
export interface Context {
  /** As it came, for messages. */
  readonly statement: string
  /** The table of a name: one to three parts. */
  readonly table: (parts: readonly string[], at: number) => TableFields
}

export const folded = (name: string) => name.toLowerCase()
export const quote = (name: string) => `"${name.replaceAll('"', '""')}"`
export const text = (value: string) => `'${value.replaceAll("'", "''")}'`
