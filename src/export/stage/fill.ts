import type { Field } from '../../define/types/column-type.js'
import type { Load } from '../load/work.js'
import { streamCsv } from './pipe.js'

/** Adds the rows of a query over the lake to a table of the target; how many they were. */
export function fillTable(
  { dialect, target, engine }: Load,
  table: string,
  columns: readonly Field[],
  sql: string,
): Promise<bigint> {
  if (target.fillFrom) return target.fillFrom(table, columns, sql)
  return streamCsv(engine, { sql, columns, format: dialect.cells }, (csv) =>
    target.fill ? target.fill(table, columns, csv) : Promise.resolve(0n),
  )
}
