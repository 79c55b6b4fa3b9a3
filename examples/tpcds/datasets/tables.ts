import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  bronze,
  type Partition,
  type Rule,
  type Silver,
  type SilverColumns,
  type Sql,
  silver,
  z,
} from 'moraine'
import { files } from 'moraine/sources'
import type { Table } from '../tables/table.js'

/**
 * The folder (or `s3://…`) with a file, several part files, or a folder for each table; plain or
 * gzip.
 */
const data = process.env.TPCDS_DATA ?? join(import.meta.dirname, '..', 'data')

function paths(name: string): string[] {
  const folder = `${data}/${name}`
  if (existsSync(folder)) return [`${folder}/**/*`]
  return ['.dat', '.dat.gz', '_[0-9]*.dat', '_[0-9]*.dat.gz'].map((end) => folder + end)
}

interface Refinement<A extends z.ZodRawShape> {
  /** Columns beside those of the specification. */
  added: A
  /** Where they come from. */
  select: { [K in keyof A & string]: string | Sql }
  rules?: readonly Rule[]
  partitionBy?: readonly Partition[]
}

/**
 * A table as it came, and typed, checked, one row a key. Pipe-delimited: no header, no quotes,
 * empty is NULL.
 */
export function refined<C extends z.ZodRawShape, A extends z.ZodRawShape = Record<never, never>>(
  table: Table<C>,
  more: Refinement<A> = { added: {} as A, select: {} as Refinement<A>['select'] },
): Silver<z.output<z.ZodObject<C & A>> & SilverColumns> {
  const raw = bronze(table.name, {
    from: files(paths(table.name), {
      delimiter: '|',
      quote: null,
      columns: Object.keys(table.columns),
    }),
  })
  const { added, ...others } = more
  const shape: Record<string, z.ZodType> = { ...table.columns, ...added } as never
  const options = { from: raw, schema: z.object(shape), key: table.key, ...others }
  return silver(table.name, options) as Silver<any>
}
