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
    .argument('<from>', 'the name that the lake knows: silver.orders')
    .argument('<to>', 'the name that lake.ts has now: silver.sales')
    .addHelpText(
      'after',
      examples(
        ['after renaming it in lake.ts', 'moraine rename silver.orders silver.sales'],
        ['nothing is built again', 'moraine plan'],
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
      hint: `A dataset keeps its tier: write ${tier}.NAME, as lake.ts has it now.`,
    })
  const to = fullName(dataset)
  if (to in state.tables || to in (state.views ?? {}) || (state.batches[to]?.length ?? 0) > 0)
    throw new MoraineError('usage', `${to} has rows of its own already`, {
      hint: `Only a name that has none yet can take what ${from} has. To start from its rows anyway, roll back to before ${to} was built.`,
    })
  if (tier === 'bronze') await refuseWaiting(storage, from, to)
  const changes = renameChanges(state, from, to, lake.datasets, hash)
  const info = { author: currentUser(), run: null, message: `rename ${from} to ${to}` }
  const { number } = await log.commit(state, changes, info)
  if (json) print(toJson({ commit: number, from, to, rows }, 2))
  else
    print(
      `${colors.green('✔')} Commit ${number}: ${from} is called ${to}, with its ${plural(rows, 'row')} and all that was read of it.`,
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
    `${plural(waiting.length, 'object')} wait in ${folder(from)}: under the new name nobody would look there`,
    { hint: `Run the lake once with the old name, or move them to ${folder(to)}.` },
  )
}
