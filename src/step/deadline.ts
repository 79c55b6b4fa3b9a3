import { longer, timeText } from '../define/limits.js'
import { MoraineError } from '../errors.js'
import { abortController, anySignal } from '../signals.js'

/** Milliseconds in which a step ends once it is to. */
const GRACE = 5000
/** Milliseconds that a timer can wait. */
const LONGEST = 2 ** 31 - 1

/**
 * How long steps of one kind may take, in milliseconds; one that does not end then is left behind.
 */
export interface StepTime {
  time: number
  grace?: number
  /** Is told that a step was left behind. */
  left?: () => void
  /** Is told that what was left behind has ended after all. */
  ended?: () => void
}

/** When a step is to end: with its run, or when it has taken too long. */
export class Deadline {
  readonly signal: AbortSignal
  /** Why it is to end, where it has taken too long. */
  late: MoraineError | undefined
  private readonly passed = abortController()
  private readonly timer: NodeJS.Timeout | undefined
  private patience: NodeJS.Timeout | undefined

  constructor(
    run: AbortSignal,
    private readonly limit: StepTime | undefined,
  ) {
    this.signal = limit ? anySignal([run, this.passed.signal]) : run
    const { time = Number.POSITIVE_INFINITY } = limit ?? {}
    if (time < LONGEST) this.timer = setTimeout(() => this.pass(time), time)
  }

  private pass(time: number): void {
    if (this.signal.aborted) return
    this.late = tooLong(time)
    this.passed.abort(this.late)
  }

  /** The work's result; where the work does not end although it is to, it is left behind. */
  kept<T>(work: Promise<T>): Promise<T> {
    if (!this.limit) return work
    const { signal } = this
    const { grace = GRACE, time, left, ended } = this.limit
    return new Promise<T>((resolve, reject) => {
      let isLeft = false
      const wait = () => {
        this.patience = setTimeout(() => {
          isLeft = true
          left?.()
          if (this.late) this.late = tooLong(time, true)
          reject(this.late ?? signal.reason)
        }, grace)
      }
      if (signal.aborted) wait()
      else signal.addEventListener('abort', wait, { once: true })
      // The run's signal outlives its steps: what has ended does not wait for it.
      const end = () => {
        signal.removeEventListener('abort', wait)
        clearTimeout(this.patience)
        if (isLeft) ended?.()
      }
      work.finally(end).then(resolve, reject)
    })
  }

  clear(): void {
    clearTimeout(this.timer)
    clearTimeout(this.patience)
  }
}

function tooLong(time: number, isLeft = false): MoraineError {
  const left = isLeft ? '; it continues in the background because it cannot be interrupted' : ''
  return new MoraineError(
    'limit',
    `The step was stopped: it took longer than its limit of ${timeText(time)}${left}`,
    {
      hint: `Its table is unchanged. Make it compute less, or raise the limit in lake.ts: steps: { timeout: '${longer(time)}' }`,
    },
  )
}

/** Of a dataset whose last step is still at work in this process, as nothing stops it. */
export function stillAtWork(): MoraineError {
  return new MoraineError(
    'limit',
    'It is not built again in this process, because its previous computation is still running and cannot be interrupted',
    { hint: 'Change its SQL, and restart the process.' },
  )
}
