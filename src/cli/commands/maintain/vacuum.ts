import type { Command } from 'commander'
import { nameOfLive } from '../../../log/live.js'
import { type Vacuumed, vacuum } from '../../../maintain/vacuum.js'
import { currentUser } from '../../../step/context.js'
import { again } from '../../branch/again.js'
import { secondsFor } from '../../duration.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural, size, toJson } from '../../output/format.js'
import { openLog, print } from '../../project.js'

export function define(command: Command): Command {
  return command
    .option('--grace <duration>', 'keep files that are younger than this', '7d')
    .option(
      '--history <duration>',
      'how long earlier states of the lake stay visible (default: forever)',
    )
    .option('--delete', 'remove the files (default: only list them)')
    .addHelpText(
      'after',
      examples(
        ['list what interrupted runs have left behind', 'moraine vacuum'],
        ['remove it', 'moraine vacuum --delete'],
        ['keep one month of history', 'moraine vacuum --history 30d --delete'],
      ),
    )
}

interface Options {
  grace: string
  history?: string
  delete?: boolean
}

export async function run(command: Command): Promise<number> {
  const project = await openLog(command)
  const { log, storage, json } = project
  const options = command.opts<Options>()
  const grace = secondsFor('--grace', options.grace) * 1000
  const history = options.history
    ? { history: secondsFor('--history', options.history) * 1000 }
    : {}
  await project.needsLake()
  const result = await vacuum(log, storage, {
    grace,
    ...history,
    remove: options.delete ?? false,
    info: { author: currentUser(), run: null },
  })
  for (const live of result.silent)
    process.stderr.write(
      `! ${nameOfLive(live)} on ${live.host} has not reported for ${Math.round(live.silent / 60_000)} minutes. If it was only suspended, it will have to be run again.\n`,
    )
  if (json) print(toJson(result, 2))
  else for (const line of shown(result, options)) print(line)
  return 0
}

function shown({ files, bytes, kept, expired, removed, examples }: Vacuumed, { grace }: Options) {
  const forgotten =
    expired.length > 0
      ? [`${removed ? 'Expired' : 'Would expire'} older snapshots of ${expired.join(', ')}.`]
      : []
  if (files === 0)
    return [
      ...forgotten,
      `Nothing to remove: all ${kept} files are in use or younger than ${grace}.`,
    ]
  const found = `${plural(files, 'file')} (${size(bytes)})`
  if (removed)
    return [
      ...forgotten,
      `${colors.green('✔')} Removed ${found} that nothing refers to; kept ${kept}.`,
    ]
  const more = files > examples.length ? [`  … and ${files - examples.length} more`] : []
  return [
    ...forgotten,
    `${found} that nothing refers to, older than ${grace}; ${kept} others are kept:`,
    ...examples.map((path) => `  ${path}`),
    ...more,
    again('Nothing was removed. To remove them: moraine vacuum --delete'),
  ]
}
