import { setTimeout as sleep } from 'node:timers/promises'
import { abortController } from '../../signals.js'

/** Milliseconds for which a connection may take to close. */
const PATIENCE = 5000

/**
 * Waits until a connection is closed, and not for one that never is: a client may wait for an
 * answer that was lost with the connection.
 */
export async function closing(work: Promise<unknown>): Promise<void> {
  const stop = abortController()
  try {
    await Promise.race([work, sleep(PATIENCE, undefined, { signal: stop.signal })])
  } catch {
    // It is lost: there is nothing to close.
  } finally {
    stop.abort()
  }
}
