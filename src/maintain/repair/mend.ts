import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import type { AnyDataset } from '../../define/model.js'
import type { Engine } from '../../engine/engine.js'
import { messageOf } from '../../errors.js'
import { couldNotRead, type Damage, type ReadDeep } from '../../log/verify/damage.js'
import type { JavaScript } from '../../step/javascript.js'
import { isPassing } from '../../storage/passing.js'
import type { Storage } from '../../storage/storage.js'

/** What is done about one damaged object, or why nothing can be. */
export interface Mend {
  path: string
  /** What is wrong with it. */
  why: string
  /**
   * `bytes`: the very bytes come back. `made`: what it says is made anew from what is whole.
   * `lost`: nothing brings it back. `unread`: nobody knows, as what would tell could not be read.
   */
  how: 'bytes' | 'made' | 'lost' | 'unread'
  /** What is done; of what is lost, what is lost and what is left. */
  text: string
  /** The command that does the same, where there is one. */
  command?: string
}

export interface RepairOptions {
  lake: Lake
  storage: Storage
  engine: Engine
  javascript?: JavaScript
  /** Whether to do it, rather than to say what would be done. */
  apply: boolean
  /**
   * Gives up commits whose entries are gone from the end of the log, and what is known of files of
   * batches that have expired.
   */
  allowLoss?: boolean
  /** Reads each data file's values, for files without checksums. */
  deep: ReadDeep
  author: string
  signal?: AbortSignal
}

/** What can't be mended. */
export function lost({ path, why }: Damage, text: string): Mend {
  return { path, why, how: 'lost', text }
}

/**
 * What is not mended now, whatever it may be: an error of the moment proves nothing. Other errors
 * say that it can't be mended.
 */
export function notMended(one: Damage, error: unknown, text = (why: string) => why): Mend {
  const why = messageOf(error)
  if (!isPassing(error)) return lost(one, text(why))
  return {
    path: one.path,
    why: one.why,
    how: 'unread',
    text: `what would repair it ${couldNotRead(why)}`,
  }
}

/** The dataset that makes a table: `silver.orders` makes `history.orders`. */
export function makerOf(lake: Lake, table: string): AnyDataset | undefined {
  const [tier = '', ...name] = table.split('.')
  const full = `${tier === 'gold' ? 'gold' : 'silver'}.${name.join('.')}`
  return lake.datasets.find((dataset) => fullName(dataset) === full)
}
