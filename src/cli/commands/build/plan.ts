import type { Command } from 'commander'
import { examples } from '../../examples.js'
import { toJson } from '../../output/format.js'
import { planJson, printPlan } from '../../output/plan.js'
import { makePlan } from '../../planned.js'
import { openProject, print } from '../../project.js'
import { exportsBehind } from './exporting.js'
import { placing, withEngine } from './step-engines.js'

export function define(command: Command): Command {
  return withEngine(command)
    .argument(
      '[dataset...]',
      'datasets to plan: a name, a layer, tag:NAME; add + for upstream or downstream',
    )
    .option('--full', 'plan a rebuild from all inputs')
    .option('--exit-code', 'exit with 2 if there is something to do, with 0 if not')
    .addHelpText(
      'after',
      examples(
        ['what would a run do?', 'moraine plan'],
        ['is there anything to do? (in a script)', 'moraine plan --exit-code'],
        ['where would its steps run?', 'moraine plan --engine workers:4'],
        [
          'what would it do for one dataset and everything upstream?',
          'moraine plan +gold.daily_revenue',
        ],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  await using project = await openProject(command)
  const { full = false, exitCode } = command.opts<{ full?: boolean; exitCode?: boolean }>()
  const planned = await makePlan(project, command.args, full, {
    placing: placing(command, project.lake),
  })
  const { problems, changes, left, older } = planned
  const names = new Set(planned.stages.map(({ name }) => name))
  const behind = await exportsBehind(project, names)
  if (project.json) print(toJson({ ...planJson(planned), ...behind.json }, 2))
  else {
    printPlan(planned)
    for (const line of behind.lines) print(line)
  }
  const breaking = [...changes.values()].flat().some((change) => change.breaking)
  const unsure = [problems, older].some((of) => Object.keys(of).length > 0)
  if (unsure || left.problems.length > 0 || breaking) return 1
  return exitCode && planned.stages.some(({ decision }) => decision.action !== 'none') ? 2 : 0
}
