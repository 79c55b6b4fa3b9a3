import type { Command } from 'commander'
import type { AwsDeploy } from '../../../aws/options/aws.js'
import type { LakeCost } from '../../../aws/prices/estimate.js'
import { examples } from '../../examples.js'
import { costLines } from '../../output/cost.js'
import { toJson } from '../../output/format.js'
import { planJson, printPlan } from '../../output/plan.js'
import { makePlan } from '../../planned.js'
import { openProject, type Project, print } from '../../project.js'
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
  const cost = await costOf(project)
  if (project.json) print(toJson({ ...planJson(planned), ...behind.json, ...cost }, 2))
  else {
    printPlan(planned)
    for (const line of behind.lines) print(line)
    if (cost.cost)
      print(['', 'Cost on AWS', ...costLines(cost.cost).map((one) => `  ${one}`)].join('\n'))
  }
  const breaking = [...changes.values()].flat().some((change) => change.breaking)
  const unsure = [problems, older].some((of) => Object.keys(of).length > 0)
  if (unsure || left.problems.length > 0 || breaking) return 1
  return exitCode && planned.stages.some(({ decision }) => decision.action !== 'none') ? 2 : 0
}

/** What runs cost of a lake that is deployed to AWS, as far as they were measured here. */
async function costOf({ lake, storage, log }: Project): Promise<{ cost?: LakeCost }> {
  const { deploy } = lake
  if (deploy?.kind !== 'aws') return {}
  const { knownOfLake } = await import('../../../aws/deploy/known-of-lake.js')
  const { lakeCost } = await import('../../../aws/prices/lake-cost.js')
  const known = await knownOfLake({ storage, log })
  return { cost: lakeCost(lake, deploy as AwsDeploy, known) }
}
