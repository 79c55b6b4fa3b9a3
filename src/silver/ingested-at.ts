import { quoteText } from '../define/sql/sql.js'
import type { Session } from '../engine/engine.js'
import type { BuildDecision } from '../plan/decision.js'
import type { StepContext } from '../step/context.js'

/**
 * SQL for a relation that has `_batch`, with `_ingested_at` beside its columns: when the batch of
 * each row came.
 */
export type WithIngestedAt = (relation: string) => string

/**
 * Says when rows came. A row keeps the time of its batch however often its table is built; rows of
 * other tables have the time of the run.
 *
 * @param batches the batches that the step reads, beside those of its windows.
 */
export async function ingestedAtOf(
  { relations, started }: Pick<StepContext, 'relations' | 'started'>,
  session: Session,
  inputs: readonly string[],
  { mode, windows }: BuildDecision,
): Promise<WithIngestedAt> {
  const found = new Map(windows.map((window) => [window.dataset, window.batches]))
  const rest = mode === 'full' ? inputs.filter((name) => !found.has(name)) : []
  const pointers = [
    ...[...found.values()].flat(),
    ...rest.flatMap((name) => relations.view.batches[name] ?? []),
  ]
  const manifests = await relations.batches.manifests(pointers)
  const { lists, texts, values } = session.dialect
  const element = { kind: 'timestamptz' } as const
  const type = values.type(element)
  const now = `CAST(${quoteText(started.toISOString())} AS ${type})`
  const created = new Set(manifests.map(({ created }) => created))
  if (created.size === 0) return (relation) => `(SELECT *, ${now} AS _ingested_at FROM ${relation})`
  const [only] = created
  if (created.size === 1) {
    const then = `CAST(${quoteText(only as string)} AS ${type})`
    const at = `CASE WHEN _batch IS NULL THEN ${now} ELSE ${then} END`
    return (relation) => `(SELECT *, ${at} AS _ingested_at FROM ${relation})`
  }
  const own = manifests[0]?.dataset
  if (manifests.every(({ dataset }) => dataset === own)) {
    // By the number that a batch's name begins with: a join would change the order of the rows.
    const numberOf = (batch: string) => Number.parseInt(batch, 10)
    const numbers = manifests.map(({ batch }) => numberOf(batch))
    const first = numbers.reduce((a, b) => Math.min(a, b))
    const last = numbers.reduce((a, b) => Math.max(a, b))
    const list: string[] = Array.from({ length: last - first + 1 }, () => 'NULL')
    for (const one of manifests) list[numberOf(one.batch) - first] = quoteText(one.created)
    const index = `CAST(${texts.before('_batch', '-')} AS BIGINT) - ${first - 1}`
    const array = `CAST(${lists.of(...list)} AS ${values.type({ kind: 'list', element })})`
    return (relation) =>
      `(SELECT *, coalesce(${lists.at(array, index)}, ${now}) AS _ingested_at FROM ${relation})`
  }
  const rows = manifests.map((one) => `(${quoteText(one.batch)}, ${quoteText(one.created)})`)
  const { sql: times } = await session.materialize(
    `SELECT b AS _of, CAST(t AS ${type}) AS _then FROM (VALUES ${rows.join(', ')}) AS v(b, t)`,
  )
  return (relation) =>
    `(SELECT r.*, coalesce(_then, ${now}) AS _ingested_at FROM ${relation} AS r LEFT JOIN ${times} ON _of = r._batch)`
}
