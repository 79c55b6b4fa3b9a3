/*
 * The process in which a query that is saved is built for the first time. It may use no more than
 * any other query; what ends it leaves the lake as it was.
 */
import { MoraineError, messageOf } from '../errors.js'
import { Lakehouse } from '../load/lakehouse.js'
import { loadLake } from '../load/load.js'
import { watchParent } from '../process/watchdog.js'
import { engineShare, type Limits } from '../query/limits.js'
import type { RunRecord } from '../step/events.js'

/** What is to be built. */
export interface Building {
  /** The file that defines the lake, and where the lake lies. */
  file: string
  root: string
  dataset: string
  /** The folder that paths are relative to. */
  directory: string
  extensions: string | undefined
  limits: Limits
}

export type Built = { record: RunRecord } | { failed: { message: string; hint?: string } }

const watchdog = watchParent()

async function build(asked: Building): Promise<Built> {
  const { file, root, dataset, directory, extensions, limits } = asked
  process.chdir(directory)
  watchdog.limitMemory(limits.memory)
  const share = engineShare(limits.memory, limits.threads)
  const house = Lakehouse.at(root)
  const engine = await house.startEngine({ ...share, spill: limits.spill, extensions })
  try {
    return {
      record: await house.run(await loadLake(file), {
        engine,
        ownEngine: true,
        select: [dataset],
      }),
    }
  } finally {
    await engine.close()
  }
}

process.once('message', (asked: Building) => {
  build(asked)
    .catch((error): Built => {
      const hint = error instanceof MoraineError ? error.hint : undefined
      return { failed: { message: messageOf(error), ...(hint ? { hint } : {}) } }
    })
    .then((built) => process.send?.(built))
})
