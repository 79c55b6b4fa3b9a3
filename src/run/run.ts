import type { Lake } from '../define/lake.js'
import type { AnyDataset } from '../define/model.js'
import type { LakeState } from '../log/commit.js'
import type { CommitLog } from '../log/log.js'
import type { BuildOutcome } from '../step/built.js'
import type { RunEvent, RunRecord } from '../step/events.js'
import { keepProfiles } from '../step/profile.js'
import { damageIn } from '../storage/damage.js'
import { BuildPhase } from './build.js'
import { expireBatches } from './expire.js'
import type { RunOptions } from './options.js'
import { planAndIngest } from './plan-and-ingest.js'
import { keepRejected, publish } from './publish.js'
import { RunRecorder } from './recorder.js'
import { contextOn, type Shared, sharedOf } from './run-context.js'
import { describeError, Steps } from './steps.js'

/** One run: its phases, one after the other. */
export class Run {
  private readonly now: () => Date
  private readonly shared: Shared
  private readonly steps: Steps
  private readonly recorder: RunRecorder

  constructor(
    lake: Lake,
    private readonly datasets: readonly AnyDataset[],
    log: CommitLog,
    private readonly options: RunOptions,
  ) {
    const { storage, onEvent = () => {}, now = () => new Date() } = options
    const started = now()
    const emit = (event: RunEvent) => {
      // What goes wrong with it is told at the end.
      if (event.type === 'step-started') this.recorder.begin().catch(() => {})
      onEvent(event)
    }
    this.now = now
    this.steps = new Steps(emit, options.signal, (error) => damageIn(error, storage) ?? error)
    const { signal } = this.steps
    this.shared = sharedOf(lake, datasets, log, options, { started, signal })
    this.recorder = new RunRecorder(this.shared, this.steps, emit, now)
  }

  async execute(begun: LakeState): Promise<RunRecord> {
    const { datasets, options, steps, recorder, shared } = this
    recorder.start(datasets, begun.number)
    const phase = new BuildPhase(options, steps, recorder)
    try {
      const { stages, expire, base, externals } = await planAndIngest(
        { shared, datasets, options, steps, recorder, phase },
        begun,
      )
      const { engine, storage } = shared
      if (options.ownEngine) await engine.confine([storage.url])
      const context = contextOn(shared, base, options, externals)
      const { built, since } = await phase.run(stages, context, base, externals)
      try {
        await publish(shared, steps, recorder, since, built)
      } finally {
        await keepRejected(shared, recorder.rejected, base, built)
      }
      await this.lookAtRows(base, built)
      await expireBatches(shared, expire, recorder, this.now)
    } catch (error) {
      recorder.failure = describeError(error)
    } finally {
      await phase.settled()
    }
    // A record that can't be kept is told, but it is no reason to hide what happened.
    await recorder.keepRecord().catch((error) => {
      recorder.failure ??= describeError(error)
    })
    return recorder.finish()
  }

  /** What rows are like is worth to know, but it is no reason for a run to fail. */
  private async lookAtRows(base: LakeState, built: readonly BuildOutcome[]): Promise<void> {
    if (this.shared.signal.aborted) return
    await keepProfiles(contextOn(this.shared, base, this.options), built).catch(() => {})
  }
}
