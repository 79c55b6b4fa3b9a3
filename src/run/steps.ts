import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { DefinitionError, MoraineError, messageOf } from '../errors.js'
import type { Decision } from '../plan/decision.js'
import { redact } from '../secrets.js'
import { abortController } from '../signals.js'
import { Deadline, type StepTime } from '../step/deadline.js'
import type { RunEvent, RunRecord, StepResult } from '../step/events.js'
import { backoff, wasWaitedFor } from '../storage/retry.js'

const ATTEMPTS = 3
/** The same of steps in whose way other runs are. */
const CONFLICTS = 10

/** An error as records and `--json` show it. */
export function describeError(error: unknown): NonNullable<RunRecord['error']> {
  const message = redact(messageOf(error))
  if (error instanceof DefinitionError)
    return {
      kind: error.kind,
      message,
      problems: error.problems.map((problem) => ({ ...problem, message: redact(problem.message) })),
    }
  if (!(error instanceof MoraineError)) return { kind: 'engine', message }
  const { kind, hint, place } = error
  return {
    kind,
    message,
    ...(hint ? { hint } : {}),
    ...(place ? { place } : {}),
  }
}

/** A step that failed although it has a result to tell of. */
export class StepFailure extends Error {
  constructor(
    override readonly cause: MoraineError,
    readonly result: Partial<StepResult>,
  ) {
    super(cause.message)
  }
}

/**
 * A step that took too long has failed, also where it was left behind and has a result after all.
 */
export function refuseLate(step: AbortSignal, run: AbortSignal): void {
  if (!run.aborted) step.throwIfAborted()
}

/** Tells that there is something to do: what, and why. */
export type Begin = (decision: Decision) => void

/**
 * What a step does; it ends where its signal says so: the run is cancelled, or the step takes too
 * long.
 */
type Work = (begin: Begin, signal: AbortSignal) => Promise<Partial<StepResult>>

/** Runs steps, retries what may succeed later, and remembers how each ended. */
export class Steps {
  readonly results: StepResult[] = []
  readonly signal: AbortSignal

  constructor(
    private readonly emit: (event: RunEvent) => void,
    signal: AbortSignal | undefined,
    /** Says in the lake's words what an error of the engine is about. */
    private readonly explain: (error: unknown) => unknown = (error) => error,
  ) {
    this.signal = signal ?? abortController().signal
    // Every step, and every object that is being fetched, listens: many are no leak that Node
    // should warn of.
    setMaxListeners(0, this.signal)
  }

  get anyFailed(): boolean {
    return this.results.some(({ outcome }) => ['failed', 'blocked', 'held'].includes(outcome))
  }

  /** Whether a dataset ended in a way that nothing may be built on it. */
  stopped(dataset: string): boolean {
    const outcome = this.results.find((result) => result.dataset === dataset)?.outcome
    return outcome === 'failed' || outcome === 'blocked' || outcome === 'cancelled'
  }

  async run(dataset: string, work: Work, limit?: StepTime): Promise<void> {
    const start = performance.now()
    let reason = ''
    const begin: Begin = (decision) => {
      reason = decision.reason
      const mode = decision.action === 'build' ? { mode: decision.mode } : {}
      this.emit({ type: 'step-started', dataset, reason, ...mode })
    }
    const seconds = () => Math.round(performance.now() - start) / 1000
    const deadline = new Deadline(this.signal, limit)
    try {
      this.signal.throwIfAborted()
      const { signal } = deadline
      const result = await deadline.kept(this.retrying(() => work(begin, signal), signal))
      this.finish({ dataset, outcome: 'done', reason, ...result, seconds: seconds() })
    } catch (error) {
      const cancelled = this.signal.aborted
      const late = deadline.late
      const failure = error instanceof StepFailure && !late ? error : undefined
      this.finish({
        ...failure?.result,
        dataset,
        outcome: cancelled ? 'cancelled' : 'failed',
        reason,
        seconds: seconds(),
        ...(cancelled
          ? {}
          : { error: describeError(failure?.cause ?? late ?? this.explain(error)) }),
      })
    } finally {
      deadline.clear()
    }
  }

  blocked(dataset: string, by: string): void {
    this.finish({ dataset, outcome: 'blocked', reason: `${by} did not succeed`, seconds: 0 })
  }

  private finish(step: StepResult): void {
    const { notes, sourceWarnings } = step
    const result = {
      ...step,
      ...(notes ? { notes: notes.map(redact) } : {}),
      ...(sourceWarnings ? { sourceWarnings: sourceWarnings.map(redact) } : {}),
    }
    this.results.push(result)
    this.emit({ type: 'step-finished', result })
  }

  private async retrying<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        // Storage that was waited for is not waited for once more.
        const mayPass = error instanceof MoraineError && error.retryable && !wasWaitedFor(error)
        const most = mayPass && error.kind === 'conflict' ? CONFLICTS : ATTEMPTS
        if (!mayPass || attempt >= most || signal.aborted) throw error
        await sleep(backoff(attempt, 100))
      }
    }
  }
}
