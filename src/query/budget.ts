import { LEAST_MEMORY } from '../define/limits.js'
import { sizeText } from '../define/size.js'
import { MoraineError } from '../errors.js'
import { machineMemory } from '../process/memory.js'

/** The part of the machine's memory that all queries of a process may have together. */
const PART = 0.75
/**
 * A query for which nothing is said gets what is left, divided by so many: alone it has a quarter
 * of the machine.
 */
const SHARES = 3

/** Memory that a query has until it gives it back. */
export interface Grant {
  memory: number
  giveBack(): void
}

interface Waiting {
  memory: number | undefined
  most: number
  admit: (grant: Grant) => void
}

/**
 * The memory of queries that run at the same time. One for which nothing is said gets a third of
 * what is left; where the rest is too little, and where more was asked for than is left, a query
 * waits for others to end, in their order.
 */
export class MemoryBudget {
  private given = 0
  private readonly waiting: Waiting[] = []

  constructor(private readonly total = Math.floor(machineMemory() * PART)) {}

  /** How many wait for memory. */
  get waitingNow(): number {
    return this.waiting.length
  }

  /**
   * @param memory what was asked for; without it, at most `most`.
   * @param patience milliseconds that it may wait.
   * @throws MoraineError of kind `limit` when it has waited for too long; the signal's reason.
   */
  take(
    memory: number | undefined,
    {
      most,
      patience,
      signal,
    }: { most: number; patience: number; signal?: AbortSignal | undefined },
  ): Promise<Grant> | Grant {
    if (this.waiting.length === 0) {
      const grant = this.grantNow(memory, most)
      if (grant) return grant
    }
    return new Promise((resolve, reject) => {
      const leave = (error: unknown) => {
        const at = this.waiting.indexOf(one)
        if (at >= 0) this.waiting.splice(at, 1)
        settle()
        reject(error)
        this.admit()
      }
      const abort = () => leave(signal?.reason)
      const timer =
        patience < 2 ** 31 - 1
          ? setTimeout(() => leave(noRoom(this.total, patience)), patience)
          : undefined
      const settle = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      }
      const one: Waiting = {
        memory,
        most,
        admit: (grant) => {
          settle()
          resolve(grant)
        },
      }
      signal?.addEventListener('abort', abort)
      this.waiting.push(one)
    })
  }

  /** A query that has all to itself may have more than the budget: it is what was asked for. */
  private grantNow(asked: number | undefined, most: number): Grant | undefined {
    const left = this.total - this.given
    const share = Math.floor(Math.min(most, left / SHARES))
    const least = Math.min(most, LEAST_MEMORY)
    const memory = asked ?? Math.max(least, share)
    if (this.given > 0 && memory > left) return undefined
    this.given += memory
    let isBack = false
    const giveBack = () => {
      if (isBack) return
      isBack = true
      this.given -= memory
      this.admit()
    }
    return { memory, giveBack }
  }

  private admit(): void {
    for (;;) {
      const [next] = this.waiting
      const grant = next && this.grantNow(next.memory, next.most)
      if (!grant) return
      this.waiting.shift()
      next.admit(grant)
    }
  }
}

/** What the queries of this process, and the engines that write their results, have together. */
export const queryMemory = new MemoryBudget()

/** Milliseconds that the writing of a result waits for memory. */
const PATIENCE = 600_000

/**
 * Writes a result once there is memory for the engine that does. Its rows have been read by then: a
 * query that waits for its writer would keep what the writer waits for.
 *
 * @throws MoraineError of kind `limit` when it has waited for too long; the signal's reason.
 */
export async function withQueryMemory<T>(
  memory: number,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const grant = await queryMemory.take(memory, { most: memory, patience: PATIENCE, signal })
  try {
    return await work()
  } finally {
    grant.giveBack()
  }
}

function noRoom(total: number, patience: number): MoraineError {
  return new MoraineError(
    'limit',
    `The query was not started: for ${Math.round(patience / 1000)} s, other queries of this program used all of the ${sizeText(total)} of memory available to queries`,
    {
      hint: 'Read their rows to the end, or close them; run fewer queries at the same time, or give each less memory.',
    },
  )
}
