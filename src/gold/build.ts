import type { z } from 'zod'
import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { Gold } from '../define/model.js'
import { partitionProblem } from '../define/partition.js'
import { icebergColumns } from '../define/problems/collector.js'
import { historiesIn, renderSql } from '../define/sql/sql.js'
import type { Field } from '../define/types/column-type.js'
import { fieldsOfShape } from '../define/types/schema.js'
import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import type { BuildDecision } from '../plan/decision.js'
import { definitionOf } from '../plan/fingerprint.js'
import type { Built } from '../step/built.js'
import { brokenChecks, holdChecks } from '../step/checks.js'
import { hash, type RunContext, withSession } from '../step/context.js'
import { saidOf, withoutExpired } from '../step/retention.js'
import { refuseBreaking } from '../step/schema-change.js'
import { atUserSql } from '../step/sql-errors.js'
import { aboutTable, tableState, writeTable } from '../step/write-table.js'
import { castRows, computing, type GoldColumns, refuseRounding } from './casts.js'
import {
  defineEmpty,
  drivingOf,
  expiringInputs,
  provePart,
  queryOfPart,
  touchedParts,
} from './partitions.js'

/** Computes a gold dataset from its inputs: all of it, or the parts that changed rows touch. */
export async function buildGold(
  context: RunContext,
  dataset: Gold,
  decision: BuildDecision,
): Promise<Built> {
  const name = fullName(dataset)
  return withSession(context, name, async (session) => {
    const incremental = decision.mode === 'incremental'
    const driving = incremental ? drivingOf(context, dataset) : []
    const others = inputsOf(dataset).filter((input) => !driving.includes(input))
    await context.relations.define(session, others)
    await context.relations.defineHistories(session, historiesIn(dataset.query))
    // A part looks at few rows of the inputs that decide: all of them need not even be bound.
    for (const input of driving) await defineEmpty(context, session, dataset, input)
    const query = driving.length > 0 ? queryOfPart(dataset, driving) : dataset.query
    const described = await describeGold(session, { ...dataset, query })
    const columns = described.fields
    checkPartitions(dataset, columns)
    if (!context.allowBreaking)
      refuseBreaking(dataset, await context.relations.table(name), columns, decision.renamed)
    const proofs = dataset.incremental && (await provePart(session, dataset, columns, driving))
    const parts =
      proofs && driving.length > 0
        ? await touchedParts(context, session, dataset, columns, proofs, decision.all ?? false)
        : undefined
    if (!parts) await context.relations.define(session, driving)
    const rendered = renderSql(parts ? query : dataset.query)
    const computed = castRows(described, rendered, session.dialect)
    const { table: all, added } = await computing(dataset, columns, () =>
      writeTable(context, session, {
        name,
        columns,
        partitions: dataset.partitionBy,
        about: aboutTable(dataset),
        rows: parts ? parts.rows(computed) : computed,
        removed: parts?.removed ?? 'all',
        renamed: decision.renamed,
      }),
    )
    const before =
      parts || decision.lost ? context.relations.view.tables[name]?.retention : undefined
    const { table, expired, retention } = await withoutExpired(context, dataset, all, before)
    const checks = await holdChecks(context, session, dataset, table)
    const failure = brokenChecks(context, name, checks, dataset.place)
    const followed = proofs?.map(({ driving: { tier, name } }) => `${tier}.${name}`)
    const expiring = proofs
      ? expiringInputs(dataset, proofs).map(({ input }) => fullName(input))
      : []
    const state = {
      ...tableState(table, definitionOf(dataset, hash)),
      ...(followed ? { drivingInputs: followed } : {}),
      ...(expiring.length > 0 ? { expiringInputs: expiring } : {}),
      ...(retention ? { retention } : {}),
    }
    const written = added.reduce((sum, file) => sum + file.rows, 0)
    return {
      tables: { [name]: state },
      result: {
        rows: written,
        bytes: added.reduce((sum, file) => sum + file.bytes, 0),
        files: added.length,
        ...(parts || expired > 0
          ? { notes: [...(parts ? [parts.said] : []), ...saidOf(expired)] }
          : {}),
        ...(checks.length > 0 ? { checks } : {}),
      },
      written: { table, files: added },
      ...(failure ? { failure } : {}),
    }
  })
}

/** The columns as declared, or as the query gives them; a declared type that would round them is refused. */
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
