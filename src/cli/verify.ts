import type { Command } from 'commander'
import type { CommitLog } from '../log/log.js'
import { type Verification, verifyLake } from '../log/verify.js'
import type { Storage } from '../storage/storage.js'
import { startEngine, withMemory } from './engine.js'
import { examples } from './examples.js'
import colors from './output/colors.js'
import { plural, size, toJson } from './output/format.js'
import { openLog, print } from './project.js'

export function define(command: Command): Command {
  return withMemory(command)
    .option('--deep', 'also read every value, and hold it against what manifests say')
    .addHelpText(
      'after',
      examples(
        ['is everything there?', 'moraine verify'],
        ['and can every file be read?', 'moraine verify --deep'],
        ['a lake in another folder', 'moraine verify --root /data/lake'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const { storage, log, json } = await openLog(command)
  const { deep = false } = command.opts<{ deep?: boolean }>()
  const result = await (deep ? verifyDeep(command, storage, log) : verifyLake(storage, log))
  const good = result.problems.length === 0
  if (json) print(toJson(result, 2))
  else if (good)
    print(
      `${colors.green('✔')} ${plural(result.commits, 'commit')} in an unbroken chain; ${plural(result.tables, 'table')} and ${plural(result.batches, 'batch').replace('batchs', 'batches')}: ${plural(result.files, 'file')} (${size(result.bytes)}) are there, with the right sizes and row counts.${deep ? ' Every value could be read.' : ''}`,
    )
  else {
    for (const problem of result.problems) print(`${colors.red('✖')} ${problem}`)
    print(
      `\n${plural(result.problems.length, 'problem')} found. Restore what is missing from a backup; nothing was changed.`,
    )
  }
  return good ? 0 : 1
}

async function verifyDeep(
  command: Command,
  storage: Storage,
  log: CommitLog,
): Promise<Verification> {
  const { deepReader } = await import('../run/read-deep.js')
  const engine = await startEngine(command)
  try {
    const session = await engine.open()
    const result = await verifyLake(storage, log, deepReader(session))
    session.close()
    return result
  } finally {
    await engine.close()
  }
}
