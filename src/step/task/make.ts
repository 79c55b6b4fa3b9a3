import { fullName } from '../../define/dataset.js'
import type { Check, Gold, Silver } from '../../define/model.js'
import type { BuildDecision } from '../../plan/decision.js'
import { definitionOf } from '../../plan/fingerprint.js'
import { hash, type RunContext } from '../context.js'
import { Journal } from '../journal.js'
import { splitOf } from './split.js'
import type { Replay, StepTask } from './task.js'

/** A step of a run as plain data, on the state of the lake that the run's steps see. */
export async function taskOf(
  context: RunContext,
  dataset: Silver | Gold,
  decision: BuildDecision,
  replay?: Replay,
): Promise<StepTask> {
  const { run, started, allowBreaking, sample, rewriteUpTo, relations } = context
  return {
    version: 1,
    dataset: fullName(dataset),
    definition: definitionOf(dataset, hash),
    decision,
    ...(replay ? { replay } : {}),
    split: splitOf(dataset, decision, { replay, sample, view: relations.view }),
    settings: {
      run,
      started,
      allowBreaking,
      sample,
      rewriteUpTo,
      folders: foldersOf(context, dataset),
      rowsBefore: await rowsBefore(context, dataset),
    },
    view: relations.view,
  }
}

/** The tables that a step may write, which have its dataset's name. */
export function ownTables({ tier, name }: Silver | Gold): string[] {
  if (tier === 'gold') return [`gold.${name}`]
  return ['silver', 'discarded', 'deleted', 'history', 'tombstones'].map(
    (layer) => `${layer}.${name}`,
  )
}

/** Where a dataset's tables are to lie, where they do not exist yet. */
function foldersOf({ lake }: RunContext, dataset: Silver | Gold): Record<string, string> {
  const entries = ownTables(dataset).map((table) => {
    const [layer = '', ...rest] = table.split('.')
    const set = layer === 'silver' || layer === 'gold' ? lake.folders[layer] : undefined
    return [table, `${set ?? layer}/${rest.join('.')}`]
  })
  return Object.fromEntries(entries)
}

/**
 * How many rows a dataset had in the last runs that built it, newest first, where a check asks for
 * that.
 */
async function rowsBefore(
  { storage, branch }: Pick<RunContext, 'storage' | 'branch'>,
  dataset: Silver | Gold,
): Promise<number[]> {
  const asked = dataset.checks.map((check: Check) =>
    check.check === 'usual rows' ? check.runs : 0,
  )
  const runs = Math.max(0, ...asked)
  if (runs === 0) return []
  const entries = await new Journal(storage).latestOn(branch, runs * 10)
  return entries
    .flatMap(({ record }) => {
      const step = record?.steps.find((one) => one.dataset === fullName(dataset))
      if (step?.outcome !== 'done') return []
      const rows = step.counts?.in ?? step.rows
      return rows === undefined || rows === 0 ? [] : [rows]
    })
    .slice(0, runs)
}
