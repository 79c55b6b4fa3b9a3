import type { Command } from 'commander'
import { type Optimized, optimizeTable } from '../../../maintain/optimize.js'
import { currentUser } from '../../../step/context.js'
import { withMemory } from '../../engine.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { size } from '../../output/format.js'
import { openLog, print } from '../../project.js'

export function define(command: Command): Command {
  return withMemory(command)
    .argument('[table...]', 'tables to optimize, such as silver.orders (default: all)')
    .option('--order-by <columns>', 'rewrite all files of the tables, sorted by these columns')
    .option('--target <mebibytes>', 'target file size', '128')
    .addHelpText(
      'after',
      examples(
        ['compact small files in all tables', 'moraine optimize'],
        [
          'sort orders for queries by customer',
          'moraine optimize silver.orders --order-by customer_id',
        ],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  await using project = await openLog(command)
  const { log, storage } = project
  await project.needsLake()
  const { orderBy, target } = command.opts<{ orderBy?: string; target: number }>()
  const { tables } = await log.head()
  const names = command.args.length > 0 ? command.args : Object.keys(tables).sort()
  const signal = project.stopped()
  const done: Optimized[] = []
  try {
    const session = await project.session()
    for (const name of names) {
      if (signal.aborted) break
      done.push(
        await optimizeTable(log, storage, session, name, {
          target: target * 2 ** 20,
          ...(orderBy ? { orderBy: orderBy.split(',').map((column) => column.trim()) } : {}),
          info: { author: currentUser(), run: null },
          signal,
        }),
      )
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  project.show(done, () => shown(done))
  if (signal.aborted) print('Stopped. Finished tables are kept.')
  return signal.aborted ? 1 : 0
}

function shown(done: readonly Optimized[]): string[] {
  const changed = done.filter(({ before }) => before > 0)
  if (changed.length === 0) return ['Nothing to do: no table has small files to compact.']
  const width = Math.max(...changed.map(({ table }) => table.length))
  return changed.map(({ table, before, after, bytes }) => {
    const files = `${before} files → ${after}`
    return `${colors.green('✔')} ${table.padEnd(width)}  ${files} (${size(bytes)})`
  })
}
