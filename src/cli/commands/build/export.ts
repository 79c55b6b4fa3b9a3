import type { Command } from 'commander'
import { MoraineError } from '../../../errors.js'
import { chosenBy, exportChosen } from '../../../export/export-lake.js'
import { withMemory } from '../../engine.js'
import { examples } from '../../examples.js'
import { exportLines } from '../../output/exports.js'
import { toJson } from '../../output/format.js'
import { openProject, print } from '../../project.js'
import { exporting } from './exporting.js'

export function define(command: Command): Command {
  return withMemory(command)
    .argument('[name...]', 'warehouses, or datasets that they have; default: all')
    .option('--full', 'load all rows again, not only what changed')
    .option('--dry-run', 'only show what would be exported')
    .addHelpText(
      'after',
      examples(
        ['everything that warehouses do not have yet', 'moraine export'],
        ['how far are they behind?', 'moraine export --dry-run'],
        ['one table, all of its rows', 'moraine export gold.daily_revenue --full'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  await using project = await openProject(command)
  const { lake, json } = project
  const { full = false, dryRun = false } = command.opts<{ full?: boolean; dryRun?: boolean }>()
  if (lake.exports.length === 0)
    throw new MoraineError('usage', 'This lake has no warehouse to export to', {
      hint: "Add one in lake.ts: defineLake({ …, exports: [warehouse(postgres({ url: secret('env:WAREHOUSE_URL') }), { tables: [orders] })] })",
    })
  const chosen = chosenBy(lake, command.args)
  await project.needsLake()
  const results = await exportChosen(exporting(project), chosen, {
    full,
    dry: dryRun,
    note: (text) => json || print(text),
    onResult: (result) => {
      if (!json) for (const line of exportLines(result)) print(line)
    },
  })
  if (json) print(toJson({ exports: results }, 2))
  return results.some(({ outcome }) => outcome === 'failed') ? 1 : 0
}
