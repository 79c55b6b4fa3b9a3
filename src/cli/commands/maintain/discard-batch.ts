import type { Command } from 'commander'
import { discardBatch } from '../../../bronze/discard-batch.js'
import { fullName } from '../../../define/dataset.js'
import { MoraineError } from '../../../errors.js'
import { named } from '../../../plan/graph.js'
import { currentUser } from '../../../step/context.js'
import { again } from '../../branch/again.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural, toJson } from '../../output/format.js'
import { openProject, print } from '../../project.js'

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
  const { lake, storage, log, json } = await openProject(command)
  const found = named(lake, what).filter(({ tier }) => tier === 'bronze')
  const [dataset] = found
  if (!dataset)
    throw new MoraineError('usage', `'${what}' is not a bronze dataset`, {
      hint: 'Only bronze datasets have batches. Rows derived from the batch are removed as well.',
    })
  const name = fullName(dataset)
  const before = await log.head()
  const done = await discardBatch(storage, log, name, which, currentUser())
  if (json) print(toJson(done, 2))
  else {
    const rows = plural(done.rows, 'row')
    print(
      `${colors.green('✔')} Commit ${done.commit}: batch ${done.batch} of ${name} (${rows}) is no longer part of the lake.`,
    )
    if (done.tables.length > 0)
      print(`The next run rebuilds what was derived from it: ${done.tables.join(', ')}.`)
    const next = done.unknown
      ? 'Its manifest cannot be read, so its source files are unknown: the next run ingests those that still exist again.'
      : 'Its source files are not read again unless they change.'
    print(
      again(`${next} Nothing was deleted; undo this with: moraine rollback --to ${before.number}`),
    )
  }
  return 0
}
