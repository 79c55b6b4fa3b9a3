import { type StorageEvent, watchStorages } from '../../storage/retry.js'
import { show } from './terminal.js'

/** Milliseconds of failures after which somebody should know what is waited for. */
const AFTER = 1000

/**
 * Says once what is waited for while a storage does not answer, and when that is over.
 *
 * @param say is given the text, or nothing once it is over.
 */
export function tellWaits(
  say: (text: string | undefined) => void = (text) => {
    if (text !== undefined) show(`${text}\n`, process.stderr)
  },
): () => void {
  const announced = new Map<string, string>()
  return watchStorages((event: StorageEvent) => {
    const { storage, since } = event
    if (event.type === 'answering') {
      if (!announced.delete(storage)) return
      say(`· ${storage} responds again, after ${Math.round((Date.now() - since) / 1000)} s`)
      say(undefined)
      return
    }
    if (announced.has(storage) || event.wait === undefined || Date.now() - since < AFTER) return
    const { message } = event.error
    announced.set(storage, message)
    const seconds = Math.round(event.patience / 1000)
    say(`! waiting for ${storage}, for up to ${seconds} s: ${message}`)
  })
}
