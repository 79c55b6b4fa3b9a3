import type { Command } from 'commander'
import {
  discardQuarantined,
  type Found,
  findQuarantined,
} from '../../../bronze/quarantine/decide.js'
import { MoraineError } from '../../../errors.js'
import { trialsOf } from '../../../load/trial.js'
import { quarantinedIn } from '../../../log/quarantined.js'
import { currentUser } from '../../../step/context.js'
import { PATIENT } from '../../../storage/retry.js'
import { again } from '../../branch/again.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural, readableTime, size, toJson } from '../../output/format.js'
import { PlainView } from '../../output/plain.js'
import { quarantineList } from '../../output/quarantine-list.js'
import { printable, show as showText } from '../../output/terminal.js'
import { tellWaits } from '../../output/waits.js'
import { openLog, openProject, print } from '../../project.js'

const ACTIONS = ['list', 'show', 'retry', 'discard']
/** Bytes of an object that are shown. */
const SHOWN = 600

export function define(command: Command): Command {
  return command
    .argument('[action]', 'list, show, retry or discard', 'list')
    .argument('[what...]', 'ids of objects, or datasets for all of their objects')
    .option('--all', 'everything in quarantine')
    .addHelpText(
      'after',
      examples(
        ['what could not be read and is in quarantine', 'moraine quarantine'],
        ['why one object could not be read, and how it starts', 'moraine quarantine show 3fa91c20'],
        ['try again, and put its rows where it arrived', 'moraine quarantine retry 3fa91c20'],
        ['give up: record it as a discarded row', 'moraine quarantine discard 3fa91c20'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const [action = 'list', what = []] = command.processedArgs as [string?, string[]?]
  const { all = false } = command.opts<{ all?: boolean }>()
  if (!ACTIONS.includes(action))
    throw new MoraineError('usage', `moraine quarantine has no action '${action}'`, {
      hint: `Actions: ${ACTIONS.join(', ')}.`,
    })
  if (action !== 'list' && what.length === 0 && !all)
    throw new MoraineError('usage', `There is nothing to ${action}: no id or dataset is given`, {
      hint: `Give ids or datasets: moraine quarantine ${action} ID. List them with: moraine quarantine list`,
    })
  const { storage, log, json } = await openLog(command)
  const state = await log.head()
  const found =
    what.length === 0 && (all || action === 'list')
      ? quarantinedIn(state)
      : findQuarantined(state, what)
  if (action === 'list') return list(found, json)
  if (action === 'show') {
    for (const [i, one] of found.entries()) {
      if (i > 0 && !json) print('')
      const begin = await storage.readIfPresent(one.object.original.path)
      if (!json) show(one, begin)
    }
    if (json) print(toJson(found.map(jsonOf), 2))
    return 0
  }
  if (found.length === 0) {
    print(json ? '[]' : 'The quarantine is empty.')
    return 0
  }
  return action === 'retry' ? retry(command, found) : discard(command, found)
}

const jsonOf = ({ dataset, object }: Found) => ({ dataset, ...object })

function list(found: readonly Found[], json: boolean): number {
  if (json) {
    print(toJson(found.map(jsonOf), 2))
    return 0
  }
  if (found.length === 0) {
    print(
      again(
        'The quarantine is empty. Files and lines that cannot be read are among the discarded rows of a dataset: moraine discarded DATASET',
      ),
    )
    return 0
  }
  print(quarantineList(found))
  print(
    again('\nShow details: moraine quarantine show ID. Try again: retry ID. Give up: discard ID.'),
  )
  return 0
}

function show({ dataset, object }: Found, bytes: Uint8Array | undefined): void {
  const { original, rows, failures, held } = object
  const line = (name: string, value: string) => print(`${name.padEnd(10)}${value}`)
  print(colors.bold(`${object.id}  ${printable(object.name)}`))
  line('dataset', dataset)
  line('size', `${size(object.size)}${rows === undefined ? '' : `, ${plural(rows, 'row')}`}`)
  line('arrived', `${readableTime(object.arrived)} (batch ${object.batch})`)
  const since = failures > 1 ? `, first ${readableTime(object.since)}` : ''
  line('failed', `${plural(failures, 'time')}, last ${readableTime(object.last)}${since}`)
  line(
    'next',
    held
      ? 'it stays in quarantine until it is retried or discarded'
      : 'the next run tries it again',
  )
  line('reason', printable(object.reason))
  line('stored at', original.path)
  line('sha256', original.sha256)
  if (!bytes) {
    print(colors.red('Its bytes are missing: restore them from a backup.'))
    return
  }
  const text = new TextDecoder().decode(bytes.subarray(0, SHOWN))
  print(`\n${text.trimEnd()}`)
  if (bytes.length > SHOWN) print(colors.dim(`… ${size(bytes.length - SHOWN)} more`))
}

/**
 * Tries objects again, in a run of their datasets and of what is built from them: in this one, as a
 * daemon beside it may have a definition of before, with which they fail.
 */
async function retry(command: Command, found: readonly Found[]): Promise<number> {
  await using project = await openProject(command, { patience: { total: PATIENT } })
  const { lake, log, json } = project
  const engine = await project.engine()
  const javascript = await project.javascript()
  const view = json ? undefined : new PlainView()
  const unwatch = tellWaits((text) => {
    if (view) view.waiting(text)
    else if (text !== undefined) showText(`${text}\n`, process.stderr)
  })
  try {
    const record = await project.house.run(lake, {
      engine,
      ownEngine: true,
      javascript,
      tryApart: trialsOf(project.trialPlace),
      retry: found.map(({ object }) => object.id),
      select: [...new Set(found.map(({ dataset }) => `${dataset}+`))],
      onEvent: (event) => view?.event(event),
    })
    const left = new Set(quarantinedIn(await log.head()).map(({ object }) => object.id))
    const still = found.filter(({ object }) => left.has(object.id))
    if (json) print(toJson({ ...record, still: still.map(({ object }) => object.id) }, 2))
    return record.outcome === 'done' && still.length === 0 ? 0 : 1
  } finally {
    unwatch()
  }
}

async function discard(command: Command, found: readonly Found[]): Promise<number> {
  await using project = await openLog(command)
  const { storage, log, json } = project
  const engine = await project.engine()
  let state = await log.head()
  const tools = { storage, log, engine, author: currentUser() }
  for (const one of found) state = await discardQuarantined(tools, state, one)
  if (json) {
    print(toJson({ commit: state.number, discarded: found.map(({ object }) => object.id) }, 2))
    return 0
  }
  for (const { dataset, object } of found)
    print(
      `${colors.green('✔')} Discarded ${printable(object.name)} of ${dataset}; its bytes are kept at ${object.original.path}`,
    )
  print('The next run counts it as a discarded row: moraine discarded')
  return 0
}
