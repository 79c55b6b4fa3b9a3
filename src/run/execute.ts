import type { Lake } from '../define/lake.js'
import { MoraineError } from '../errors.js'
import { refuseWriting } from '../log/format/features.js'
import { CommitLog } from '../log/log.js'
import { lakeDefinition } from '../plan/fingerprint.js'
import { select } from '../plan/graph.js'
import { hash } from '../step/context.js'
import type { RunRecord } from '../step/events.js'
import type { RunOptions } from './options.js'
import { Run } from './run.js'

/** Sources are read on main alone: what was read twice would be two truths. */
function refuseIntake({ branch, backfill, reread = [], acceptShrink = [], retry }: RunOptions) {
  if (branch === undefined) return
  if (!backfill && reread.length + acceptShrink.length === 0 && retry === undefined) return
  throw new MoraineError('usage', `Sources are read on main, and not on branch ${branch}`, {
    hint: `Read them again on main (moraine run --branch main), then bring the branch up to date: moraine branch refresh ${branch}`,
  })
}

/**
 * Brings a lake up to date: takes in what sources offer (each batch its own commit), then builds
 * what that changes, and publishes all that passed in one commit.
 *
 * Failures of single steps are told by the record; only what keeps the run from starting is thrown.
 */
export async function runLake(lake: Lake, options: RunOptions): Promise<RunRecord> {
  const log = options.log ?? new CommitLog(options.storage)
  await log.probe()
  const datasets = select(lake, options.select ?? [])
  refuseIntake(options)
  const begun = await log.head()
  refuseWriting(begun)
  log.definition = lakeDefinition(lake.datasets, hash).slice(0, 16)
  return new Run(lake, datasets, log, options).execute(begun)
}
