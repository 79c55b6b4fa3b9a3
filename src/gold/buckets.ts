import { inputsOf } from '../define/inputs.js'
import type { AnyInput, Gold } from '../define/model.js'
import { quoteName, reference } from '../define/sql/sql.js'
import type { Field } from '../define/types/column-type.js'
import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import type { StepContext } from '../step/context.js'
import { sizesIn, sumOf } from '../step/task/split.js'
import type { Split, StepTask, ValuesPart } from '../step/task/task.js'
import { describeGold } from './describe.js'
import { overColumns } from './over-columns.js'
import type { PartProof } from './partition.js'
import { isNamed, queryOfPart } from './partitions.js'
import { partSchema, provePart } from './prove.js'

/*
 * What is proved for increments holds for any share of the values of a column: rows of the result
 * with these values depend on rows of the inputs that have them, and on no others of these inputs.
 * So a query can be computed by buckets of values, side by side.
 */

/** Columns that may tell parts: what the table is kept up to date by, and those of partitions. */
function candidatesOf({ incremental, partitionBy }: Gold): string[] {
  return [
    ...new Set([...(incremental ? [incremental.by] : []), ...partitionBy.map((p) => p.column)]),
  ]
}

/** By which column a gold step can be split, or why it can't. */
export async function splitOfGold(
  context: StepContext,
  dataset: Gold,
  { decision, split: known }: Pick<StepTask, 'decision' | 'split'>,
): Promise<Split> {
  const candidates = candidatesOf(dataset)
  const isWhole = decision.mode === 'incremental' || decision.expires || dataset.view
  if (isWhole || candidates.length === 0 || dataset.incremental?.affects) return known
  return overColumns(context, dataset, async (session) => {
    const columns = (await describeGold(session, dataset)).fields
    const reasons: string[] = []
    for (const column of candidates)
      try {
        const proofs = await provePart(session, byColumn(dataset, column), columns)
        return { by: 'values', column, ...sizeOf(context, dataset, proofs) }
      } catch (error) {
        if (!(error instanceof MoraineError) || error.kind !== 'definition') throw error
        reasons.push(error.message)
      }
    return {
      by: 'nothing',
      why: reasons
        .map((why) => why.replace(/^.*? cannot be updated incrementally /, ''))
        .join('; '),
    }
  })
}

const byColumn = (dataset: Gold, column: string): Gold => ({
  ...dataset,
  incremental: { by: column },
})

/** How much the inputs are that decide. */
function sizeOf({ relations: { view } }: StepContext, dataset: Gold, proofs: readonly PartProof[]) {
  return sumOf(drivingOf(dataset, proofs).flatMap(({ input }) => sizesIn(view, input)))
}

function drivingOf(dataset: Gold, proofs: readonly PartProof[]) {
  return proofs.flatMap((proof) => {
    const input = inputsOf(dataset).find((one) => isNamed(one, proof.driving))
    return input ? [{ input, proof }] : []
  })
}

/** The query of a bucket, which reads rows of the bucket alone where rows decide. */
export interface BucketQuery {
  query: Gold['query']
  /** SQL that a row of the result is one of the bucket. */
  isIn: string
  /** Forgets what the query reads. */
  forget(): Promise<void>
}

/**
 * Makes known to the engine which rows a bucket reads.
 *
 * @param columns those of the result.
 */
export async function queryOfBucket(
  session: Session,
  dataset: Gold,
  columns: readonly Field[],
  { column, index, of }: ValuesPart,
): Promise<BucketQuery> {
  const proofs = await provePart(session, byColumn(dataset, column), columns)
  const field = columns.find(({ name }) => name.toLowerCase() === column.toLowerCase()) as Field
  const { values } = session.dialect
  const isIn = (value: string) =>
    `${values.hash(`CAST((${value}) AS ${values.type(field.type)})`)} % ${of} = ${index}`
  const driving = drivingOf(dataset, proofs)
  const bucket = ` in ${index} of ${of}`
  const schemaOf = (input: AnyInput) => partSchema(dataset, input, bucket)
  for (const { input, proof } of driving)
    await session.define(
      schemaOf(input),
      input.name,
      `SELECT * FROM ${reference(input)} WHERE ${isIn(proof.sql)}`,
    )
  return {
    query: queryOfPart(
      dataset,
      driving.map(({ input }) => input),
      bucket,
    ),
    isIn: isIn(quoteName(field.name)),
    forget: async () => {
      for (const { input } of driving) await session.undefine(schemaOf(input), input.name)
    },
  }
}

/** SQL for those rows of a query that are in a bucket. */
export const rowsOfBucket = (computed: string, columns: readonly Field[], { isIn }: BucketQuery) =>
  `SELECT ${columns.map(({ name }) => quoteName(name)).join(', ')} FROM (${computed}) WHERE ${isIn}`
