import type { Shape } from '../../iceberg/change.js'
import type { ScanTask } from '../../iceberg/deletes.js'
import type { DataFile } from '../../iceberg/spec/manifest.js'
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

/**
 * How the work of a step can be shared, so that all parts give what the step would, and how much it
 * is: `files` by groups of its input's files; `keys` the same, and then the keys that several
 * groups have, by buckets; `values` by buckets of a column of gold, whose rows depend on no other
 * values.
 */
export type Split =
  | ({ by: 'keys' | 'files' } & StepSize)
  | ({ by: 'values'; column: string } & StepSize)
  | { by: 'nothing'; why: string }

/** What a step reads, as far as the log says it. */
export interface StepSize {
  rows: number
  /** Of files. */
  bytes: number
}

/** A part of a step, in the order in which parts build on each other. */
export type StepPart = FilesPart | KeysPart | PlacesPart | ValuesPart

/** A group of the input's files: its rows are validated, and written at once. */
export interface FilesPart {
  by: 'files'
  /** From 0. */
  index: number
  of: number
  /** Rows that a range of a file has at least, where a large file is shared by several groups. */
  rangeRows: number
}

/** Keys of one bucket: of their rows in all groups, the latest are found, and what they replace. */
export interface KeysPart {
  by: 'keys'
  /** From 0. */
  index: number
  of: number
  /** What the groups of files have written, in their order; not what no other group can touch. */
  groups: readonly GroupRows[]
}

/** Files that lose rows: they list these as deleted, or are written again without them. */
export interface PlacesPart {
  by: 'places'
  tables: Readonly<Record<string, LosingTable>>
}

/** Rows of gold whose value of a column is in one bucket. */
export interface ValuesPart {
  by: 'values'
  column: string
  /** From 0. */
  index: number
  of: number
}

/** What a group of files leaves to those who compare keys; files are in the scratch place. */
export interface GroupRows {
  /** The group's number: of rows of one batch, those of a later group lie behind. */
  index: number
  /** Data files of the table, with the latest row of each key of the group. */
  data: readonly DataFile[]
  /** Keys that the group's rows take away, and invalid rows that may be the newest of their key. */
  others: readonly DataFile[]
  /** All versions that its rows are, where the dataset keeps them. */
  versions: readonly DataFile[]
}

/** A table of which rows go. */
export interface LosingTable {
  shape: Shape
  /** Files of {@link LostPlaces}. */
  places: readonly DataFile[]
  /** Files that are written again without these rows. */
  rewritten: readonly ScanTask[]
  /** Files that list them as deleted. */
  listed: readonly ScanTask[]
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
