import type { z } from 'zod'
import { fullName } from '../define/dataset.js'
import type { Gold } from '../define/model.js'
import { partitionProblem } from '../define/partition.js'
import { icebergColumns } from '../define/problems/collector.js'
import { renderSql } from '../define/sql/sql.js'
import type { Field } from '../define/types/column-type.js'
import { fieldsOfShape } from '../define/types/schema.js'
import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { atUserSql } from '../step/sql-errors.js'
import { type GoldColumns, refuseRounding } from './casts.js'

/**
 * The columns as declared, or as the query gives them; a declared type that would round them is
 * refused.
 */
export async function describeGold(session: Session, dataset: Gold): Promise<GoldColumns> {
  const found = await atUserSql(dataset.query, 0, () => session.describe(renderSql(dataset.query)))
  const names = found.map((c) => c.name)
  checkNames(dataset, names)
  const { declared, place } = dataset
  if (!declared) return { fields: found.map(({ name, type }) => ({ name, type })), found }
  const fields = fieldsOfShape(declared as Record<string, z.ZodType>)
  const missing = fields.filter((f) => !names.includes(f.name)).map((f) => f.name)
  const more = names.filter((n) => !fields.some((f) => f.name === n))
  if (missing.length + more.length > 0)
    throw new MoraineError(
      'definition',
      `${fullName(dataset)}: the columns of the query differ from the declared columns`,
      {
        place,
        hint: [
          ...(missing.length > 0 ? [`missing in the query: ${missing.join(', ')}`] : []),
          ...(more.length > 0 ? [`not declared: ${more.join(', ')}`] : []),
        ].join('; '),
      },
    )
  await refuseRounding(session, dataset, { fields, found })
  return { fields, found }
}

function checkNames(dataset: Gold, names: readonly string[]): void {
  const lower = names.map((name) => name.toLowerCase())
  const twice = names.find((name, i) => lower.indexOf(name.toLowerCase()) !== i)
  const taken = names.find((name) => icebergColumns.includes(name.toLowerCase()))
  if (twice === undefined && taken === undefined) return
  const message =
    twice === undefined
      ? `the column name '${taken}' is reserved by Iceberg`
      : `two columns are named '${twice}'`
  throw new MoraineError('definition', `${fullName(dataset)}: ${message}`, {
    place: dataset.query.place,
    hint: 'Rename it in the query: … as name',
  })
}

export function checkPartitions(dataset: Gold, columns: readonly Field[]): void {
  for (const partition of dataset.partitionBy) {
    const column = columns.find((c) => c.name === partition.column)
    const problem = column
      ? partitionProblem(partition, column.type)
      : `'${partition.column}' is not a column of the query, which returns ${columns.map((c) => c.name).join(', ')}`
    if (problem)
      throw new MoraineError('definition', `${fullName(dataset)}: partitionBy: ${problem}`, {
        place: dataset.place && { ...dataset.place, near: `'${partition.column}'` },
      })
  }
}
