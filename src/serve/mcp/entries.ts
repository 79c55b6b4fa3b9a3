import { allEntries } from '../../catalog/all-entries.js'
import type { CatalogEntry } from '../../catalog/describe.js'
import type { Lake } from '../../define/lake.js'
import type { Session } from '../../engine/engine.js'
import type { CommitLog } from '../../log/log.js'
import type { Storage } from '../../storage/storage.js'

interface Described {
  lake: Lake
  storage: Storage
  log: CommitLog
  /** A session of an engine, which is opened when it is first needed. */
  session: () => Promise<Session>
}

/** What the catalog has of a lake as its last commit left it; read once for each commit. */
export function entriesOf({ lake, storage, log, session }: Described) {
  let known: { commit: number; entries: Promise<CatalogEntry[]> } | undefined
  let opened: Promise<Session> | undefined
  return async (): Promise<readonly CatalogEntry[]> => {
    const state = await log.head()
    if (known?.commit !== state.number) {
      opened ??= session()
      const engine = opened
      // One that could not be opened now may be next time.
      engine.catch(() => {
        if (opened === engine) opened = undefined
      })
      const entries = engine.then((found) => allEntries(found, { lake, storage }, state))
      const next = { commit: state.number, entries }
      known = next
      entries.catch(() => {
        if (known === next) known = undefined
      })
    }
    return known.entries
  }
}
