import type { Command } from 'commander'
import { rememberBatch } from '../../../bronze/database/discarded.js'
import { type Discarded, discardBatch } from '../../../bronze/discard-batch.js'
import { fullName } from '../../../define/dataset.js'
import type { Bronze } from '../../../define/model.js'
import { MoraineError } from '../../../errors.js'
import type { BatchPointer, LakeState } from '../../../log/commit.js'
import { named } from '../../../plan/graph.js'
import { currentUser } from '../../../step/context.js'
import { again } from '../../branch/again.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural, toJson } from '../../output/format.js'
import { openProject, type Project, print } from '../../project.js'

export function define(command: Command): Command {
  return command
    .argument('<dataset>', 'a bronze dataset')
    .argument('<batch>', 'name of the batch (the _batch column of its rows), or its number')
    .addHelpText(
      'after',
      examples(
        [
          'a file that should not have been ingested',
          'moraine discard-batch bronze.orders 000012-1f3ac09d',
        ],
        ['by its number', 'moraine discard-batch bronze.orders 12'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const [what, which] = command.args as [string, string]
  await using project = await openProject(command)
  const { lake, storage, log, json } = project
  const found = named(lake, what).filter(({ tier }) => tier === 'bronze')
  const dataset = found[0] as Bronze | undefined
  if (!dataset)
    throw new MoraineError('usage', `'${what}' is not a bronze dataset`, {
      hint: 'Only bronze datasets have batches. Rows derived from the batch are removed as well.',
    })
  const name = fullName(dataset)
  const before = await log.head()
  const remember = rememberingOf(project, dataset)
  const done = await discardBatch({ storage, log, author: currentUser(), remember }, name, which)
  if (json) print(toJson(done, 2))
  else {
    const rows = plural(done.rows, 'row')
    print(
      `${colors.green('✔')} Commit ${done.commit}: batch ${done.batch} of ${name} (${rows}) is no longer part of the lake.`,
    )
    if (done.tables.length > 0)
      print(`The next run rebuilds what was derived from it: ${done.tables.join(', ')}.`)
    print(
      again(
        `${nextOf(done, dataset)} Nothing was deleted; undo this with: moraine rollback --to ${before.number}`,
      ),
    )
  }
  return 0
}

/** Rows of a database are known by what they hold, which takes an engine. */
function rememberingOf(project: Project, dataset: Bronze) {
  if (dataset.from.kind !== 'database') return undefined
  const { storage } = project
  return async (state: LakeState, pointer: BatchPointer) => {
    const engine = await project.engine()
    const lake = { storage, engine, signal: project.stopped(), progress: () => {}, state }
    return rememberBatch(lake, dataset, pointer)
  }
}

/** What the next run does about what a batch was made from. */
function nextOf({ again: comes, unknown }: Discarded, { from }: Bronze): string {
  if (comes)
    return `The next run reads rows of it again, from the watermark on${from.kind === 'database' && from.compareKeys ? ', and those whose keys the lake lacks' : ''}: there are too many to remember, or they cannot be read.`
  if (unknown)
    return 'Its manifest cannot be read, so its source files are unknown: the next run ingests those that still exist again.'
  return from.kind === 'database'
    ? 'Its rows are not read again unless they change.'
    : 'Its source files are not read again unless they change.'
}
