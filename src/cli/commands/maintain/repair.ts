import type { Command } from 'commander'
import { couldNotRead } from '../../../log/verify/damage.js'
import type { Mend } from '../../../maintain/repair/mend.js'
import { type Repair, repairLake } from '../../../maintain/repair/repair.js'
import { deepReader } from '../../../maintain/verify-data.js'
import { currentUser } from '../../../step/context.js'
import { again } from '../../branch/again.js'
import { withMemory } from '../../engine.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural } from '../../output/format.js'
import { openProject } from '../../project.js'

export function define(command: Command): Command {
  return withMemory(command)
    .option('--yes', 'repair what can be repaired; without it, only show what would be done')
    .option(
      '--allow-loss',
      'give up commits whose entries are missing at the end of the log, and what is known of files of batches that have expired',
    )
    .addHelpText(
      'after',
      examples(
        ['what is damaged, and how can it be repaired?', 'moraine repair'],
        ['repair it', 'moraine repair --yes'],
      ),
    )
}

/** Mends what is damaged, as far as something else tells what it was. */
export async function run(command: Command): Promise<number> {
  await using project = await openProject(command)
  const { lake, storage } = project
  await project.needsLake()
  const { yes = false, allowLoss = false } = command.opts<{ yes?: boolean; allowLoss?: boolean }>()
  const engine = await project.engine()
  const javascript = await project.javascript()
  const session = await engine.open()
  const options = { lake, storage, engine, javascript, apply: yes, allowLoss }
  const repair = await repairLake({
    ...options,
    deep: deepReader(session),
    author: currentUser(),
    signal: project.stopped(),
  })
  session.close()
  project.show(repair, () => shown(repair))
  return exitOf(repair)
}

/** 0: nothing is wrong (any more). */
function exitOf({ mends, applied, left, unread }: Repair): number {
  return Number((applied ? left.length : mends.length) + unread.length > 0)
}

function shown({ mends, applied, left, earlier, unread }: Repair): string[] {
  const unsure = unread.map(({ path, why }) => `${colors.yellow('?')} ${path} ${couldNotRead(why)}`)
  if (mends.length === 0 && unread.length === 0) return [`${colors.green('✔')} Nothing is damaged.`]
  if (mends.length === 0)
    return [
      ...unsure,
      '',
      `${plural(unread.length, 'file')} could not be read, so it is not known whether anything is wrong there. Nothing was changed. Nothing else is damaged.`,
    ]
  const lines = [...mends.flatMap((mend) => linesOf(mend, applied)), ...unsure]
  const lost = mends.filter(({ how }) => how === 'lost' || how === 'unread').length
  const can = mends.length - lost
  if (!applied) {
    const rest = lost > 0 ? ` ${plural(lost, 'file')} cannot be repaired.` : ''
    return can > 0
      ? [
          ...lines,
          '',
          again(
            `Nothing was changed.${rest} To repair ${plural(can, 'file')}: moraine repair --yes`,
          ),
        ]
      : [...lines, '', `Nothing was changed.${rest}`]
  }
  const known = new Set([...mends, ...unread].map(({ path }) => path))
  const others = left.filter((problem) => ![...known].some((path) => problem.includes(path)))
  return [
    ...lines,
    ...others.map((problem) => `${colors.red('✖')} ${problem}`),
    '',
    left.length === 0
      ? `${plural(can, 'file')} repaired. No problems are left.`
      : `${plural(can, 'file')} repaired; ${plural(left.length, 'problem')} left.`,
    ...(earlier.length > 0
      ? [
          again(
            `Earlier commits still refer to ${plural(earlier.length, 'damaged file')}: moraine verify lists them, and moraine vacuum --history expires such commits.`,
          ),
        ]
      : []),
  ]
}

function linesOf({ path, why, how, text, command }: Mend, applied: boolean): string[] {
  const mark =
    how === 'unread'
      ? colors.yellow('?')
      : how === 'lost'
        ? colors.red('✖')
        : applied
          ? colors.green('✔')
          : colors.yellow('→')
  const hint = command ? [`    ${how === 'lost' ? 'to give it up' : 'manually'}: ${command}`] : []
  return [`${mark} ${path} ${why}`, `    ${text}`, ...hint]
}
