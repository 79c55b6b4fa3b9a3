import { availableParallelism } from 'node:os'
import { fullName } from '../define/dataset.js'
import { checkedAgainst, inputsOf } from '../define/inputs.js'
import { limitOf } from '../define/limits.js'
import type { AnyDataset, Gold, Silver } from '../define/model.js'
import { Pool } from '../process/pool.js'
import type { BuildOutcome } from '../step/built.js'
import type { RunContext } from '../step/context.js'
import type { StepResult } from '../step/events.js'
import { buildStep } from './build-step.js'
import type { RunOptions } from './options.js'
import type { RunRecorder } from './recorder.js'
import { replayStep } from './replay-step.js'
import type { Steps } from './steps.js'

function readsBronzeAlone(dataset: AnyDataset): boolean {
  return [...inputsOf(dataset), ...checkedAgainst(dataset)].every(({ tier }) => tier === 'bronze')
}

/** The second phase of a run: its silver and gold steps. */
export class BuildPhase {
  constructor(
    private readonly datasets: readonly AnyDataset[],
    private readonly options: RunOptions,
    private readonly steps: Steps,
    private readonly recorder: RunRecorder,
  ) {}

  /** Builds silver and gold as the graph allows; a failed step stops only what depends on it. */
  async run(context: RunContext): Promise<BuildOutcome[]> {
    const pool = new Pool(availableParallelism())
    const built: BuildOutcome[] = []
    const finished = new Map<AnyDataset, Promise<void>>()
    const one = async (dataset: Silver | Gold) => {
      const inputs = inputsOf(dataset)
      const first = [...inputs, ...checkedAgainst(dataset)]
      await Promise.all(first.map((input) => finished.get(input)))
      const broken = inputs.find((input) => this.steps.stopped(fullName(input)))
      if (broken) return this.steps.blocked(fullName(dataset), fullName(broken))
      await pool.run(() => this.step(context, dataset, built))
    }
    // The largest first, as far as the graph allows.
    const rowsIn = (dataset: AnyDataset) =>
      inputsOf(dataset)
        .flatMap((input) => context.relations.view.batches[fullName(input)] ?? [])
        .reduce((sum, batch) => sum + batch.rows, 0)
    const tables = this.datasets.filter((d): d is Silver | Gold => d.tier !== 'bronze')
    const heavy = tables.filter((d) => d.tier === 'silver').sort((a, b) => rowsIn(b) - rowsIn(a))
    const order = [...heavy.filter(readsBronzeAlone), ...tables]
    for (const dataset of new Set(order)) finished.set(dataset, one(dataset))
    await Promise.all(finished.values())
    return built
  }

  private async step(
    context: RunContext,
    dataset: Silver | Gold,
    built: BuildOutcome[],
  ): Promise<void> {
    const time = limitOf(context.lake.steps.timeout ?? 'none')
    await this.steps.run(
      fullName(dataset),
      (begin, signal) => this.work({ ...context, signal }, dataset, built, begin),
      {
        time,
        left: () => this.options.leftBehind?.add(fullName(dataset)),
        ended: () => this.options.leftBehind?.delete(fullName(dataset)),
      },
    )
  }

  private work(
    context: RunContext,
    dataset: Silver | Gold,
    built: BuildOutcome[],
    begin: (reason: string) => void,
  ): Promise<Partial<StepResult>> {
    const { options, recorder } = this
    const own = { context, run: this.steps.signal, recorder, built, begin }
    return options.replay?.dataset === fullName(dataset)
      ? replayStep(own, dataset as Silver, options.replay)
      : buildStep(own, dataset, options)
  }
}
