import { tmpdir } from 'node:os'
import { MoraineError } from '../errors.js'
import { builtFile } from '../home.js'
import { endChild, endingOf, startChild } from '../process/child.js'
import { excessError } from '../query/limits.js'
import { environment } from '../settings.js'
import { sweep } from '../storage/scratch.js'
import type { Building, Built } from './save-process.js'

/** Milliseconds that a timer can wait. */
const LONGEST = 2 ** 31 - 1

/**
 * Builds a query that is saved, in a process of its own. Ctrl-C stops it, and what it was saved to
 * is put back.
 *
 * @throws MoraineError of kind `limit` where it needs more than a query may use.
 */
export async function buildSaved(asked: Building): Promise<Exclude<Built, { failed: unknown }>> {
  // The definition needs what it needs of the environment.
  const env = environment()
  const child = startChild(builtFile('cli/save-process.js'), { env, isHeard: true })
  child.stderr?.pipe(process.stderr, { end: false })
  let stopped: MoraineError | undefined
  const stop = (reason: MoraineError) => {
    stopped ??= reason
    child.kill('SIGKILL')
  }
  const cancel = () => stop(new MoraineError('cancelled', 'The query was stopped and not saved'))
  process.on('SIGINT', cancel).on('SIGTERM', cancel)
  const { limits } = asked
  const timer =
    limits.time < LONGEST
      ? setTimeout(() => stop(excessError('time', limits)), limits.time)
      : undefined
  try {
    const reply = await new Promise<Built>((resolve, reject) => {
      child.once('message', (message) => resolve(message as Built))
      child.once('exit', (code, signal) =>
        reject(
          stopped ??
            (endingOf(child) === 'memory'
              ? excessError('memory', limits)
              : new MoraineError('query', `The query process was ended by ${signal ?? code}`)),
        ),
      )
      child.send(asked, () => {})
    })
    if ('failed' in reply) throw new MoraineError('query', reply.failed.message, reply.failed)
    return reply
  } finally {
    clearTimeout(timer)
    process.off('SIGINT', cancel).off('SIGTERM', cancel)
    await endChild(child)
    await sweep(tmpdir()).catch(() => {})
  }
}
