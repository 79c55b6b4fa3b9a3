import { setMaxListeners } from 'node:events'

/**
 * An AbortController whose signal any number may listen to: each step, and each request that waits
 * for storage, does, and Node would warn of a leak from the eleventh on.
 */
export function abortController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}

/** What work gives, unless its signal says first that nobody waits for it any more. */
export function orAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop)
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', stop))
  })
}

/** AbortSignal.any, for any number of listeners. */
export function anySignal(signals: readonly AbortSignal[]): AbortSignal {
  const signal = AbortSignal.any([...signals])
  setMaxListeners(0, signal)
  return signal
}
