import type { Definition } from '../../log/commit.js'
import type { BuildDecision, View } from '../../plan/decision.js'

/** What is said to a step beside its rows. */
export interface StepSettings {
  /** The id of the run, which names of files begin with. */
  run: string
  /** When the run began: what `now` is to the step. */
  started: Date
  /** Whether columns may change in ways that break readers. */
  allowBreaking: boolean
  /** Rows of each bronze input that silver reads at most; all when not given. */
  sample: number | undefined
  /** Bytes of files up to which rows are replaced by writing their files again. */
  rewriteUpTo: number
  /** Where tables that do not exist yet are to lie, relative to the lake's root, by their names. */
  folders: Readonly<Record<string, string>>
  /**
   * Rows that the dataset had in the last runs, newest first, where one of its checks compares with
   * them.
   */
  rowsBefore: readonly number[]
}

/** Which discarded rows are validated again. */
export interface Replay {
  /** The full name of the silver dataset. */
  dataset: string
  /** Only rows that one of whose reasons begins so. */
  rule?: string
  /** Only rows that were discarded then or later. */
  since?: string
}

/** Of which parts a step can be carried out by itself, so that all give what the step would. */
export type Split = { by: 'keys' | 'files' } | { by: 'nothing'; why: string }

/** A part of a step: keys of one bucket, or files of one group. */
export interface StepPart {
  by: 'keys' | 'files'
  /** From 0. */
  index: number
  of: number
}

/**
 * One step of silver or gold as plain data: what it makes of what, and on which state of the lake.
 */
export interface StepTask {
  version: 1
  /** The full name of what is built. */
  dataset: string
  /**
   * Its definition's fingerprint: who has the functions of another definition must not carry the
   * step out.
   */
  definition: Definition
  decision: BuildDecision
  replay?: Replay
  /**
   * How it can be split. What its rows must all be there for (checks, `keep`) comes once its parts
   * are put together.
   */
  split: Split
  /** The part that is to be carried out, where not all of it is. */
  part?: StepPart
  settings: StepSettings
  /** What the step may read. */
  view: View
}
