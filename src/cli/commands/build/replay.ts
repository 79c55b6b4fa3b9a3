import type { Command } from 'commander'
import { fullName } from '../../../define/dataset.js'
import { PATIENT } from '../../../storage/retry.js'
import { checkRule, silverNamed } from '../../discarded-rule.js'
import { momentFor } from '../../duration.js'
import { withMemory } from '../../engine.js'
import { examples } from '../../examples.js'
import { toJson } from '../../output/format.js'
import { PlainView } from '../../output/plain.js'
import { openProject, print } from '../../project.js'
import { limitsBeside } from '../../query-limits.js'
import { openStepEngines, withEngine, workerOptions, workersOf } from './step-engines.js'

export function define(command: Command): Command {
  return withEngine(withMemory(command))
    .argument('<dataset>', 'a silver dataset')
    .option('--rule <name>', 'only rows discarded for this rule or column')
    .option(
      '--since <time>',
      'only rows discarded at or after this time, or in this last while (12h)',
    )
    .addHelpText(
      'after',
      examples(
        ['after fixing a rule or a lookup table', 'moraine replay orders'],
        ['only rows discarded by one rule', "moraine replay orders --rule 'status is known'"],
      ),
    )
}

/** Judges discarded rows again, and builds what reads their dataset. */
export async function run(command: Command): Promise<number> {
  await using project = await openProject(command, { patience: { total: PATIENT } })
  const { lake, storage, log, json } = project
  const { rule, since } = command.opts<{ rule?: string; since?: string }>()
  const silver = silverNamed(lake, command.args[0] as string)
  const dataset = fullName(silver)
  if (rule !== undefined)
    await checkRule({ storage, state: await log.head() }, silver, rule, limitsBeside(lake))
  const from = since === undefined ? undefined : momentFor('--since', since)
  const engine = await project.engine({ workers: workersOf(command, lake) })
  const javascript = await project.javascript()
  await using engines = await openStepEngines(command, project, [`${dataset}+`])
  const view = json ? undefined : new PlainView()
  const record = await project.house.run(lake, {
    engine,
    ownEngine: true,
    javascript,
    ...workerOptions(command, lake, engines),
    select: [`${dataset}+`],
    replay: {
      dataset,
      ...(rule === undefined ? {} : { rule }),
      ...(from ? { since: from.toISOString() } : {}),
    },
    onEvent: (event) => view?.event(event),
  })
  if (json) print(toJson(record, 2))
  return record.outcome === 'done' ? 0 : 1
}
