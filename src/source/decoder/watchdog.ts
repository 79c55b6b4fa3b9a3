import { Script } from 'node:vm'
import { MoraineError } from '../../errors.js'
import { decoderLimits } from './limits.js'

const KEY = Symbol.for('moraine.decode')
const script = new Script('globalThis[Symbol.for("moraine.decode")]()')

/**
 * Runs a decoder of few bytes in place, and stops it when it takes longer than it may: for those a
 * process would cost more than decoding does. It must give the same when it is run again.
 *
 * @param name what is decoded, for the message.
 * @throws MoraineError of kind `source` when it was stopped.
 */
export function withinTime<T>(name: string, decode: () => T, seconds = decoderLimits().seconds): T {
  const shared = globalThis as { [KEY]?: (() => void) | undefined }
  const outer = shared[KEY]
  const before = process.cpuUsage()
  for (;;) {
    let result: { value: T } | undefined
    shared[KEY] = () => {
      result = { value: decode() }
    }
    try {
      script.runInThisContext({ timeout: Math.ceil(seconds * 1000) })
      return (result as { value: T } | undefined)?.value as T
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
      // A process that was stopped meanwhile, or had no turn, did not work for so long.
      const { user, system } = process.cpuUsage(before)
      if (user + system >= seconds * 1e6) throw stalled(name, seconds)
    } finally {
      shared[KEY] = outer
    }
  }
}

function stalled(name: string, seconds: number): MoraineError {
  return new MoraineError(
    'source',
    `${name} can't be read: its decoder did not finish within ${seconds} s; if this is expected, set MORAINE_DECODER_SECONDS=${Math.ceil(seconds * 10)}`,
    { hint: 'Nothing was ingested from it. Is it damaged, or crafted to keep its reader busy?' },
  )
}
