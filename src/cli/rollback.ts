import type { Command } from 'commander'
import { MoraineError } from '../errors.js'
import type { LakeState } from '../log/commit.js'
import { damageOf } from '../log/verify.js'
import { currentUser } from '../run/context.js'
import type { Storage } from '../storage/storage.js'
import { examples } from './examples.js'
import colors from './output/colors.js'
import { readableTime, toJson } from './output/format.js'
import { openLog, pointOf, print } from './project.js'

/** Missing files that are named; the others are counted. */
const SHOWN = 5

export function define(command: Command): Command {
  return command
    .requiredOption('--to <commit>', 'the commit or time whose state is to come back')
    .addHelpText(
      'after',
      examples(
        ['as it was after commit 12', 'moraine rollback --to 12'],
        ['as it was yesterday at noon', 'moraine rollback --to 2026-01-31T12:00:00Z'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const { log, storage, json } = await openLog(command)
  const to = pointOf('--to', command.opts<{ to: string }>().to)
  const before = await log.head()
  await refuseDamaged(storage, await log.visibleAt(to))
  const state = await log.rollback(to, { author: currentUser(), run: null })
  const target = await log.stateAt(to)
  const changed = state.number !== before.number
  if (json) print(toJson({ commit: state.number, to: target.number, changed }, 2))
  else if (!changed)
    print(
      target.number === 0
        ? 'Nothing to do: the lake is empty, as it was before its first commit.'
        : `Nothing to do: the lake is as it was after commit ${target.number}.`,
    )
  else {
    const then =
      target.number === 0
        ? 'before its first commit: empty'
        : `after commit ${target.number} (${readableTime(target.time ?? '')})`
    print(`${colors.green('✔')} Commit ${state.number}: the lake is as it was ${then}.`)
    const batches = (of: LakeState) => Object.values(of.batches).flat().length
    if (batches(before) > batches(state))
      print(
        'Batches that were taken in since then are not part of it any more: the next run takes them in again.',
      )
    print(`Nothing was deleted; go back with: moraine rollback --to ${before.number}`)
  }
  return 0
}

/** A state whose files are not all there can't come back: readers would find half of it. */
async function refuseDamaged(storage: Storage, target: LakeState): Promise<void> {
  const damage = await damageOf(storage, target)
  if (damage.length === 0) return
  const more = damage.length > SHOWN ? [`… and ${damage.length - SHOWN} more`] : []
  throw new MoraineError(
    'corrupt',
    `Commit ${target.number} can't come back, as not all of its files are there:\n${[...damage.slice(0, SHOWN), ...more].map((line) => `- ${line}`).join('\n')}`,
    { hint: 'Restore them from a backup, or choose another commit. Nothing was changed.' },
  )
}
