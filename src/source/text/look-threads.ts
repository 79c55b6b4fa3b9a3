import { availableParallelism } from 'node:os'
import { builtFile } from '../../home.js'
import { hashInThread } from '../../storage/checksum.js'
import { Threads } from '../../threads.js'
import { factsOfAll } from './look.js'
import { lookHere } from './look-here.js'
import type { LookedAt, LookTask, PartFound } from './look-task.js'
import type { LookJob } from './look-thread.js'
import type { Machine } from './value-machine.js'

/** Bytes of a text that a thread looks at as one job. */
const PART = 8 * 2 ** 20

/**
 * Looks over a text by as many threads as there are cores, in parts of whole lines; only its hash
 * is made by one thread from its start to its end.
 */
export async function lookInThreads(
  task: LookTask,
  signal: AbortSignal | undefined,
): Promise<LookedAt> {
  signal?.throwIfAborted()
  const over = new Int32Array(new SharedArrayBuffer(4))
  const stop = () => Atomics.store(over, 0, 1)
  signal?.addEventListener('abort', stop)
  try {
    return await inParts(task, over)
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    stop()
    signal?.removeEventListener('abort', stop)
  }
}

async function inParts(
  { path, size, options, layout }: LookTask,
  over: Int32Array,
): Promise<LookedAt> {
  const hash = hashInThread({ path, over })
  const facts = async () => {
    const machine = layout && (await ask<Machine | undefined>({ kind: 'machine', layout }))
    const about = { path, size, options, machine, skip: layout?.skip ?? 0 }
    const parts = Array.from({ length: Math.ceil(size / PART) }, (_, i) => {
      const part = { ...about, from: i * PART, to: Math.min(size, (i + 1) * PART) }
      return ask<PartFound>({ kind: 'part', part, over })
    })
    return { machine, found: await Promise.all(parts) }
  }
  const [sha256, { machine, found }] = await Promise.all([hash, facts()])
  const wrong = found.map((part) => part.wrong)
  return {
    sha256,
    facts: factsOfAll(found.map((part) => part.facts)),
    ...(wrong.every((states) => states !== undefined)
      ? { machine, wrong }
      : { machine: undefined, wrong: [] }),
  }
}

/** To start them, and one that makes the hash, takes as long as to look at so many bytes. */
const START = 2 ** 25

/** Those of this process. */
const threads = new Threads(builtFile('source/text/look-thread.cjs'), availableParallelism(), START)

/** Bytes from which on a text is handed over: that costs less than it takes. */
const LARGE = 4 * 2 ** 20

/** Looks over a text in threads, or here where it is not worth that. */
export function lookOver(task: LookTask, signal: AbortSignal | undefined): Promise<LookedAt> {
  const isHere = task.size < LARGE || !threads.isWorth(task.size)
  return (isHere ? lookHere : lookInThreads)(task, signal)
}

const ask = <T>(job: LookJob) => threads.ask<T>(job)
