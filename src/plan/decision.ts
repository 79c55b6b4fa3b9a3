import type { Adopted, BatchPointer, LakeState } from '../log/commit.js'

/** What a bronze source offers that the lake does not have yet. */
export type Discovery = (FilesDiscovery | RowsDiscovery) & {
  /** Objects in quarantine that are tried again. */
  again?: number
}

/** What a database offers. */
export interface RowsDiscovery {
  /** What is to be read; `undefined`: nothing. */
  news: string | undefined
  /** Why nothing is. */
  none: string
  notes: readonly string[]
}

export interface FilesDiscovery {
  /** Files that were never taken in. */
  added: number
  /** Files whose content seems to have changed since. */
  changed: number
  /** Bytes of both. */
  bytes: number
  /** Files that the lake has already. */
  known: number
  /** What is to be said of where they are looked for. */
  notes?: readonly string[]
}

/** The state a decision is made on: the log's, or the log's with what this run has made so far. */
export type View = Pick<
  LakeState,
  | 'tables'
  | 'views'
  | 'batches'
  | 'offsets'
  | 'expired'
  | 'definitions'
  | 'forgotten'
  | 'ownSources'
>

/**
 * Whether rows of a person are not removed from everywhere yet: until then nothing expires, as what
 * was made of the person's rows could not be computed without them any more.
 */
export const isForgetting = ({ forgotten = {} }: Pick<View, 'forgotten'>): boolean =>
  Object.values(forgotten).some(({ done }) => !done)

/** What is to be done for a dataset, and why, in a sentence. */
export type Decision =
  | { action: 'intake'; reason: string }
  | BuildDecision
  | { action: 'none'; reason: string }

export interface BuildDecision {
  action: 'build'
  /**
   * `incremental`: silver reads new batches only, gold computes only the parts that changed rows of
   * its driving inputs touch.
   */
  mode: 'full' | 'incremental'
  reason: string
  windows: Window[]
  /** New names of columns, by the old ones. */
  renamed?: Readonly<Record<string, string>>
  /**
   * Inputs whose first rows are gone, so that a build from all rows would lose what was made from
   * them.
   */
  lost?: readonly string[]
  /** Changes of other engines to the table, which would not be there any more. */
  drops?: Adopted
  /** Changes of other engines to parts of the table: a build of these would drop them. */
  avoids?: Adopted
  /** Nothing is to be done but to let rows go that are older than `keep`. */
  expires?: true
  /** Of gold: compute all parts whose rows are still there, whatever changed. */
  all?: true
  /** A relation with the places of the rows that are meant, where not all are. */
  only?: string
}

/** The batches of a bronze dataset that a silver one has not read yet. */
export interface Window {
  dataset: string
  batches: readonly BatchPointer[]
}
