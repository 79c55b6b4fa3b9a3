import type { Field } from '../../define/types/column-type.js'
import { MoraineError } from '../../errors.js'
import { type Load, shownName } from '../load/work.js'
import { streamCsv } from './pipe.js'

/** Adds the rows of a query over the lake to a table of the target; how many they were. */
export async function fillTable(
  load: Load,
  table: string,
  columns: readonly Field[],
  sql: string,
): Promise<bigint> {
  const { dialect, target, engine } = load
  await refuseBeyond(load, columns, sql)
  if (target.fillFrom) return target.fillFrom(table, columns, sql)
  return streamCsv(engine, { sql, columns, format: dialect.cells }, (csv) =>
    target.fill ? target.fill(table, columns, csv) : Promise.resolve(0n),
  )
}

/** @throws MoraineError of kind `export` where the target has no such value as a column has. */
async function refuseBeyond(
  { dialect, engine, table }: Load,
  columns: readonly Field[],
  sql: string,
): Promise<void> {
  const { limits, name } = dialect
  const found = limits && (await engine.exports.beyond(sql, columns, limits))
  if (!found) return
  throw new MoraineError(
    'export',
    `${shownName(table)}: column ${found.name} has the value ${found.value}, which ${name} can't hold`,
    {
      hint: 'Nothing was changed. Replace such values in the query of a gold dataset, such as by NULL, and export that.',
    },
  )
}
