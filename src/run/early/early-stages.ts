import { checkedAgainst, inputsOf } from '../../define/inputs.js'
import type { Silver } from '../../define/model.js'
import type { LakeState } from '../../log/commit.js'
import type { BuildStage } from '../../plan/plan.js'
import type { RunOptions } from '../options.js'
import type { Prepared } from '../prepare.js'

/** A stage, and the sources that it still waits for. */
interface Waiting {
  stage: BuildStage
  on: Set<string>
  /** The newest state that has what it reads. */
  state: LakeState | undefined
}

/**
 * Stages of silver that may begin as soon as their own sources were read. SQL of theirs runs
 * elsewhere: the engine of this process can still open files that it reads sources from. What is
 * wrong in any SQL is told before anything is built: where that depends on columns that sources
 * have yet to show, no stage begins early.
 */
export class EarlyStages {
  private readonly waiting: Waiting[]

  constructor(
    { stages, left }: Pick<Prepared, 'stages' | 'left'>,
    { elsewhere, anew }: Pick<RunOptions, 'elsewhere' | 'anew'>,
    private readonly begin: (stage: BuildStage, on: LakeState) => void,
  ) {
    const isCertain = left.problems.length === 0 && left.unbound.size === 0 && !anew?.size
    this.waiting = stages.flatMap((stage) =>
      isCertain &&
      stage.kind === 'build' &&
      stage.after.length > 0 &&
      stage.dataset.tier === 'silver' &&
      readsBronzeAlone(stage.dataset) &&
      elsewhere?.(stage.dataset)
        ? [{ stage, on: new Set(stage.after), state: undefined }]
        : [],
    )
  }

  /** Begins what waited for a source that was read last. */
  readonly onRead = (dataset: string, state: LakeState): void => {
    for (const one of this.waiting) {
      if (!one.on.delete(dataset)) continue
      // States follow each other: a later one has the batches of those before it.
      if (!one.state || state.number > one.state.number) one.state = state
      if (one.on.size === 0) this.begin(one.stage, one.state)
    }
  }
}

/** Checks of SQL are held in this process, whatever carries the step out. */
function readsBronzeAlone(dataset: Silver): boolean {
  const inputs = [...inputsOf(dataset), ...checkedAgainst(dataset)]
  const hasSql = dataset.checks.some(({ check }) => check === 'sql')
  return !hasSql && inputs.every(({ tier }) => tier === 'bronze')
}
