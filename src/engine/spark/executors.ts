import { timeText } from '../../define/limits.js'
import { MoraineError } from '../../errors.js'

/** A cluster has no executor for a run, and had none for as long as the run waits. */
export class NoExecutors extends MoraineError {}

/** Milliseconds that a run waits for an executor: where it had some before, or not yet. */
export type Patience = (hadSome: boolean) => number

interface Asking {
  patience: Patience
  /** Whether anything waits for an executor. */
  isAsked: () => boolean
  tell: (text: string) => void
  giveUp: (error: NoExecutors) => void
}

/** Timers of Node go no further. */
const LONGEST = 2 ** 31 - 1

/** Looks whether a cluster has executors for what it is asked: Spark itself would wait for ever. */
export class Executors {
  /** Whether there was one ever. */
  hadSome = false
  private count: number | undefined
  private timer: NodeJS.Timeout | undefined
  private gaveUp = false

  constructor(private readonly asking: Asking) {}

  /** How many there are now. */
  are(count: number): void {
    const { isAsked, patience, tell } = this.asking
    if (this.count && count === 0 && isAsked()) {
      const time = patience(true)
      const wait = time === Infinity ? 'waits' : `waits ${timeText(time)}`
      tell(`! Spark has lost all of its executors: the run ${wait} for new ones`)
    }
    this.count = count
    if (count > 0) {
      this.hadSome = true
      this.gaveUp = false
    }
    this.look()
  }

  /** Begins to wait for executors, or ends it; to be called where what is asked changes. */
  look(): void {
    const { isAsked, giveUp } = this.asking
    if (this.count !== 0 || !isAsked()) {
      clearTimeout(this.timer)
      this.timer = undefined
    } else if (this.gaveUp) giveUp(this.error())
    else this.timer ??= this.start()
  }

  private start(): NodeJS.Timeout | undefined {
    const time = this.asking.patience(this.hadSome)
    if (time === Infinity) return undefined
    return setTimeout(
      () => {
        this.gaveUp = true
        this.timer = undefined
        this.look()
      },
      Math.min(time, LONGEST),
    )
  }

  private error(): NoExecutors {
    const time = timeText(this.asking.patience(this.hadSome))
    const what = this.hadSome
      ? `Spark has lost all of its executors, and got no new one in ${time}`
      : `Spark got no executor in ${time}`
    return new NoExecutors('engine', what, {
      hint: 'Tables that were not finished are unchanged. Look into the web UI of the cluster: its workers must be alive, and one must have room for an executor (cores and memory of spark({ … })). Then run again. If the cluster needs longer to start executors, set waitForExecutors in spark({ … }).',
    })
  }
}
