import type { Lake } from '../../define/lake.js'
import type { Silver } from '../../define/model.js'
import type { Engine, Relation, Session } from '../../engine/engine.js'
import type { LakeState } from '../../log/commit.js'
import type { CommitLog } from '../../log/log.js'
import type { JavaScript } from '../../step/javascript.js'
import type { Relations } from '../../step/relations.js'
import type { Storage } from '../../storage/storage.js'

/** What works on a lake while rows are forgotten. */
export interface ForgetOptions {
  lake: Lake
  storage: Storage
  log: CommitLog
  engine: Engine
  javascript: JavaScript
  author: string
  signal: AbortSignal
}

/**
 * Whose rows are meant: those of a key of a silver dataset, or of the keys that a condition has.
 */
export interface Asked {
  dataset: Silver
  /** Values of its key's columns, as texts. */
  key?: Readonly<Record<string, string>>
  /** SQL over columns of its key and those that it says identify rows. */
  where?: string
}

/** What rows are looked for with, in one state of the lake. */
export interface SearchContext {
  lake: Lake
  storage: Storage
  log: CommitLog
  state: LakeState
  relations: Relations
  session: Session
  javascript: JavaScript
  signal: AbortSignal
}

/** Rows of a silver dataset that are meant. */
export interface Meant {
  dataset: Silver
  /** SQL over a row `r` of its table, or of its history, whether it is one. */
  condition: string
  /** The same of tables that have its key and none of its other columns. */
  keyCondition: string
  /**
   * Where bronze has them: `_batch`, `_source_file`, and as `_source_line` the number of the row in
   * the file that holds it; of rows that were discarded also `_raw`.
   */
  places: Relation
  /** Rows there; of those, rows that could not be read and hold the identifying text. */
  rows: number
  unreadable: number
  /** Rows of bronze that may be theirs, and stay: they could not be told from those of others. */
  doubtful: number
  /**
   * Other rows have a key of theirs: which of those is its newest then is told by a build of all
   * rows.
   */
  shared: boolean
}
