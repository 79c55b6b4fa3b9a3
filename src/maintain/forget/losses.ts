import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import type { LakeState, TableState } from '../../log/commit.js'
import { decide } from '../../plan/decide.js'
import { lossOf } from '../../plan/refused/loss.js'
import { hash } from '../../step/context.js'
import { refusal } from './refusal.js'
import { madeOf, type Removal } from './removal.js'

/**
 * Whether what has to be built anew still has all of its rows: what is rebuilt, and what is made of
 * tables that change, or looks something up in them.
 *
 * @throws MoraineError of kind `usage` for the first dataset that would lose some.
 */
export function refuseLoss(lake: Lake, state: LakeState, removal: Removal): void {
  const { rebuilt, tables: touched } = removal
  const tables = { ...state.tables }
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
    const decision = decide(dataset, { ...state, tables }, options)
    if (decision.action !== 'build') continue
    const loss = lossOf(dataset, decision)
    if (loss)
      throw refusal(
        `To forget these rows, ${loss.message}`,
        rebuilt.has(name)
          ? 'Declare which of its columns identify the rows (identifies), or restore what has expired.'
          : `Restore what has expired, or build it from what is left: moraine run ${name} --full --allow-loss.`,
      )
    change(name)
  }
}
