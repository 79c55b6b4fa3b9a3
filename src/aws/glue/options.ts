import type { Lake } from '../../define/lake.js'
import type { Session } from '../../engine/engine.js'
import type { CommitLog } from '../../log/log.js'
import type { Storage } from '../../storage/storage.js'
import type { Glue } from './client.js'
import type { DatabaseNames } from './names.js'

/** What is projected, and into what. */
export interface ProjectOptions {
  lake: Lake
  storage: Storage
  log: CommitLog
  glue: Glue
  names?: DatabaseNames | undefined
  /** Datasets whose tables are written again, whatever somebody else has put there. */
  takeBack?: readonly string[] | undefined
  /** Nothing is written. */
  dryRun?: boolean | undefined
  /** All partitions are looked at, also where none has changed since they were projected. */
  full?: boolean | undefined
  /** A session of the engine, for views whose SQL has to be written for Trino. */
  session?: (() => Promise<Session>) | undefined
  signal?: AbortSignal | undefined
}
