import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { AnyInput, Gold, Silver, Sql } from '../define/model.js'
import { retentionOf } from '../define/retention.js'
import { quoteName, renderSql } from '../define/sql/sql.js'
import { sqlOnOneLine } from '../define/sql/sql-normal.js'
import type { Field } from '../define/types/column-type.js'
import type { Session } from '../engine/engine.js'
import { toColumnType } from '../iceberg/spec/types.js'
import type { TableName } from '../plan/incremental.js'
import { monotonicColumn } from '../plan/monotonic.js'
import { expiredBefore } from '../plan/refused/expired.js'
import type { StepContext } from '../step/context.js'
import { tableFiles } from '../step/table-files.js'
import { type DrivingInput, drivingInput } from './driving-input.js'
import { Part, type PartProof } from './partition.js'
import { partSchema } from './prove.js'
import { replacedBy, type TouchedParts } from './replaced-parts.js'

/** An input whose rows may go, and the parts that were made of them stay. */
export interface ExpiringInput {
  input: Silver | Gold
  /** The column by which they go, and the parts rise. */
  column: string
  /** Before which time rows have gone by it, where some have. */
  until: string | undefined
  proof: PartProof
}

/**
 * Inputs whose rows go by the column that the parts rise with: parts from before what is kept are
 * then final. They stay so where rows have gone, whatever has become of `keep` since.
 */
export function expiringInputs(
  dataset: Gold,
  proofs: readonly PartProof[],
  { tables }: StepContext['relations']['view'],
): ExpiringInput[] {
  return proofs.flatMap((proof) => {
    const input = inputsOf(dataset).find((one) => isNamed(one, proof.driving))
    if (!input || input.tier === 'bronze' || input.tier === 'external') return []
    const column = monotonicColumn(proof.expression)
    if (column === undefined) return []
    const until = expiredBefore(tables[fullName(input)]?.retention, column)
    const expires = retentionOf(input)?.by.toLowerCase() === column.toLowerCase()
    return until || expires ? [{ input, column, until, proof }] : []
  })
}

/** Closes the parts of which rows are gone. Returns the inputs that they are gone from. */
export async function closeParts(
  { relations }: Pick<StepContext, 'relations'>,
  part: Part,
  expiring: readonly ExpiringInput[],
): Promise<string[]> {
  const gone: Parameters<Part['close']>[0][number][] = []
  const expired: string[] = []
  for (const { input, column, until, proof } of expiring) {
    const table = until && (await relations.table(fullName(input)))
    const field = table
      ? table.schema.fields.find((f) => f.name.toLowerCase() === column.toLowerCase())
      : undefined
    if (!until || !field) continue
    const type = toColumnType(field.type)
    gone.push({ until: new Date(until), proof, column: field.name, type })
    expired.push(fullName(input))
  }
  await part.close(gone)
  return expired
}

/** Finds the parts that rows of driving inputs touch which are new, gone or changed. */
export async function touchedParts(
  context: StepContext,
  session: Session,
  dataset: Gold,
  columns: readonly Field[],
  proofs: readonly PartProof[],
  all: boolean,
): Promise<TouchedParts | undefined> {
  const { by, affects } = dataset.incremental as NonNullable<Gold['incremental']>
  const column = columns.find((c) => c.name.toLowerCase() === by.toLowerCase()) as Field
  const part = new Part(session, column, affects)
  const gold = await context.relations.table(fullName(dataset))
  if (!gold) return undefined
  const expiring = expiringInputs(dataset, proofs, context.relations.view)
  const expired = await closeParts(context, part, expiring)
  const inputs: { dataset: AnyInput; proof: PartProof; input: DrivingInput }[] = []
  for (const proof of proofs) {
    const driving = inputsOf(dataset).find((input) => isNamed(input, proof.driving))
    const input = driving && (await drivingInput(context, session, dataset, driving, all))
    // Where nobody knows what changed, all parts are computed, but for those that can't be any
    // more.
    if (driving && !input && expired.length > 0 && !all)
      return touchedParts(context, session, dataset, columns, proofs, true)
    if (!input) return undefined
    inputs.push({ dataset: driving, proof, input })
  }
  const whole = async () =>
    session.tables.scan(gold.schema, tableFiles(context.storage, gold, await gold.plan()))
  const there = all ? `SELECT ${quoteName(column.name)} FROM (${await whole()})` : undefined
  await part.find(
    inputs.map(({ input, proof }) => ({ rows: input.changed, proof })),
    there,
  )
  for (const { dataset: driving, proof, input } of inputs) {
    const rows = await input.rows(part, proof)
    const read = `SELECT * FROM (${rows}) WHERE ${part.isRead(proof)}`
    await session.define(partSchema(dataset, driving), driving.name, read)
  }
  return replacedBy({ context, session, columns, by, part, gold, expired })
}

/** Whether a proof is about a dataset. */
export function isNamed(dataset: AnyInput, { tier, name }: TableName): boolean {
  return fullName(dataset).toLowerCase() === `${tier}.${name}`.toLowerCase()
}

/** The inputs whose rows decided which parts there are, when the table was last built. */
export function drivingOf({ relations }: StepContext, dataset: Gold): AnyInput[] {
  const names = relations.view.tables[fullName(dataset)]?.drivingInputs ?? []
  return inputsOf(dataset).filter((input) => names.includes(fullName(input)))
}

/** The dataset's query over a part's rows of the inputs that decide. */
export function queryOfPart(
  dataset: Gold,
  driving: readonly AnyInput[],
  bucket?: string,
): Gold['query'] {
  const ofPart = (query: Sql): Sql => ({
    ...query,
    parts: query.parts.map((part) => {
      if (part.kind !== 'dataset') return part
      const { dataset: input } = part
      // A view stands for its query, in which there may be an input that decides.
      if (input.tier === 'gold' && input.view)
        return { kind: 'text', text: `(${sqlOnOneLine(renderSql(ofPart(input.query)))})` }
      if (!driving.includes(input)) return part
      const text = `${quoteName(partSchema(dataset, input, bucket))}.${quoteName(input.name)}`
      return { kind: 'text', text }
    }),
  })
  return ofPart(dataset.query)
}

/** Makes the columns of an input that decides known, before it is known which of its rows count. */
export async function defineEmpty(
  { relations }: StepContext,
  session: Session,
  dataset: Gold,
  driving: AnyInput,
): Promise<void> {
  const empty =
    driving.tier === 'bronze'
      ? await relations.bronzeRelation(
          session,
          (relations.view.batches[fullName(driving)] ?? []).slice(-1),
          driving.from.columns ?? [],
        )
      : {
          sql: session.tables.scan((await relations.table(fullName(driving)))?.schema as never, []),
        }
  await session.define(
    partSchema(dataset, driving),
    driving.name,
    `SELECT * FROM (${empty.sql}) WHERE false`,
  )
}
