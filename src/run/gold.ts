import type { z } from 'zod'
import type { Field } from '../define/column-type.js'
import { fullName, type Gold } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import { partitionProblem } from '../define/partition.js'
import { icebergColumns } from '../define/problems.js'
import { fieldsOfShape } from '../define/schema.js'
import { quoteName, renderSql } from '../define/sql.js'
import { sqlType } from '../define/sql-type.js'
import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { definitionText } from '../plan/fingerprint.js'
import type { Built } from './build.js'
import { hash, type RunContext, withSession } from './context.js'
import { atUserSql } from './sql-errors.js'
import { aboutTable, tableState, writeTable } from './tables.js'

/** Computes a gold dataset from its inputs and replaces all its rows. */
export async function buildGold(context: RunContext, dataset: Gold): Promise<Built> {
  const name = fullName(dataset)
  return withSession(context, name, async (session) => {
    await context.relations.define(session, inputsOf(dataset))
    const columns = await columnsOf(session, dataset)
    checkPartitions(dataset, columns)
    const casts = columns.map(
      (c) => `CAST(${quoteName(c.name)} AS ${sqlType(c.type)}) AS ${quoteName(c.name)}`,
    )
    const rows = `SELECT ${casts.join(', ')} FROM (\n${renderSql(dataset.query)}\n)`
    const about = aboutTable(dataset.about)
    const partitions = dataset.partitionBy
    const work = { name, columns, partitions, about, rows, removed: 'all' as const }
    const { table, added } = await atUserSql(dataset.query, 1, () =>
      writeTable(context, session, work),
    )
    const written = added.reduce((sum, file) => sum + file.rows, 0)
    const state = tableState(table, hash(definitionText(dataset)))
    return {
      tables: { [name]: state },
      result: { rows: written, bytes: state.bytes, files: added.length },
    }
  })
}

/** The columns as declared, or as the query gives them. */
async function columnsOf(session: Session, dataset: Gold): Promise<Field[]> {
  const found = await atUserSql(dataset.query, 0, () => session.describe(renderSql(dataset.query)))
  const names = found.map((c) => c.name)
  checkNames(dataset, names)
  const { declared, place } = dataset
  if (!declared) return found.map(({ name, type }) => ({ name, type }))
  const fields = fieldsOfShape(declared as Record<string, z.ZodType>)
  const missing = fields.filter((f) => !names.includes(f.name)).map((f) => f.name)
  const more = names.filter((n) => !fields.some((f) => f.name === n))
  if (missing.length + more.length > 0)
    throw new MoraineError(
      'definition',
      `${fullName(dataset)}: the query does not give the columns that are declared`,
      {
        place,
        hint: [
          ...(missing.length > 0 ? [`missing in the query: ${missing.join(', ')}`] : []),
          ...(more.length > 0 ? [`not declared: ${more.join(', ')}`] : []),
        ].join('; '),
      },
    )
  return fields
}

function checkNames(dataset: Gold, names: readonly string[]): void {
  const lower = names.map((name) => name.toLowerCase())
  const twice = names.find((name, i) => lower.indexOf(name.toLowerCase()) !== i)
  const taken = names.find((name) => icebergColumns.includes(name.toLowerCase()))
  if (twice === undefined && taken === undefined) return
  const message =
    twice === undefined
      ? `the column name '${taken}' is one that Iceberg keeps for itself`
      : `two columns are called '${twice}'`
  throw new MoraineError('definition', `${fullName(dataset)}: ${message}`, {
    place: dataset.query.place,
    hint: 'Give it another name in the query: … as name',
  })
}

function checkPartitions(dataset: Gold, columns: readonly Field[]): void {
  for (const partition of dataset.partitionBy) {
    const column = columns.find((c) => c.name === partition.column)
    const problem = column
      ? partitionProblem(partition, column.type)
      : `'${partition.column}' is not a column of the query; it gives ${columns.map((c) => c.name).join(', ')}`
    if (problem)
      throw new MoraineError('definition', `${fullName(dataset)}: partitionBy: ${problem}`, {
        place: dataset.place && { ...dataset.place, near: `'${partition.column}'` },
      })
  }
}
