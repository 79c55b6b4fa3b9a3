import { fullName } from '../../define/dataset.js'
import { inputsOf } from '../../define/inputs.js'
import type { Gold } from '../../define/model.js'
import { keptFrom, retentionOf } from '../../define/retention.js'
import { count } from '../../engine/count.js'
import { finalRows } from '../../gold/final-rows.js'
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
