import type { Command } from 'commander'
import type { AnyDataset } from '../define/dataset.js'
import { fullName } from '../define/dataset.js'
import { DefinitionError } from '../errors.js'
import type { LakeState } from '../log/commit.js'
import { select } from '../plan/graph.js'
import { changesOf, plan, type Step } from '../plan/plan.js'
import { Batches } from '../run/batches.js'
import { bindProblems } from '../run/bind.js'
import { hash } from '../run/context.js'
import type { Storage } from '../storage/storage.js'
import { discoverAll } from './discoveries.js'
import { examples } from './examples.js'
import colors from './output/colors.js'
import { renderError } from './output/errors.js'
import { plural, toJson } from './output/format.js'
import { openProject, print } from './project.js'

export function define(command: Command): Command {
  return command
    .argument(
      '[dataset...]',
      'datasets to plan: a name, a tier, tag:NAME; + for upstream or downstream',
    )
    .option('--full', 'plan to build from all inputs again')
    .addHelpText(
      'after',
      examples(
        ['what would a run do?', 'moraine plan'],
        ['and for one dataset with all it needs?', 'moraine plan +gold.daily_revenue'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const { lake, storage, log, json } = await openProject(command)
  const datasets = select(lake, command.args)
  const state = await log.head()
  await refuseUnboundSql(lake.datasets, state, storage)
  const { discoveries, problems } = await discoverAll(storage, state, datasets)
  const full = command.opts<{ full?: boolean }>().full ?? false
  const steps = plan({ datasets, view: state, discoveries, full, hash })
  if (json) print(toJson(planJson(steps, problems), 2))
  else printPlan(steps, problems)
  return Object.keys(problems).length > 0 ? 1 : 0
}

/** SQL that is new is bound before anything runs; what is built has been bound before. */
async function refuseUnboundSql(
  datasets: readonly AnyDataset[],
  state: LakeState,
  storage: Storage,
): Promise<void> {
  const isNew = (dataset: AnyDataset) => {
    const table = state.tables[fullName(dataset)]
    return dataset.tier !== 'bronze' && (!table || changesOf(dataset, table, hash) !== undefined)
  }
  if (!datasets.some(isNew)) return
  const { DuckDB } = await import('../engine/duckdb/duckdb.js')
  const engine = await DuckDB.start({ threads: 1 })
  try {
    const session = await engine.open()
    const problems = await bindProblems(session, datasets, state, new Batches(storage))
    session.close()
    if (problems.length > 0) throw new DefinitionError(problems)
  } finally {
    await engine.close()
  }
}

function planJson(steps: readonly Step[], problems: Record<string, unknown>): object {
  return {
    steps: steps.map(({ name, decision }) => ({
      dataset: name,
      action: problems[name] ? 'error' : decision.action,
      ...(decision.action === 'build' ? { mode: decision.mode } : {}),
      reason: problems[name] ? String((problems[name] as Error).message) : decision.reason,
    })),
  }
}

function printPlan(steps: readonly Step[], problems: Record<string, unknown>): void {
  const width = Math.max(...steps.map(({ name }) => name.length))
  const words = {
    intake: colors.green('take in'),
    build: colors.cyan('build  '),
    none: colors.dim('nothing'),
  }
  for (const { name, decision } of steps) {
    const mode =
      decision.action === 'build' && decision.mode === 'incremental' ? ' (only what is new)' : ''
    const word = problems[name] ? colors.red('error  ') : words[decision.action]
    const reason = problems[name] ? 'its source can not be read, see below' : decision.reason
    print(`${word}  ${name.padEnd(width)}  ${colors.dim(`${reason}${mode}`)}`)
  }
  const doing = steps.filter(({ name, decision }) => decision.action !== 'none' && !problems[name])
  print('')
  print(
    doing.length === 0
      ? 'Nothing to do: the lake is up to date.'
      : `${plural(doing.length, 'step')} to do. Start with: moraine run`,
  )
  for (const problem of Object.values(problems)) process.stderr.write(`\n${renderError(problem)}\n`)
}
