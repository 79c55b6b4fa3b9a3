import { MoraineError } from '../../errors.js'
import { contentsOf } from '../../iceberg/difference.js'
import { Table } from '../../iceberg/table.js'
import type { TableState } from '../../log/commit.js'
import type { CommitLog } from '../../log/log.js'
import { isPassing } from '../../storage/passing.js'
import type { Storage } from '../../storage/storage.js'

/** Versions of a table that are tried. */
const MOST = 20

/**
 * What the log said of a table before its metadata were damaged, at the newest version that can be
 * read: whoever builds it anew goes on from there, so that the table stays the same one to other
 * engines, and keeps its tags.
 *
 * @returns `undefined` where there is none.
 */
export async function readableBefore(
  log: CommitLog,
  storage: Storage,
  name: string,
): Promise<TableState | undefined> {
  const { number: newest, horizon = 0 } = await log.head()
  let tried = 0
  for (let number = newest; number > 0 && number >= horizon && tried < MOST; number--) {
    const changed = (await log.entry(number))?.commit.changes.tables?.[name]
    if (changed === undefined) continue
    if (changed === null) return undefined
    tried++
    if (await isReadable(storage, changed)) return changed
  }
  return undefined
}

async function isReadable(storage: Storage, state: TableState): Promise<boolean> {
  try {
    await contentsOf(await Table.load(storage, state))
    return true
  } catch (error) {
    if (!(error instanceof MoraineError) || isPassing(error)) throw error
    return false
  }
}
