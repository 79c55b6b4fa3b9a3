import { fullName } from '../../define/dataset.js'
import { inputsOf } from '../../define/inputs.js'
import type { Gold } from '../../define/model.js'
import { keptFrom, retentionOf } from '../../define/retention.js'
import { count } from '../../engine/count.js'
import { finalRows, touchesParts } from '../../gold/final-rows.js'
import type { Adopted } from '../../log/commit.js'
import { adoptedText } from '../../plan/decide.js'
import { hasSeen, lastNumber } from '../../plan/offsets.js'
import { tableFiles } from '../../step/table-files.js'
import { consequencesOf } from './losses.js'
import type { SearchContext } from './options.js'
import { refusal } from './refusal.js'
import { madeOf, type Removal } from './removal.js'

/**
 * Partitions of gold that are final, as rows which they were made of have expired, can't be
 * computed without a person.
 *
 * @throws MoraineError of kind `usage` for a table that has some, or may get some by the next run.
 */
export async function refuseFinalParts(context: SearchContext, removal: Removal): Promise<void> {
  const { lake, state, session, relations } = context
  for (const dataset of madeOf(lake, removal)) {
    const name = fullName(dataset)
    if (dataset.tier !== 'gold' || !dataset.incremental || !state.tables[name]) continue
    refuseExpiring(context, dataset)
    const sql = await finalRows(session, relations, dataset)
    const rows = sql ? await count(session, `SELECT count(*) AS n FROM (${sql})`) : 0
    if (rows > 0)
      throw refusal(
        `${name} has ${rows === 1 ? '1 row' : `${rows} rows`} in partitions that are final: the rows that they were made of have expired, so they can't be computed without the person`,
        `Compute it from the rows that are left: moraine run ${name} --full --allow-loss. If that leaves some, as its partitions are longer than those of keep, take it out of lake.ts, drop it (moraine drop ${name}), and define it again once the rows are forgotten.`,
      )
  }
}

/** The run that forgets the rows in gold would make partitions final that have some. */
function refuseExpiring({ state }: SearchContext, dataset: Gold): void {
  for (const input of inputsOf(dataset)) {
    if (input.tier !== 'silver' && input.tier !== 'gold') continue
    const retention = retentionOf(input)
    const table = state.tables[fullName(input)]
    if (!retention || !table) continue
    const { column, oldest } = table.retention ?? {}
    const from = keptFrom(retention, new Date()).getTime()
    if (column !== retention.by || (oldest !== undefined && Date.parse(oldest) < from))
      throw refusal(
        `Rows of ${fullName(input)} are to expire, which makes partitions of ${fullName(dataset)} final`,
        'Bring the lake up to date first: moraine run.',
      )
  }
}

/**
 * Parts of gold that other engines have changed are theirs: no build computes them again, as that
 * would drop what they wrote (ADR 94).
 *
 * @throws MoraineError of kind `usage` for a table of which the run that follows would have to
 *   compute such parts.
 */
export async function refuseOthersParts(context: SearchContext, removal: Removal): Promise<void> {
  const { lake, relations } = context
  const built = new Set<string>()
  for (const { dataset, decision } of consequencesOf(lake, relations.view, removal)) {
    if (dataset.tier === 'gold' && decision.avoids)
      await refuseOne(context, removal, { dataset, adopted: decision.avoids, built })
    // What only lets rows expire waits until the rows are forgotten.
    if (!decision.expires) built.add(fullName(dataset))
  }
}

/** Gold of which engines have changed parts, and what is built before it. */
interface Others {
  dataset: Gold
  adopted: Adopted
  built: ReadonlySet<string>
}

async function refuseOne(
  context: SearchContext,
  removal: Removal,
  { dataset, adopted, built }: Others,
): Promise<void> {
  const { session, storage, relations } = context
  const { view } = relations
  const name = fullName(dataset)
  const seen = view.offsets[name] ?? {}
  const isBehind = inputsOf(dataset).some((input) =>
    input.tier === 'bronze'
      ? Number(seen[fullName(input)] ?? 0) < lastNumber(fullName(input), view)
      : !hasSeen(seen[fullName(input)], input, view),
  )
  const others = inputsOf(dataset)
    .map(fullName)
    .find((input) => built.has(input))
  const changed = new Map(
    removal.tables
      .filter(({ rows }) => rows > 0)
      .map(({ name: input, table, tasks, condition }) => {
        const rows = session.tables.scan(table.schema, tableFiles(storage, table, tasks))
        return [input, `SELECT * FROM (${rows}) AS r WHERE ${condition}`]
      }),
  )
  const ranges = adopted.parts ?? [{ any: true }]
  const isTouched =
    isBehind ||
    others !== undefined ||
    (await touchesParts(session, relations, dataset, { ranges, changed }))
  if (!isTouched) return
  const first =
    isBehind || others !== undefined
      ? 'Bring the lake up to date (moraine run). If that does not help, have'
      : 'Have'
  throw refusal(
    `To forget these rows, ${name} would be computed from its inputs, without ${adoptedText(adopted)}`,
    `${first} what they have changed written to a table that is an input of ${name}, or drop it: moraine run ${name} --full --allow-loss.`,
  )
}
