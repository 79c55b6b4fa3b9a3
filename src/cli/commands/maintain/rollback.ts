import type { Command } from 'commander'
import { fullName } from '../../../define/dataset.js'
import type { Lake } from '../../../define/lake.js'
import { MoraineError } from '../../../errors.js'
import type { BatchPointer, LakeState } from '../../../log/commit.js'
import { type Mended, mendedSince } from '../../../log/repaired.js'
import { damageOf } from '../../../log/verify/verify.js'
import { currentUser } from '../../../step/context.js'
import type { Storage } from '../../../storage/storage.js'
import { again } from '../../branch/again.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { unexportedLines, warehousesOf } from '../../output/exports.js'
import { plural, readableTime, toJson } from '../../output/format.js'
import { openLog, openProject, pointOf, print } from '../../project.js'

/** Missing files that are named; the others are counted. */
const SHOWN = 5

interface Options {
  to: string
  undoIntake?: boolean
  allowLoss?: boolean
}

export function define(command: Command): Command {
  return command
    .requiredOption('--to <commit>', 'the commit or time to go back to')
    .option('--undo-intake', 'also remove what has arrived in bronze since')
    .option('--allow-loss', 'also remove what its source cannot provide again')
    .addHelpText(
      'after',
      examples(
        ['back to commit 12', 'moraine rollback --to 12'],
        ['back to yesterday noon', 'moraine rollback --to 2026-01-31T12:00:00Z'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const { log, storage, json, lake, house } = await openLog(command)
  const { to: point, undoIntake = false, allowLoss = false } = command.opts<Options>()
  const to = pointOf('--to', point)
  const before = await log.head()
  const target = await log.visibleAt(to)
  await refuseDamaged(storage, await mendedSince(log, target, before.number))
  if (undoIntake && !allowLoss) refuseLoss((await openProject(command)).lake, before, target)
  const state = await log.rollback(to, { author: currentUser(), run: null }, undoIntake)
  const changed = state.number !== before.number
  if (json) print(toJson({ commit: state.number, to: target.number, changed }, 2))
  else if (!changed)
    print(
      target.number === 0
        ? 'Nothing to do: the lake is empty, as before its first commit.'
        : `Nothing to do: the lake is already as it was after commit ${target.number}.`,
    )
  else {
    const then =
      target.number === 0
        ? 'before its first commit: empty'
        : `after commit ${target.number} (${readableTime(target.time ?? '')})`
    print(`${colors.green('✔')} Commit ${state.number}: the lake is back to its state ${then}.`)
    const arrived = Object.values(arrivalsSince(undoIntake ? before : state, target)).flat().length
    const batches = arrived === 1 ? '1 batch that' : `${arrived} batches that`
    if (arrived > 0 && undoIntake)
      print(
        `${batches} arrived since then ${arrived === 1 ? 'was' : 'were'} removed as well: the next run reads their sources again.`,
      )
    else if (arrived > 0)
      print(
        again(
          `${batches} arrived since then stayed in bronze: the next run builds from them again. To remove one: moraine discard-batch`,
        ),
      )
    const others = house.branch === undefined ? changedTables(before, state) : []
    for (const line of unexportedLines(warehousesOf(lake, others))) print(line)
    const intake = undoIntake && arrived > 0 ? ' --undo-intake' : ''
    print(
      again(`Nothing was deleted; undo this with: moraine rollback --to ${before.number}${intake}`),
    )
  }
  return 0
}

/** Tables that are others than before, or gone. */
function changedTables({ tables: before }: LakeState, { tables: now }: LakeState): string[] {
  const names = Object.keys({ ...before, ...now })
  return names.filter((name) => before[name]?.metadata !== now[name]?.metadata)
}

/** Batches that the lake has and that a target has not, by dataset. */
function arrivalsSince(before: LakeState, target: LakeState): Record<string, BatchPointer[]> {
  const known = new Set(Object.values(target.batches).flatMap((of) => of.map((b) => b.batch)))
  const found = Object.entries(before.batches).map(([name, batches]) => [
    name,
    batches.filter(({ batch }) => !known.has(batch)),
  ])
  return Object.fromEntries(found.filter(([, batches]) => (batches as []).length > 0))
}

/**
 * Files are still where they came from, and a database still has its rows; what was sent or dropped
 * came once.
 */
function refuseLoss(lake: Lake, before: LakeState, target: LakeState): void {
  const lost = Object.entries(arrivalsSince(before, target)).filter(([name]) => {
    const dataset = lake.datasets.find((d) => fullName(d) === name)
    const source = dataset?.tier === 'bronze' ? dataset.from.kind : undefined
    return source !== 'files' && source !== 'database'
  })
  if (lost.length === 0) return
  const said = lost.map(([name, batches]) => {
    const rows = batches.reduce((sum, batch) => sum + batch.rows, 0)
    return `${name} (${plural(rows, 'row')})`
  })
  throw new MoraineError(
    'usage',
    `What arrived for ${said.join(', ')} would be lost: its source cannot provide it again`,
    {
      hint: 'Without --undo-intake it stays in bronze; moraine discard-batch removes single batches. To remove it all the same: --undo-intake --allow-loss',
    },
  )
}

/** A state whose files are not all there can't come back: readers would find half of it. */
async function refuseDamaged(storage: Storage, { state: target, damaged }: Mended): Promise<void> {
  const { problems: damage, unread } = await damageOf(storage, target, damaged)
  if (damage.length === 0) return
  const [first] = unread
  if (first && unread.length >= damage.length)
    throw new MoraineError(
      'storage',
      `It is not known whether commit ${target.number} can be restored: ${first.path} could not be read: ${first.why}`,
      { retryable: true, hint: 'Try again. Nothing was changed.' },
    )
  const more = damage.length > SHOWN ? [`… and ${damage.length - SHOWN} more`] : []
  throw new MoraineError(
    'corrupt',
    `Commit ${target.number} cannot be restored, because some of its files are missing or damaged:\n${[...damage.slice(0, SHOWN), ...more].map((line) => `- ${line}`).join('\n')}`,
    {
      hint: 'Restore them from a backup, or choose another commit. The current lake can still be repaired: moraine repair. Nothing was changed.',
    },
  )
}
