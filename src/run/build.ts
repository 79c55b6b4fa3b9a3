import { availableParallelism } from 'node:os'
import { fullName } from '../define/dataset.js'
import { inputsOf, isBuilt } from '../define/inputs.js'
import { limitOf } from '../define/limits.js'
import type { Stage } from '../plan/plan.js'
import { FEW_ROWS, type Weight, weightsOf } from '../plan/weight.js'
import { Lanes } from '../process/pool.js'
import type { BuildOutcome } from '../step/built.js'
import type { RunContext } from '../step/context.js'
import type { Externals } from '../step/external/externals.js'
import { buildStep, type TableStage } from './build-step.js'
import type { RunOptions } from './options.js'
import type { RunRecorder } from './recorder.js'
import type { Steps } from './steps.js'

/** The second phase of a run: its silver and gold stages. */
export class BuildPhase {
  private readonly stages: readonly TableStage[]
  private readonly externals: Externals

  constructor(
    { stages, externals }: { stages: readonly Stage[]; externals: Externals },
    private readonly options: RunOptions,
    private readonly steps: Steps,
    private readonly recorder: RunRecorder,
  ) {
    this.externals = externals
    this.stages = stages.filter((stage) => stage.kind !== 'intake')
  }

  /** Builds silver and gold as the plan allows; a failed step stops only what depends on it. */
  async run(context: RunContext): Promise<BuildOutcome[]> {
    const lanes = new Lanes(this.options.stepsAtOnce ?? availableParallelism())
    const built: BuildOutcome[] = []
    const finished = new Map<string, Promise<void>>()
    const weights = weightsOf(this.stages, context.relations.view)
    const weightOf = ({ name }: TableStage) => weights.get(name) as Weight
    const one = async (stage: TableStage) => {
      const { dataset, name, after } = stage
      await Promise.all(after.map((other) => finished.get(other)))
      const broken = inputsOf(dataset)
        .filter(isBuilt)
        .find((input) => this.steps.stopped(fullName(input)))
      if (broken) return this.steps.blocked(name, fullName(broken))
      const { rows, way } = weightOf(stage)
      await lanes.run(() => this.step(context, stage, built), {
        weight: way,
        isShort: rows <= FEW_ROWS,
      })
    }
    // What begins at once takes the first places in this order, too.
    const ordered = this.stages.toSorted((a, b) => weightOf(b).way - weightOf(a).way)
    for (const stage of ordered) finished.set(stage.name, one(stage))
    await Promise.all(finished.values())
    return built
  }

  private async step(context: RunContext, stage: TableStage, built: BuildOutcome[]): Promise<void> {
    const { name } = stage
    const { options, recorder, steps } = this
    const time = limitOf(context.lake.steps.timeout ?? 'none')
    await steps.run(
      name,
      (begin, signal) => {
        const own = { ...context, signal }
        return buildStep(
          { context: own, run: steps.signal, recorder, built, begin, externals: this.externals },
          stage,
          options,
        )
      },
      {
        time,
        left: () => options.leftBehind?.add(name),
        ended: () => options.leftBehind?.delete(name),
      },
    )
  }
}
