import type { z } from 'moraine'

/**
 * A table of the specification: its columns in their order, its primary key, and what its foreign
 * keys point to.
 */
export interface Table<C extends z.ZodRawShape = z.ZodRawShape> {
  readonly name: string
  readonly key: readonly (keyof C & string)[]
  readonly references?: { readonly [K in keyof C & string]?: string }
  readonly columns: C
}

export const defineTable = <const C extends z.ZodRawShape>(table: Table<C>): Table<C> => table
