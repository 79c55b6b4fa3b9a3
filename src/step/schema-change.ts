import { fullName } from '../define/dataset.js'
import type { Gold, Silver } from '../define/model.js'
import type { Field } from '../define/types/column-type.js'
import { MoraineError } from '../errors.js'
import { toColumnType } from '../iceberg/spec/types.js'
import type { TableVersion } from '../iceberg/version.js'
import { type ColumnChange, sayChange, schemaDiff } from '../plan/schema-diff.js'

/** How a table's columns will change; columns that Moraine adds itself are left out. */
export function columnChanges(
  table: TableVersion,
  columns: readonly Field[],
  renamed: Readonly<Record<string, string>> = {},
): ColumnChange[] {
  const before = table.schema.fields
    .filter(({ name }) => !name.startsWith('_'))
    .map(({ name, type }) => ({ name, type: toColumnType(type) }))
  return schemaDiff(before, columns, renamed)
}

/**
 * Refuses columns that what reads the table today could miss or misread.
 *
 * @throws MoraineError of kind `definition` that says how to go on.
 */
export function refuseBreaking(
  dataset: Silver | Gold,
  table: TableVersion | undefined,
  columns: readonly Field[],
  renamed: Readonly<Record<string, string>> | undefined,
): void {
  const changes = table ? columnChanges(table, columns, renamed) : []
  const breaking = changes.filter((change) => change.breaking)
  if (breaking.length === 0) return
  const name = fullName(dataset)
  throw new MoraineError(
    'definition',
    `${name}: this schema change would break its readers: ${breaking.map(sayChange).join(', ')}`,
    {
      place: dataset.place,
      hint: `Keep the old column next to the new one; or, if nothing uses it any more: moraine run ${name}+ --allow-breaking`,
    },
  )
}
