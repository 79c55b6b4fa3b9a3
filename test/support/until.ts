import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds after which nobody believes any more that something will hold. */
const LONGEST = 600_000
/** Milliseconds for what a process said last to be read. */
const LAST_WORDS = 5000

/** A process that has to live for it. */
interface Process {
  exitCode: number | null
  signalCode: NodeJS.Signals | null
}

/**
 * Waits until something holds, for as long as a busy machine may take; no longer than the process
 * lives of which it is expected.
 *
 * @param what it is, as in "MinIO answers".
 * @throws Error that names what did not come to hold.
 */
export async function until(
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
  process?: Process,
): Promise<void> {
  const begun = Date.now()
  let gone: number | undefined
  for (let pause = 5; !(await holds()); pause = Math.min(pause * 1.5, 100)) {
    const ended = process ? (process.signalCode ?? process.exitCode) : null
    if (ended !== null) gone ??= Date.now()
    const isOver = gone !== undefined && Date.now() - gone > LAST_WORDS
    if (isOver || Date.now() - begun > LONGEST) {
      const why = isOver ? `its process ended (${ended})` : `after ${LONGEST / 1000} s`
      throw new Error(`It does not hold, ${why}: ${typeof what === 'string' ? what : what()}`)
    }
    await sleep(pause)
  }
}
