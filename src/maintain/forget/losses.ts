import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import type { Gold, Silver } from '../../define/model.js'
import type { TableState } from '../../log/commit.js'
import { decide } from '../../plan/decide.js'
import type { BuildDecision, View } from '../../plan/decision.js'
import { lossOf } from '../../plan/refused/loss.js'
import { hash } from '../../step/context.js'
import { refusal } from './refusal.js'
import { madeOf, type Removal } from './removal.js'

/** A dataset that is made of what changes, and what a run would do for it. */
interface Consequence {
  dataset: Silver | Gold
  decision: BuildDecision
}

/**
 * What the run would build that follows on a removal: what is rebuilt, and what is made of tables
 * that change, or looks something up in them.
 *
 * @param view with tables of other engines that datasets read.
 */
export function* consequencesOf(lake: Lake, view: View, removal: Removal): Generator<Consequence> {
  const { rebuilt, tables: touched } = removal
  const tables = { ...view.tables }
  const change = (name: string) => {
    const { sameRowsAs: _, ...table } = tables[name] as TableState
    tables[name] = { ...table, metadata: `${table.metadata} without rows` }
  }
  for (const { name, rows } of touched) if (rows > 0) change(name)
  for (const [name, rebuild] of rebuilt) tables[name] = { ...(tables[name] as TableState), rebuild }
  // What a dataset reads comes before it.
  for (const dataset of madeOf(lake, removal)) {
    const name = fullName(dataset)
    if (dataset.tier === 'bronze' || !tables[name]) continue
    const options = { full: false, hash, now: new Date() }
    const decision = decide(dataset, { ...view, tables }, options)
    if (decision.action !== 'build') continue
    yield { dataset, decision }
    change(name)
  }
}

/**
 * Whether what has to be built anew still has all of its rows.
 *
 * @throws MoraineError of kind `usage` for the first dataset that would lose some.
 */
export function refuseLoss(lake: Lake, view: View, removal: Removal): void {
  for (const { dataset, decision } of consequencesOf(lake, view, removal)) {
    const loss = lossOf(dataset, decision)
    if (!loss) continue
    const name = fullName(dataset)
    throw refusal(
      `To forget these rows, ${loss.message}`,
      removal.rebuilt.has(name)
        ? 'Declare which of its columns identify the rows (identifies), or restore what has expired.'
        : `Restore what has expired, or build it from what is left: moraine run ${name} --full --allow-loss.`,
    )
  }
}
