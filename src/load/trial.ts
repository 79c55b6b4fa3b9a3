import { builtFile } from '../home.js'
import { endChild, startChild } from '../process/child.js'
import { environment } from '../settings.js'
import type { TriedObject, TryApart } from '../step/context.js'

/** Of which lake objects are read. */
export interface TrialPlace {
  /** The file that defines the lake. */
  file: string
  /** Where it lies, as a URL. */
  root: string
  /** It is a definition that was made into one file elsewhere, rather than a project's lake.ts. */
  isLaid?: boolean
  /** The environment whose sources are read in the place of the lake's. */
  env?: string | undefined
}

/** What a process is told that reads one object. */
export interface Trial extends TrialPlace, TriedObject {}

/** Milliseconds after which a process that reads one object is ended. */
const PATIENCE = 10 * 60_000

/** Reads objects of a quarantine in processes of their own. */
export function trialsOf(place: TrialPlace): TryApart {
  return async (object, signal) => {
    // It loads the definition, which reads the environment as the run does.
    const child = startChild(builtFile('load/trial-process.js'), { env: environment() })
    const stop = () => child.kill('SIGKILL')
    signal.addEventListener('abort', stop)
    let isLate = false
    let isReady = false
    const timer = setTimeout(() => {
      isLate = true
      stop()
    }, PATIENCE)
    try {
      return await new Promise<string | undefined>((resolve, reject) => {
        child.on('message', (message) => {
          if (message === 'ready') isReady = true
          else resolve(undefined)
        })
        child.once('error', reject)
        child.once('exit', (code, by) => {
          const how = isLate ? `a timeout after ${PATIENCE / 60_000} minutes` : by
          // Before it has begun to read, it is no fault of what it would have read.
          resolve(isReady ? (how ?? `exit code ${code}`) : undefined)
        })
        child.send({ ...place, ...object } satisfies Trial)
      })
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      await endChild(child)
    }
  }
}
