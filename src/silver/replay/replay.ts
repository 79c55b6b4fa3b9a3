import { fullName } from '../../define/dataset.js'
import type { Silver } from '../../define/model.js'
import { count } from '../../engine/count.js'
import type { Relation, Session } from '../../engine/engine.js'
import type { TableState } from '../../log/commit.js'
import type { StepOutput } from '../../step/task/output.js'
import type { Replay } from '../../step/task/task.js'
import { deduplicate, withoutOutrun } from '../deduplicate.js'
import { areSame, proveSame } from '../input/places.js'
import { mergeRows } from '../merged.js'
import type { Validated, Work } from '../stages.js'
import { isStale } from '../stale.js'
import { type Tally, tallyRows, validate } from '../validate.js'
import { writeStep } from '../write.js'
import { type Chosen, chooseReplayed } from './choose.js'

/**
 * Validates discarded rows again: those that pass now enter the table, unless it has a newer row of
 * their key; the others stay where they are.
 *
 * @returns `undefined` where that would change nothing.
 */
export async function replayDiscarded(work: Work, replay: Replay): Promise<StepOutput | undefined> {
  const { context, session, dataset } = work
  const chosen = await chooseReplayed(work, replay)
  if (!chosen) return undefined
  const { decision, rows, before, definitionChanged, isAll, others } = chosen
  const { validated, tally } = await judge(work, chosen)
  await proveSame(session, dataset, rows, tally)
  const isPartial = others !== undefined && (await wouldChange(work, others))
  const leaving = await leavingOf(session, rows, validated)
  if (!leaving.some && (isPartial || !definitionChanged)) return undefined
  const all = await deduplicate(session, dataset, { validated, tally })
  const judged = { decision, validated, deduplicated: all }
  const deduplicated = await withoutOutrun(context, session, dataset, judged)
  const ready = { dataset, decision, validated, tally, deduplicated }
  const merged = await mergeRows(context, session, ready)
  // Only all of a key's rows tell which one is the newest.
  const isNow = isAll ? isStale(dataset, merged.stale) : undefined
  const left = isNow ? await leavingOf(session, rows, validated, isNow) : leaving
  const output = await writeStep(context, session, merged, left.relation)
  return isPartial ? keepDefinition(dataset, output, before) : output
}

/** What discarded rows are by the definition of now. */
async function judge(
  { context, session, dataset }: Work,
  { decision }: Chosen,
): Promise<{ validated: Validated; tally: Tally }> {
  const validated = await validate(context, session, dataset, decision)
  return { validated, tally: await tallyRows(session, validated) }
}

/** Whether discarded rows that are not meant would pass now, or have other reasons. */
async function wouldChange(work: Work, others: Chosen): Promise<boolean> {
  const { validated, tally } = await judge(work, others)
  if (!(await areSame(work.session, others.rows, tally))) return true
  return (await leavingOf(work.session, others.rows, validated)).some
}

/**
 * The rows that leave the discarded table, as they pass now or have other reasons.
 *
 * @param isNow SQL for a flagged row, `f`: whether it is stale, where it may leave for that as
 *   well.
 */
async function leavingOf(
  session: Session,
  { sql: rows }: Relation,
  { flagged }: Pick<Validated, 'flagged'>,
  isNow?: string,
): Promise<{ relation: Relation; some: boolean }> {
  const place = ['_source_line', '_source_file', '_batch'].map((name) => `r.${name} = f.${name}`)
  const same = [...place, 'r.reasons = f._reasons', ...(isNow ? ['r._stale = f._now'] : [])]
  const found = isNow ? `(SELECT f.*, ${isNow} AS _now FROM ${flagged.sql} AS f)` : flagged.sql
  const relation = await session.materialize(
    `SELECT r.* FROM ${session.dialect.rows.antiJoin(`${rows} AS r`, `${found} AS f`, { on: same.join(' AND ') })}`,
  )
  const some = (await count(session, `SELECT count(*) AS n FROM ${relation.sql}`)) > 0
  return { relation, some }
}

/**
 * Leaves tables with the definition that they have, as not all discarded rows were validated by the
 * one of now. The rows that entered keep to neither for certain: the next run builds all.
 */
function keepDefinition(
  dataset: Silver,
  output: StepOutput,
  { definition }: Pick<TableState, 'definition'>,
): StepOutput {
  const rebuild = 'a replay has validated only some of its discarded rows by the changed rules'
  const entries = Object.entries(output.tables).map(([name, table]) => {
    const own = name === fullName(dataset) ? { rebuild } : {}
    return [name, { ...table, state: { ...table.state, definition, ...own } }] as const
  })
  const note =
    'other discarded rows would be treated differently as well, so the next run rebuilds it from all of its rows'
  const notes = [...(output.result.notes ?? []), note]
  return { ...output, tables: Object.fromEntries(entries), result: { ...output.result, notes } }
}
