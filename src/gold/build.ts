import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { Gold } from '../define/model.js'
import { historiesIn, renderSql } from '../define/sql/sql.js'
import type { Session } from '../engine/engine.js'
import type { BuildDecision, View } from '../plan/decision.js'
import { wouldDrop } from '../plan/refused/loss.js'
import { type StepContext, withSession } from '../step/context.js'
import { refuseBreaking } from '../step/schema-change.js'
import type { StepOutput } from '../step/task/output.js'
import { aboutTable, writeTable } from '../step/write-table.js'
import { type BucketQuery, queryOfBucket, rowsOfBucket } from './buckets.js'
import { castRows, computing, type GoldColumns } from './casts.js'
import { checkPartitions, describeGold } from './describe.js'
import type { PartProof } from './partition.js'
import { defineEmpty, drivingOf, expiringInputs, queryOfPart, touchedParts } from './partitions.js'
import { provePart } from './prove.js'
import type { TouchedParts } from './replaced-parts.js'

/** Computes a gold dataset from its inputs: all of it, or the parts that changed rows touch. */
export async function buildGold(
  context: StepContext,
  dataset: Gold,
  decision: BuildDecision,
): Promise<StepOutput> {
  const name = fullName(dataset)
  return withSession(context, name, async (session) => {
    const computed = await computedRows(context, session, dataset, decision)
    const { described, parts, proofs, bucket } = computed
    const written = await computing(dataset, described.fields, () =>
      writeTable(context, session, {
        name,
        columns: described.fields,
        partitions: dataset.partitionBy,
        about: aboutTable(dataset),
        rows: computed.rows,
        removed: parts?.removed ?? 'all',
        renamed: decision.renamed,
      }),
    )
    await bucket?.forget()
    const { output, added } = written
    const state = stateOf(dataset, proofs, context.relations.view)
    return {
      tables: { [name]: { ...output, state } },
      result: {
        rows: added.reduce((sum, file) => sum + file.rows, 0),
        bytes: added.reduce((sum, file) => sum + file.bytes, 0),
        files: added.length,
        ...(parts ? { notes: [parts.said] } : {}),
      },
    }
  })
}

/** Rows of a gold dataset, which are not computed yet. */
interface Computed {
  described: GoldColumns
  /** Where its query can be computed part by part. */
  proofs: readonly PartProof[] | undefined
  /** The parts that are computed, where not all are. */
  parts: TouchedParts | undefined
  /** The bucket of values that is computed, where not all are. */
  bucket: BucketQuery | undefined
  /** SQL for the rows. */
  rows: string
}

/** Binds a dataset's query over its inputs, and finds which parts of it are to be computed. */
async function computedRows(
  context: StepContext,
  session: Session,
  dataset: Gold,
  decision: BuildDecision,
): Promise<Computed> {
  const { relations } = context
  const driving = decision.mode === 'incremental' ? drivingOf(context, dataset) : []
  const others = inputsOf(dataset).filter((input) => !driving.includes(input))
  await relations.define(session, others)
  await relations.defineHistories(session, historiesIn(dataset.query))
  // A part looks at few rows of the inputs that decide: all of them need not even be bound.
  for (const input of driving) await defineEmpty(context, session, dataset, input)
  const query = driving.length > 0 ? queryOfPart(dataset, driving) : dataset.query
  const described = await describeGold(session, { ...dataset, query })
  const columns = described.fields
  checkPartitions(dataset, columns)
  if (!context.allowBreaking)
    refuseBreaking(dataset, await relations.table(fullName(dataset)), columns, decision.renamed)
  const proofs = dataset.incremental && (await provePart(session, dataset, columns, driving))
  const parts =
    proofs && driving.length > 0
      ? await touchedParts(context, session, dataset, columns, proofs, decision.all ?? false)
      : undefined
  const { avoids } = decision
  if (avoids && (!parts || parts.touchAny(avoids.parts ?? []))) throw wouldDrop(dataset, avoids)
  if (!parts) await relations.define(session, driving)
  const { part } = context
  const bucket =
    part?.by === 'values' ? await queryOfBucket(session, dataset, columns, part) : undefined
  const own = bucket?.query ?? (parts ? query : dataset.query)
  const computed = castRows(described, renderSql(own), session.dialect)
  const chosen = bucket ? rowsOfBucket(computed, columns, bucket) : computed
  return { described, proofs, parts, bucket, rows: parts ? parts.rows(computed) : chosen }
}

/** What the log says of a table that is kept up to date by parts. */
export function stateOf(dataset: Gold, proofs: readonly PartProof[] | undefined, view: View) {
  if (!proofs) return {}
  const expiring = expiringInputs(dataset, proofs, view).map(({ input }) => fullName(input))
  return {
    ...(dataset.incremental ? { partColumn: dataset.incremental.by } : {}),
    drivingInputs: proofs.map(({ driving: { tier, name } }) => `${tier}.${name}`),
    ...(expiring.length > 0 ? { expiringInputs: expiring } : {}),
  }
}
