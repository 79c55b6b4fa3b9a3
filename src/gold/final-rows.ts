import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { Gold } from '../define/model.js'
import { quoteName } from '../define/sql/sql.js'
import type { Session } from '../engine/engine.js'
import { toColumnType } from '../iceberg/spec/types.js'
import type { Relations } from '../step/relations.js'
import { Part } from './partition.js'
import { closeParts, expiringInputs } from './partitions.js'
import { provePart } from './prove.js'

/**
 * SQL for the rows of a gold table in parts that are final, as rows which they were made of are
 * gone. `undefined` where no part is.
 */
export async function finalRows(
  session: Session,
  relations: Relations,
  dataset: Gold,
): Promise<string | undefined> {
  const table = await relations.table(fullName(dataset))
  if (!table || !dataset.incremental) return undefined
  await relations.define(session, inputsOf(dataset))
  const columns = table.schema.fields.map((field) => ({
    name: field.name,
    type: toColumnType(field.type),
  }))
  const { by, affects } = dataset.incremental
  const column = columns.find(({ name }) => name.toLowerCase() === by.toLowerCase())
  if (!column) return undefined
  const part = new Part(session, column, affects)
  const expiring = expiringInputs(dataset, await provePart(session, dataset, columns))
  if ((await closeParts({ relations }, part, expiring)).length === 0) return undefined
  const rows = await relations.tableRelation(session, fullName(dataset))
  return `SELECT * FROM (${rows}) WHERE NOT ${part.isOpen(quoteName(column.name))}`
}
