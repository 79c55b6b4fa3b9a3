import type { Command } from 'commander'
import { fullName } from '../../../define/dataset.js'
import { MoraineError } from '../../../errors.js'
import { named } from '../../../plan/graph.js'
import { removedFrom, renameChanges } from '../../../plan/removed.js'
import { currentUser, hash } from '../../../step/context.js'
import type { Storage } from '../../../storage/storage.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural, toJson } from '../../output/format.js'
import { openProject, print } from '../../project.js'
import { removedNamed } from '../../removed.js'

export function define(command: Command): Command {
  return command
    .argument('<from>', 'the current name in the lake: silver.orders')
    .argument('<to>', 'the new name in lake.ts: silver.sales')
    .addHelpText(
      'after',
      examples(
        ['after renaming it in lake.ts', 'moraine rename silver.orders silver.sales'],
        ['nothing needs to be rebuilt', 'moraine plan'],
      ),
    )
}

/** Gives what the lake holds of a dataset the name that its definition has now. */
export async function run(command: Command): Promise<number> {
  const { lake, storage, log, json } = await openProject(command)
  const [fromText, toText] = command.args as [string, string]
  const state = await log.head()
  const { name: from, rows } = removedNamed(
    fromText,
    removedFrom(lake.datasets, state),
    lake,
    'rename',
  )
  const tier = from.split('.')[0]
  const found = named(lake, toText).filter((dataset) => dataset.tier === tier)
  const [dataset] = found
  if (!dataset)
    throw new MoraineError('usage', `lake.ts has no ${tier} dataset '${toText}'`, {
      hint: `A dataset stays in its layer: write ${tier}.NAME, with the name it has in lake.ts now.`,
    })
  const to = fullName(dataset)
  if (to in state.tables || to in (state.views ?? {}) || (state.batches[to]?.length ?? 0) > 0)
    throw new MoraineError('usage', `${to} already has rows of its own`, {
      hint: `Only a name without rows can take over those of ${from}. To use them anyway, roll back to before ${to} was built.`,
    })
  if (tier === 'bronze') await refuseWaiting(storage, from, to)
  const changes = renameChanges(state, from, to, lake.datasets, hash)
  const info = { author: currentUser(), run: null, message: `rename ${from} to ${to}` }
  const { number } = await log.commit(state, changes, info)
  if (json) print(toJson({ commit: number, from, to, rows }, 2))
  else
    print(
      `${colors.green('✔')} Commit ${number}: ${from} is now ${to}, with its ${plural(rows, 'row')} and its watermark.`,
    )
  return 0
}

/** What waits under the old name would not be found under the new one. */
async function refuseWaiting(storage: Storage, from: string, to: string): Promise<void> {
  const folder = (name: string) => `bronze/landing/${name.slice('bronze.'.length)}/`
  const waiting = await storage.list(folder(from))
  if (waiting.length === 0) return
  throw new MoraineError(
    'usage',
    `${plural(waiting.length, 'object')} are waiting in ${folder(from)}; under the new name they would not be ingested`,
    { hint: `Run the lake once with the old name, or move them to ${folder(to)}.` },
  )
}
