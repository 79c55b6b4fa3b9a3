import { abortController } from '../signals.js'
import { endNow } from './end-now.js'

/** Is aborted by Ctrl-C, and by SIGTERM; who says it once more ends the process at once. */
export function stopSignal(): { signal: AbortSignal } & Disposable {
  const abort = abortController()
  const stop = (name: 'SIGINT' | 'SIGTERM') => {
    if (abort.signal.aborted) endNow(name)
    abort.abort()
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  return {
    signal: abort.signal,
    [Symbol.dispose]: () => void process.off('SIGINT', stop).off('SIGTERM', stop),
  }
}
