import type { Silver } from '../define/model.js'
import type { Relation, Session } from '../engine/engine.js'
import type { StepContext } from '../step/context.js'

/*
 * What the stages of a silver step hand on: validate → deduplicate → merge → write.
 */

/** What is worked with, and on. */
export interface Work {
  context: StepContext
  session: Session
  dataset: Silver
}

/** Rows of a silver step's inputs, with their values and what is to be said of them. */
export interface Validated {
  /** The columns that the inputs have. */
  columns: string[]
  /** All rows. */
  rows: Relation
  /**
   * Those that have reasons, warnings or failures, or that a newer version of their file has taken
   * the place of.
   */
  flagged: Relation
  keyed: Keyed
  /** No two of them have the same place. */
  arePlaced: boolean
}

/** Key, cursor and place of rows, and what is known of them without looking. */
export interface Keyed {
  relation: Relation
  /** How many there are. */
  rows?: number
  /** SQL for keys among which are the least and the greatest of each column. */
  extremes?: string
}

/** The rows of a step, of which one a key is the latest. */
export interface Deduplicated {
  /** Rows of which one may be its key's latest, with what it says of the key in `_kind`. */
  candidates: Relation
  /** One row a key: the newest by cursor, batch, file and row. */
  latest: Relation
  /**
   * Key, cursor and place of rows whose key may come more than once; only where rows have places.
   */
  duplicates: Relation | undefined
  /** Valid rows that lost to a newer one. */
  superseded: number
  /**
   * Of a replay: places of rows that a later row of their batch, which is not replayed, outruns.
   */
  outrun?: Relation
}
