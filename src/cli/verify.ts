import type { Command } from 'commander'
import { verifyLake } from '../log/verify.js'
import { examples } from './examples.js'
import colors from './output/colors.js'
import { plural, size, toJson } from './output/format.js'
import { openLog, print } from './project.js'

export function define(command: Command): Command {
  return command.addHelpText(
    'after',
    examples(
      ['is everything there?', 'moraine verify'],
      ['a lake in another folder', 'moraine verify --root /data/lake'],
    ),
  )
}

export async function run(command: Command): Promise<number> {
  const { storage, log, json } = await openLog(command)
  const result = await verifyLake(storage, log)
  const good = result.problems.length === 0
  if (json) print(toJson(result, 2))
  else if (good)
    print(
      `${colors.green('✔')} ${plural(result.commits, 'commit')} in an unbroken chain; ${plural(result.tables, 'table')} and ${plural(result.batches, 'batch').replace('batchs', 'batches')}: ${plural(result.files, 'file')} (${size(result.bytes)}) are there, with the right sizes and row counts.`,
    )
  else {
    for (const problem of result.problems) print(`${colors.red('✖')} ${problem}`)
    print(
      `\n${plural(result.problems.length, 'problem')} found. Restore what is missing from a backup; nothing was changed.`,
    )
  }
  return good ? 0 : 1
}
