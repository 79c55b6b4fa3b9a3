import type { Command } from 'commander'
import { findLakeFile } from '../../../load/load.js'
import { Threads } from '../../../load/threads.js'
import { couldNotRead } from '../../../log/verify/damage.js'
import type { Mend } from '../../../maintain/repair/mend.js'
import { type Repair, repairLake } from '../../../maintain/repair/repair.js'
import { deepReader } from '../../../maintain/verify-data.js'
import { currentUser } from '../../../step/context.js'
import { startEngine, withMemory } from '../../engine.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural, toJson } from '../../output/format.js'
import { openProject, print } from '../../project.js'

export function define(command: Command): Command {
  return withMemory(command)
    .option('--yes', 'mend what can be mended; without it, only say what would be done')
    .option('--allow-loss', 'give up commits whose entries are gone from the end of the log')
    .addHelpText(
      'after',
      examples(
        ['what is damaged, and what brings it back?', 'moraine repair'],
        ['mend it', 'moraine repair --yes'],
      ),
    )
}

/** Mends what is damaged, as far as something else tells what it was. */
export async function run(command: Command): Promise<number> {
  const { lake, storage, folder, json } = await openProject(command)
  const { yes = false, allowLoss = false } = command.opts<{ yes?: boolean; allowLoss?: boolean }>()
  const engine = await startEngine(command)
  const javascript = new Threads(findLakeFile(folder))
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  try {
    const session = await engine.open()
    const options = { lake, storage, engine, javascript, apply: yes, allowLoss }
    const repair = await repairLake({
      ...options,
      deep: deepReader(session),
      author: currentUser(),
      signal: stop.signal,
    })
    session.close()
    if (json) print(toJson(repair, 2))
    else for (const line of shown(repair)) print(line)
    return exitOf(repair)
  } finally {
    await javascript.close()
    await engine.close()
  }
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
      `${plural(unread.length, 'file')} could not be read: nobody knows whether anything is wrong there, and nothing was changed. Nothing else is damaged.`,
    ]
  const lines = [...mends.flatMap((mend) => linesOf(mend, applied)), ...unsure]
  const lost = mends.filter(({ how }) => how === 'lost' || how === 'unread').length
  const can = mends.length - lost
  if (!applied) {
    const rest = lost > 0 ? ` ${plural(lost, 'file')} can't be mended.` : ''
    return can > 0
      ? [
          ...lines,
          '',
          `Nothing was changed.${rest} To mend ${plural(can, 'file')}: moraine repair --yes`,
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
      ? `${plural(can, 'file')} mended: the lake is as it should be.`
      : `${plural(can, 'file')} mended; ${plural(left.length, 'problem')} left.`,
    ...(earlier.length > 0
      ? [
          `Earlier commits still lead to ${plural(earlier.length, 'damaged file')}: moraine verify names them, and moraine vacuum --history lets such commits go.`,
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
  const hint = command
    ? [`    ${how === 'lost' ? 'to leave it out for good' : 'by hand'}: ${command}`]
    : []
  return [`${mark} ${path} ${why}`, `    ${text}`, ...hint]
}
