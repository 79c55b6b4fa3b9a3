import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Command } from 'commander'
import { fullName } from '../../../define/dataset.js'
import type { Lake } from '../../../define/lake.js'
import type { Silver } from '../../../define/model.js'
import { MoraineError } from '../../../errors.js'
import type { Looked } from '../../../maintain/forget/forget.js'
import type { Asked } from '../../../maintain/forget/options.js'
import { named } from '../../../plan/graph.js'
import { currentUser } from '../../../step/context.js'
import { type Storage, stagingOf } from '../../../storage/storage.js'
import { withMemory } from '../../engine.js'
import { examples } from '../../examples.js'
import { forgetLines } from '../../output/forget.js'
import { openProject } from '../../project.js'

interface Options {
  key?: string[]
  where?: string
  yes?: boolean
}

export function define(command: Command): Command {
  return withMemory(command)
    .argument('<dataset>', 'a silver dataset whose key tells whose a row is')
    .option(
      '--key <text...>',
      'value of its key; of a key of several columns, column=value for each',
    )
    .option('--where <where>', 'SQL over its key and the columns that it lists under identifies')
    .option('--yes', 'remove the rows; without it, only show what would be done')
    .addHelpText(
      'after',
      examples(
        ['what would be removed?', 'moraine forget customers --key 42'],
        ['remove it', 'moraine forget customers --key 42 --yes'],
        [
          'a person by another column that identifies',
          `moraine forget customers --where "email = 'ada@example.org'"`,
        ],
      ),
    )
}

/** Removes a person from all layers, earlier states, the archive and records. */
export async function run(command: Command): Promise<number> {
  const { yes = false, ...given } = command.opts<Options>()
  await using project = await openProject(command)
  await project.needsLake()
  const { lake, storage, log } = project
  const asked = askedBy(silverNamed(lake, String(command.args[0])), given)
  const engine = await project.engine()
  const javascript = await project.javascript()
  const { forget, forgettingOf } = await import('../../../maintain/forget/forget.js')
  const session = await engine.open()
  try {
    const options = {
      ...{ lake, storage, log, engine, javascript, author: currentUser() },
      signal: project.stopped(),
    }
    const { refused, ...found }: Looked = yes
      ? await forget(options, session, asked)
      : await forgettingOf(options, session, asked)
    const kept = await import('../../../query/service/kept/forgotten.js')
    const own = join(project.folder, '.moraine')
    if (yes) await kept.removeForgotten(join(own, 'queries'), await log.head())
    const beside = [...(await kept.keptBeside(own)), ...(await devLake(storage))]
    const elsewhere = { ...found.elsewhere, kept: beside }
    const told = { ...found, elsewhere }
    project.show(told, () => forgetLines(asked.dataset, told, refused !== undefined))
    if (refused) throw refused
  } finally {
    session.close()
  }
  return 0
}

/** What `moraine dev` has built beside a lake in a folder. */
async function devLake(storage: Storage): Promise<string[]> {
  if (!storage.url.startsWith('file:')) return []
  const folder = `${stagingOf(storage).localPath(storage.url).replace(/\/$/, '')}-dev`
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  )
  return isThere ? [`${basename(folder)}: samples of all rows, for moraine dev: remove it`] : []
}

function silverNamed(lake: Lake, name: string): Silver {
  const found = named(lake, name).filter((one): one is Silver => one.tier === 'silver')
  const [dataset] = found
  if (!dataset || found.length > 1)
    throw new MoraineError('usage', `'${name}' is not a silver dataset`, {
      hint: 'Name the one whose key tells whose a row is: moraine forget customers --key 42',
    })
  if (dataset.key.length > 0) return dataset
  throw new MoraineError('usage', `${fullName(dataset)} has no key`, {
    hint: 'Name the dataset whose key tells whose a row is.',
  })
}

function askedBy(dataset: Silver, { key, where }: Options): Asked {
  if ((key === undefined) === (where === undefined))
    throw new MoraineError('usage', 'Say whose rows are meant, by --key or by --where', {
      hint: `The key of ${fullName(dataset)} is ${dataset.key.join(', ')}.`,
    })
  if (where !== undefined) return { dataset, where }
  const [only] = dataset.key
  if (dataset.key.length === 1 && key?.length === 1)
    return { dataset, key: { [only as string]: key[0] as string } }
  const pairs = (key ?? []).map((text) => {
    const at = text.indexOf('=')
    return [text.slice(0, Math.max(0, at)), text.slice(at + 1)] as const
  })
  const names = pairs.map(([name]) => name).sort()
  if (names.join() === [...dataset.key].sort().join())
    return { dataset, key: Object.fromEntries(pairs) }
  throw new MoraineError('usage', `--key does not name the key of ${fullName(dataset)}`, {
    hint: `Write: --key ${dataset.key.map((name) => (dataset.key.length > 1 ? `${name}=…` : '…')).join(' --key ')}`,
  })
}
