import type { Command } from 'commander'
import { dropChanges, removedFrom } from '../../../plan/removed.js'
import { currentUser } from '../../../step/context.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural, toJson } from '../../output/format.js'
import { openProject, print } from '../../project.js'
import { removedNamed } from '../../removed.js'

export function define(command: Command): Command {
  return command
    .argument('<dataset>', 'a dataset that has been removed from lake.ts: silver.orders')
    .addHelpText('after', examples(['an old table', 'moraine drop gold.daily_revenue']))
}

/**
 * Takes a dataset out of the lake, by a commit: nothing is deleted before vacuum lets the history
 * go.
 */
export async function run(command: Command): Promise<number> {
  const { lake, log, json } = await openProject(command)
  const state = await log.head()
  const { name, rows } = removedNamed(
    command.args[0] as string,
    removedFrom(lake.datasets, state),
    lake,
    'drop',
  )
  const changes = dropChanges(state, name)
  const info = { author: currentUser(), run: null, message: `drop ${name}` }
  const { number } = await log.commit(state, changes, info)
  const dropped = [...new Set([name, ...Object.keys(changes.tables ?? {})])]
  if (json) print(toJson({ commit: number, dropped, rows }, 2))
  else {
    print(
      `${colors.green('✔')} Commit ${number}: ${dropped.join(', ')} (${plural(rows, 'row')}) ${dropped.length === 1 ? 'is' : 'are'} no longer part of the lake.`,
    )
    print(
      `Nothing was deleted: undo this with moraine rollback --to ${state.number}; moraine vacuum --history removes the files eventually.`,
    )
  }
  return 0
}
