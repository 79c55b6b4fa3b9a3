import type { Command } from 'commander'
import { project } from '../../../aws/glue/project.js'
import { adviceOn, type Projected } from '../../../aws/glue/report.js'
import { glueClient } from '../../../aws/glue/sdk-client.js'
import { MoraineError } from '../../../errors.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural } from '../../output/format.js'
import { textTable } from '../../output/table.js'
import { printable } from '../../output/terminal.js'
import { openProject, type Project } from '../../project.js'

export function define(command: Command): Command {
  return command
    .option('--to <catalog>', 'the catalog: glue', 'glue')
    .option(
      '--prefix <text>',
      "what names of databases begin with (default: what aws({ databases }) says, or the lake's name, and _)",
    )
    .option(
      '--take-back <dataset...>',
      "put the lake's own version back if another program has moved a table's pointer",
    )
    .option('--full', 'also look at partitions of batches that have not changed')
    .option('--dry-run', 'show what would change, and change nothing')
    .addHelpText(
      'after',
      examples(
        ['show the lake in the Glue Data Catalog', 'moraine project'],
        ['what would change there?', 'moraine project --dry-run'],
        [
          'discard what another engine did to a table behind the lake',
          'moraine project --take-back silver.orders',
        ],
      ),
    )
}

interface Options {
  to: string
  prefix?: string
  takeBack?: string[]
  full?: boolean
  dryRun?: boolean
}

export async function run(command: Command): Promise<number> {
  const { to, prefix, takeBack, full, dryRun } = command.opts<Options>()
  if (to !== 'glue')
    throw new MoraineError('usage', `Unknown catalog '${to}'`, { hint: 'Use --to glue.' })
  await using opened = await openProject(command)
  await opened.needsLake()
  const signal = opened.stopped()
  const glue = await glueClient({}, signal)
  const { lake, storage, log } = opened
  const projected = await project({
    lake,
    storage,
    log,
    glue,
    signal,
    session: sessionOf(opened),
    ...(prefix === undefined ? {} : { names: { prefix } }),
    takeBack,
    full,
    dryRun,
  })
  opened.show(projected, () => lines(projected, dryRun))
  return projected.setAside.length > 0 ? 1 : 0
}

/** One session for all views, started when the first needs it. */
function sessionOf(opened: Project) {
  let session: ReturnType<Project['session']> | undefined
  return () => {
    session ??= opened.session()
    return session
  }
}

function* lines(
  { commit, changes, unchanged, setAside, notes }: Projected,
  dryRun = false,
): Iterable<string> {
  if (changes.length > 0)
    yield textTable(
      ['table', 'dataset', 'change', 'partitions'].map((name) => ({ name })),
      changes.map(({ table, dataset, change, partitions }) => ({
        table,
        dataset,
        change,
        partitions: partitions ? `+${partitions.added} -${partitions.removed}` : '',
      })),
    )
  for (const { dataset, note } of notes) yield colors.dim(printable(`${dataset}: ${note}`))
  for (const { table, why, pointer, dataset } of setAside) {
    yield colors.yellow(printable(`${table} was left as it is: ${why}`))
    if (pointer !== undefined) yield `  it leads to ${printable(pointer)}`
    if (dataset !== '')
      yield colors.dim(`  ${adviceOn({ why, dataset }, 'moraine project --prefix …')}`)
  }
  const told = dryRun ? 'would be' : 'were'
  yield `${plural(changes.length, 'table')} ${told} changed, ${unchanged} ${unchanged === 1 ? 'is' : 'are'} as in commit ${commit}.`
}
