import { fullName } from '../define/dataset.js'
import type { Gold } from '../define/model.js'
import type { Shape } from '../iceberg/change.js'
import type { DataFile } from '../iceberg/spec/manifest.js'
import type { BuildDecision } from '../plan/decision.js'
import { wouldDrop } from '../plan/refused/loss.js'
import { type StepContext, withSession } from '../step/context.js'
import { refuseBreaking } from '../step/schema-change.js'
import { aboutTable, shapeOf, writeTable } from '../step/write-table.js'
import { checkPartitions, describeGold } from './describe.js'
import { overColumns } from './over-columns.js'
import type { PartProof } from './partition.js'
import { drivingOf, touchedParts } from './partitions.js'
import { type ComputedParts, partsToCompute } from './parts-elsewhere.js'
import { type Portable, portableSql } from './portable.js'
import { provePart } from './prove.js'
import { yearsOf } from './years.js'

/** What is to be computed, and what is done about it in this process. */
interface Prepared {
  shape: Shape
  proofs: readonly PartProof[] | undefined
  /** The parts that are computed, where not all are. */
  parts: Pick<ComputedParts, 'removed' | 'said' | 'some'> | undefined
  /** Files with rows that only share a file with those of the parts. */
  others: readonly DataFile[]
  sql: string
}

/** Finds what another engine is to compute, and writes what it is not. */
export async function prepareElsewhere(
  context: StepContext,
  dataset: Gold,
  decision: BuildDecision,
  engine: Portable,
): Promise<Prepared> {
  const { relations, allowBreaking } = context
  const { renamed, avoids } = decision
  const name = fullName(dataset)
  const { fields, proofs, whole } = await overColumns(context, dataset, async (session) => {
    const described = await describeGold(session, dataset)
    const { fields } = described
    checkPartitions(dataset, fields)
    if (!allowBreaking) refuseBreaking(dataset, await relations.table(name), fields, renamed)
    const proofs = dataset.incremental && (await provePart(session, dataset, fields, undefined))
    const portable = { ...engine, years: () => yearsOf(relations, dataset) }
    return { fields, proofs, whole: await portableSql(session, dataset, described, portable) }
  })
  return withSession(context, name, async (session) => {
    const about = aboutTable(dataset)
    const work = { columns: fields, partitions: dataset.partitionBy, about, renamed }
    const shape = shapeOf(work)
    const isPart = decision.mode === 'incremental' && drivingOf(context, dataset).length > 0
    const touched =
      proofs && isPart
        ? await touchedParts(context, session, dataset, fields, proofs, decision.all ?? false)
        : undefined
    const parts = touched && (await partsToCompute(dataset, whole, touched, engine))
    if (avoids && (!parts || parts.touchAny(avoids.parts ?? []))) throw wouldDrop(dataset, avoids)
    if (!parts) return { shape, proofs, parts, others: [], sql: whole }
    const { removed, others, sql } = parts
    const rows = removed.size > 0 ? others : undefined
    const { added } = await writeTable(context, session, { name, ...work, rows, removed })
    return { shape, proofs, parts, others: added, sql }
  })
}
