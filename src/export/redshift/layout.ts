import type { ExportTable } from '../../define/export/target.js'
import type { Field } from '../../define/types/column-type.js'
import { MoraineError } from '../../errors.js'
import type { LayoutOf } from './dialect.js'
import { carried, quote } from './types.js'

/**
 * How a table's rows are spread over nodes and sorted there; Redshift decides where nothing is
 * said.
 *
 * @throws MoraineError of kind `export` for a column that is not there, or can be no key.
 */
export function layoutOf(
  { as, distKey, sortKey }: ExportTable,
  columns: readonly Field[],
): LayoutOf {
  for (const name of [...(distKey === undefined ? [] : [distKey]), ...(sortKey ?? [])]) {
    const column = columns.find((one) => one.name === name)
    if (!column) throw wrong(as, `has no column ${name} for its distKey or sortKey`)
    if (carried(column.type).type === 'SUPER')
      throw wrong(as, `has ${name} as a SUPER, which can't be a distKey or sortKey`)
  }
  const parts = [
    ...(distKey === undefined ? [] : [`DISTKEY (${quote(distKey)})`]),
    ...(sortKey === undefined ? [] : [`SORTKEY (${sortKey.map(quote).join(', ')})`]),
  ]
  const layout = parts.map((part) => ` ${part}`).join('')
  return (name) => (name === as || name === `${as}__moraine_new` ? layout : '')
}

const wrong = (table: string, what: string) =>
  new MoraineError('export', `${table} ${what}`, {
    hint: 'Nothing was changed. Correct distKey or sortKey of the table in lake.ts.',
  })
