import { randomBytes } from 'node:crypto'
import { availableParallelism, userInfo } from 'node:os'
import { type AnyDataset, type Bronze, fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { Lake } from '../define/lake.js'
import type { Engine } from '../engine/engine.js'
import type { LakeState } from '../log/commit.js'
import { CommitLog } from '../log/log.js'
import { select } from '../plan/graph.js'
import { decide, decideIntake } from '../plan/plan.js'
import type { Storage } from '../storage/storage.js'
import { Batches } from './batches.js'
import { hash, type RunContext } from './context.js'
import type { RunEvent, RunRecord, StepResult } from './events.js'
import { buildGold } from './gold.js'
import { discover, takeIn } from './intake.js'
import { Journal } from './journal.js'
import { Pool } from './pool.js'
import { type BuildOutcome, publishable } from './publish.js'
import { Relations } from './relations.js'
import { buildSilver } from './silver.js'
import { describeError, Steps } from './steps.js'

export interface RunOptions {
  storage: Storage
  engine: Engine
  /** Selectors as on the command line; all datasets without them. */
  select?: readonly string[]
  /** Build selected tables from all of their inputs again. */
  full?: boolean
  signal?: AbortSignal
  author?: string
  onEvent?: (event: RunEvent) => void
  now?: () => Date
}

/**
 * Brings a lake up to date: takes in what sources offer (each batch its own commit), then builds
 * what that changes, and publishes all that passed in one commit.
 *
 * Failures of single steps are told by the record; only what keeps the run from starting is thrown.
 */
export async function runLake(lake: Lake, options: RunOptions): Promise<RunRecord> {
  const { storage, now = () => new Date() } = options
  const started = now()
  const run = runId(started)
  const author = options.author ?? (process.env.USER || userInfo().username)
  const log = new CommitLog(storage)
  await log.probe()
  const journal = new Journal(storage)
  const datasets = select(lake, options.select ?? [])
  const begun = await log.head()
  await journal.begin(run, started.toISOString())
  const emit = options.onEvent ?? (() => {})
  const graph = datasets.map((d) => ({ name: fullName(d), inputs: inputsOf(d).map(fullName) }))
  emit({ type: 'run-started', run, time: started.toISOString(), datasets: graph })
  const steps = new Steps(emit, options.signal)
  const shared = {
    lake,
    storage,
    log,
    engine: options.engine,
    run,
    started,
    author,
    signal: steps.signal,
    progress: (dataset: string, how: { rows?: number; percent?: number }) =>
      emit({ type: 'step-progress', dataset, ...how }),
  }
  const commits: number[] = []
  let failure: RunRecord['error']
  try {
    const base = await intake(
      { ...shared, relations: new Relations(storage, begun) },
      datasets,
      begun,
      steps,
      commits,
      emit,
    )
    const context: RunContext = { ...shared, relations: new Relations(storage, base) }
    const built = await buildAll(context, datasets, steps, options.full ?? false)
    await publish(context, base, built, steps, commits, emit)
  } catch (error) {
    failure = describeError(error)
  }
  const outcome = () =>
    steps.signal.aborted ? 'cancelled' : failure || steps.anyFailed ? 'failed' : 'done'
  const record = (): RunRecord => ({
    format: 1,
    run,
    outcome: outcome(),
    started: started.toISOString(),
    finished: now().toISOString(),
    author,
    steps: steps.results,
    commits,
    ...(failure ? { error: failure } : {}),
  })
  // A record that can't be kept is told, but it is no reason to hide what happened.
  await journal.end(record()).catch((error) => {
    failure ??= describeError(error)
  })
  const ended = record()
  emit({ type: 'run-finished', record: ended })
  return ended
}

/** `20261120T235959123Z-1a2b3c`: sorts by time. */
function runId(started: Date): string {
  const time = started.toISOString().replace(/[-:.]/g, '')
  return `${time}-${randomBytes(3).toString('hex')}`
}

/** Takes in all selected sources; returns the state with their batches. */
async function intake(
  context: RunContext,
  datasets: readonly AnyDataset[],
  begun: LakeState,
  steps: Steps,
  commits: number[],
  emit: (event: RunEvent) => void,
): Promise<LakeState> {
  const batches = new Batches(context.storage)
  const pool = new Pool(availableParallelism())
  const bronze = datasets.filter((dataset): dataset is Bronze => dataset.tier === 'bronze')
  const one = async (dataset: Bronze) => {
    const name = fullName(dataset)
    await steps.run(name, async (begin) => {
      const { discovery, files } = await discover(dataset, begun, batches)
      const decision = decideIntake(discovery)
      if (decision.action === 'none') return { outcome: 'unchanged', reason: decision.reason }
      begin(decision.reason)
      const taken = await takeIn(context, dataset, begun, files)
      const { rows, broken, bytes, notes } = taken
      if (taken.files === 0) return { outcome: 'unchanged', reason: notes.join(', ') }
      commits.push(taken.state.number)
      emit({ type: 'committed', commit: taken.state.number, datasets: [name] })
      const records = broken === 1 ? '1 record' : `${broken.toLocaleString('en-US')} records`
      const split = broken > 0 ? [`${records} could not be split into columns`] : []
      return { rows, bytes, files: taken.files, notes: [...notes, ...split] }
    })
  }
  await Promise.all(bronze.map((dataset) => pool.run(() => one(dataset))))
  return context.log.head()
}

/** Builds silver and gold as the graph allows; a failed step stops only what depends on it. */
async function buildAll(
  context: RunContext,
  datasets: readonly AnyDataset[],
  steps: Steps,
  full: boolean,
): Promise<BuildOutcome[]> {
  const pool = new Pool(availableParallelism())
  const built: BuildOutcome[] = []
  const finished = new Map<AnyDataset, Promise<void>>()
  const build = async (dataset: AnyDataset) => {
    const inputs = inputsOf(dataset)
    await Promise.all(inputs.map((input) => finished.get(input)))
    const broken = inputs.find((input) => steps.stopped(fullName(input)))
    if (broken) return steps.blocked(fullName(dataset), fullName(broken))
    await pool.run(() => buildOne(context, dataset, steps, full, built))
  }
  for (const dataset of datasets)
    if (dataset.tier !== 'bronze') finished.set(dataset, build(dataset))
  await Promise.all(finished.values())
  return built
}

async function buildOne(
  context: RunContext,
  dataset: AnyDataset,
  steps: Steps,
  full: boolean,
  built: BuildOutcome[],
): Promise<void> {
  const name = fullName(dataset)
  const view = context.relations.view
  await steps.run(name, async (begin) => {
    const decision = decide(dataset, view, { full, hash })
    if (decision.action !== 'build') return { outcome: 'unchanged', reason: decision.reason }
    begin(decision.reason)
    const made = await (dataset.tier === 'silver'
      ? buildSilver(context, dataset, decision)
      : buildGold(context, dataset as never))
    for (const [table, state] of Object.entries(made.tables)) context.relations.stage(table, state)
    built.push({ dataset, tables: made.tables, view })
    return made.result as Partial<StepResult>
  })
}

async function publish(
  context: RunContext,
  base: LakeState,
  built: readonly BuildOutcome[],
  steps: Steps,
  commits: number[],
  emit: (event: RunEvent) => void,
): Promise<void> {
  if (built.length === 0 || context.signal.aborted) return
  if (context.lake.publish === 'all' && steps.anyFailed) return
  const { log, author, run } = context
  const names = built.map(({ dataset }) => fullName(dataset))
  const message = `build ${names.length === 1 ? names[0] : `${names.length} tables`}`
  const state = await log.commit(base, publishable(built), { author, run, message })
  commits.push(state.number)
  emit({ type: 'committed', commit: state.number, datasets: names })
}
