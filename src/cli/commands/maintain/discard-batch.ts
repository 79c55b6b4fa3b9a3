import type { Command } from 'commander'
import { discardBatch } from '../../../bronze/discard-batch.js'
import { fullName } from '../../../define/dataset.js'
import { MoraineError } from '../../../errors.js'
import { named } from '../../../plan/graph.js'
import { currentUser } from '../../../step/context.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural, toJson } from '../../output/format.js'
import { openProject, print } from '../../project.js'

export function define(command: Command): Command {
  return command
    .argument('<dataset>', 'a bronze dataset')
    .argument('<batch>', "the batch's name, as the column _batch of its rows has it, or its number")
    .addHelpText(
      'after',
      examples(
        ['a file that should not have come', 'moraine discard-batch bronze.orders 000012-1f3ac09d'],
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
    throw new MoraineError('usage', `'${what}' is no bronze dataset`, {
      hint: 'Batches are what a bronze dataset takes in. What other tables made of one goes with it.',
    })
  const name = fullName(dataset)
  const before = await log.head()
  const done = await discardBatch(storage, log, name, which, currentUser())
  if (json) print(toJson(done, 2))
  else {
    const rows = plural(done.rows, 'row')
    print(
      `${colors.green('✔')} Commit ${done.commit}: batch ${done.batch} of ${name} (${rows}) is not part of the lake any more.`,
    )
    if (done.tables.length > 0)
      print(`The next run builds anew what was made from it: ${done.tables.join(', ')}.`)
    const next = done.unknown
      ? 'Its manifest can not be read, so nothing says what it was made from: files that are still there are ingested again by the next run.'
      : 'What it was made from is not read again unless it changes.'
    print(`${next} Nothing was deleted; go back with: moraine rollback --to ${before.number}`)
  }
  return 0
}
