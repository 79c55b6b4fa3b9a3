import { availableParallelism } from 'node:os'
import { fullName } from '../define/dataset.js'
import { inputsOf, isBuilt } from '../define/inputs.js'
import { limitOf } from '../define/limits.js'
import type { LakeState } from '../log/commit.js'
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

/** A stage that has begun before its phase. */
interface Early {
  stage: TableStage
  done: Promise<void>
}

/** The second phase of a run: its silver and gold stages. */
export class BuildPhase {
  private readonly lanes: Lanes
  private readonly built: BuildOutcome[] = []
  private readonly early = new Map<string, Early>()
  /** The earliest state that a stage was built on. */
  private first: LakeState | undefined

  constructor(
    private readonly options: RunOptions,
    private readonly steps: Steps,
    private readonly recorder: RunRecorder,
  ) {
    this.lanes = new Lanes(options.stepsAtOnce ?? availableParallelism())
  }

  /** Begins a stage while sources that it doesn't read are still being read. */
  begin(stage: TableStage, context: RunContext, state: LakeState, externals: Externals): void {
    if (!this.first || state.number < this.first.number) this.first = state
    const how = { weight: 0, isShort: false }
    const done = this.lanes.run(() => this.step(context, stage, externals), how)
    this.early.set(stage.name, { stage, done })
  }

  /** Waits for stages that have begun early. */
  async settled(): Promise<void> {
    await Promise.all([...this.early.values()].map(({ done }) => done))
  }

  /**
   * Builds silver and gold as the plan allows; a failed step stops only what depends on it.
   *
   * @returns what was built, and since which state nobody else may have changed its tables.
   */
  async run(
    stages: readonly Stage[],
    context: RunContext,
    base: LakeState,
    externals: Externals,
  ): Promise<{ built: readonly BuildOutcome[]; since: LakeState }> {
    const tables = stages.filter((stage) => stage.kind !== 'intake')
    const finished = new Map<string, Promise<void>>()
    const weights = weightsOf(tables, context.relations.view)
    const weightOf = ({ name }: TableStage) => weights.get(name) as Weight
    const one = async (stage: TableStage) => {
      const { dataset, name, after } = stage
      await Promise.all(after.map((other) => finished.get(other)))
      const broken = inputsOf(dataset)
        .filter(isBuilt)
        .find((input) => this.steps.stopped(fullName(input)))
      if (broken) return this.steps.blocked(name, fullName(broken))
      const { rows, way } = weightOf(stage)
      await this.lanes.run(() => this.step(context, stage, externals), {
        weight: way,
        isShort: rows <= FEW_ROWS,
      })
    }
    // What begins at once takes the first places in this order, too.
    const ordered = tables.toSorted((a, b) => weightOf(b).way - weightOf(a).way)
    for (const stage of ordered) {
      const early = this.early.get(stage.name)
      finished.set(stage.name, early ? this.shown(early, context) : one(stage))
    }
    await Promise.all(finished.values())
    return { built: this.built, since: this.first ?? base }
  }

  /** Shows what an early stage has built to those after it. */
  private async shown({ stage, done }: Early, { relations }: RunContext): Promise<void> {
    await done
    const own = this.built.find(({ dataset }) => dataset === stage.dataset)
    for (const [table, state] of Object.entries(own?.tables ?? {})) relations.stage(table, state)
  }

  private async step(context: RunContext, stage: TableStage, externals: Externals): Promise<void> {
    const { name } = stage
    const { options, recorder, steps, built } = this
    const time = limitOf(context.lake.steps.timeout ?? 'none')
    await steps.run(
      name,
      (begin, signal) => {
        const own = { ...context, signal }
        return buildStep(
          { context: own, run: steps.signal, recorder, built, begin, externals },
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
