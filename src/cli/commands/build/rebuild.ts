import type { Command } from 'commander'
import {
  commitRebuilt,
  isArchived,
  type Prepared,
  prepareRebuild,
  withRebuilt,
} from '../../../bronze/rebuild.js'
import { fullName } from '../../../define/dataset.js'
import { inputsOf, isBuilt } from '../../../define/inputs.js'
import type { AnyDataset, Bronze } from '../../../define/model.js'
import { MoraineError } from '../../../errors.js'
import type { LakeState } from '../../../log/commit.js'
import { whileWriting } from '../../../log/live.js'
import { decide } from '../../../plan/decide.js'
import { named, select } from '../../../plan/graph.js'
import { lossOf } from '../../../plan/refused/loss.js'
import { bindNew } from '../../../run/bind/bind-new.js'
import { Batches } from '../../../step/batches.js'
import { currentUser, hash, type RunContext } from '../../../step/context.js'
import { Externals } from '../../../step/external/externals.js'
import { PATIENT } from '../../../storage/retry.js'
import { withMemory } from '../../engine.js'
import { examples } from '../../examples.js'
import { plural, toJson } from '../../output/format.js'
import { PlainView } from '../../output/plain.js'
import { openProject, print } from '../../project.js'
import { openStepEngines, withEngine, workerOptions, workersOf } from './step-engines.js'

export function define(command: Command): Command {
  return withEngine(withMemory(command))
    .argument('<dataset>', 'a dataset whose source is archived')
    .requiredOption('--from <where>', 'archive: the original files')
    .addHelpText(
      'after',
      examples([
        'rebuild silver and its discarded rows from everything that ever arrived',
        'moraine rebuild orders --from archive',
      ]),
    )
}

/** Makes bronze anew from the archive, and builds all that reads it. */
export async function run(command: Command): Promise<number> {
  await using project = await openProject(command, { patience: { total: PATIENT } })
  const { lake, storage, log, json } = project
  const from = command.opts<{ from: string }>().from
  if (from !== 'archive')
    throw new MoraineError('usage', `--from ${from} is not supported`, {
      hint: 'Use --from archive. To rebuild from bronze, use: moraine run DATASET --full',
    })
  const chosen = named(lake, command.args[0] as string)
  const sources = [...new Set(chosen.flatMap(sourcesOf))]
  const archived = sources.filter(isArchived)
  if (archived.length === 0)
    throw new MoraineError(
      'usage',
      sources.length === 1
        ? `${sources.map(fullName)} is not archived`
        : `none of ${sources.map(fullName).join(', ')} is archived`,
      { hint: 'Only an inbox with archive: true keeps its original files.' },
    )
  const selectors = archived.map((source) => `${fullName(source)}+`)
  const engine = await project.engine({ workers: workersOf(command, lake) })
  const javascript = await project.javascript()
  await using engines = await openStepEngines(command, project, selectors)
  const view = json ? undefined : new PlainView()
  const signal = project.stopped()
  const started = new Date()
  const context = {
    lake,
    storage,
    log,
    engine,
    run: `rebuild-${started.toISOString().replace(/[-:.]/g, '')}`,
    author: currentUser(),
    signal,
    started,
    valuesFrom: 1 << 20,
    progress: () => {},
  }
  const base = await log.head()
  const prepared: Prepared[] = []
  const by = { command: 'rebuild', author: context.author }
  await whileWriting(storage, log, by, async () => {
    for (const source of archived) prepared.push(await prepareRebuild(context, source))
    // Whatever keeps the tables from being built is met before anything is changed.
    await refuseImpossible(context, withRebuilt(base, prepared), select(lake, selectors))
    await commitRebuilt(context, base, prepared)
  })
  for (const { dataset, rows, files, batches } of json ? [] : prepared)
    print(
      `✔ ${fullName(dataset)}  ${plural(rows, 'row')} of ${plural(files, 'file')} in ${batches} ${batches === 1 ? 'batch' : 'batches'} from the archive`,
    )
  for (const source of json ? [] : sources.filter((one) => !archived.includes(one)))
    print(`ℹ ${fullName(source)} is not archived, so it is unchanged`)
  const record = await project.house.run(lake, {
    engine,
    ownEngine: true,
    javascript,
    ...workerOptions(command, lake, engines),
    full: true,
    select: selectors,
    signal,
    onEvent: (event) => view?.event(event),
  })
  if (json) print(toJson(record, 2))
  return record.outcome === 'done' ? 0 : 1
}

/**
 * Refuses what a run on a state could not do: SQL that does not bind, tables that would lose rows.
 */
async function refuseImpossible(
  {
    lake,
    storage,
    engine,
    started: now,
  }: Pick<RunContext, 'lake' | 'storage' | 'engine' | 'started'>,
  state: LakeState,
  datasets: readonly AnyDataset[],
): Promise<void> {
  const externals = await Externals.of(storage, state, lake.datasets, { files: true })
  const unread = datasets.map((dataset) => externals.problemOf(dataset)).find(Boolean)
  if (unread) throw unread
  const view = externals.on(state)
  const session = await engine.open()
  try {
    const all = new Map(lake.datasets.map((dataset) => [dataset, 'all' as const]))
    const on = { view, externals, batches: new Batches(storage) }
    await bindNew(session, all, on, () => false)
  } finally {
    session.close()
  }
  for (const dataset of datasets) {
    if (dataset.tier === 'bronze') continue
    const decision = decide(dataset, view, { full: true, hash, now })
    const loss = lossOf(dataset, decision)
    if (loss) throw loss
  }
}

/** The sources that a dataset is made from, directly or not, look-ups included. */
function sourcesOf(dataset: AnyDataset): Bronze[] {
  if (dataset.tier === 'bronze') return [dataset]
  return inputsOf(dataset).filter(isBuilt).flatMap(sourcesOf)
}
