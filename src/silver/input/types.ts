import type { AnyInput } from '../../define/model.js'
import type { BatchParts, BronzeFile, Session } from '../../engine/engine.js'
import type { TableVersion } from '../../iceberg/version.js'
import type { BatchPointer } from '../../log/commit.js'
import type { View } from '../../plan/decision.js'
import type { KnownColumns } from '../../quality/known.js'
import type { RawColumn } from '../../quality/raw.js'
import type { OriginFile } from '../../step/batches.js'
import type { StepPart } from '../../step/task/task.js'
import type { Storage } from '../../storage/storage.js'

/** The rows that a silver step reads, ready to be checked. */
export interface SilverInput {
  /** Rows that keep the same columns as values are read together; most inputs are one part. */
  parts: SilverPart[]
  /** The columns that the inputs have. */
  columns: string[]
  /** How many rows there are, where that is known. */
  rows: number | undefined
  /** Whether no two of them have the same place, which not everybody asks. */
  arePlaced: () => Promise<boolean>
}

export interface SilverPart {
  /** SQL for lineage, `_input` (all raw values as a struct), and a raw value a column: r0, r1 … */
  relation: string
  raw: Record<string, RawColumn>
  /** SQL over `_input` for all raw values of a row as JSON. */
  rawJson: string
  rows: number | undefined
  /** SQL for the rows of the input, which `select` and `deleteWhen` are computed over. */
  input: string
  /** SQL that `deleteWhen` has failed on the row, where it was tried. */
  deleteFailed?: string
}

/** What reading inputs needs of a run. */
export interface InputContext {
  relations: InputRelations
  /** Where files of tables are, of which a part of a step reads some. */
  storage?: Storage
  sample?: number | undefined
  /** Whether SQL of the user's is tried on each row by itself; see `carefully`. */
  careful?: boolean
  /** The part of the step that is carried out, where not all of it is. */
  part?: StepPart | undefined
}

/** Where the rows of inputs come from; a test gives its own. */
export interface InputRelations {
  readonly view: View
  define(session: Session, datasets: readonly AnyInput[]): Promise<void>
  bronzeRelation(
    session: Session,
    pointers: readonly BatchPointer[],
    declared: readonly string[],
  ): Promise<{ sql: string; columns: string[] }>
  batchColumns(pointers: readonly BatchPointer[]): Promise<string[]>
  /** What columns are called where names fall together. */
  naming?(
    pointers: readonly BatchPointer[],
  ): Promise<{ readonly spelt: ReadonlyMap<string, string> } | undefined>
  bronzeParts(
    session: Session,
    pointers: readonly BatchPointer[],
    wanted: ReadonlyMap<string, string>,
    marked: boolean,
    chosen?: readonly BronzeFile[],
  ): Promise<BatchParts>
  /** Where steps are carried out in parts. */
  bronzeFiles?(pointers: readonly BatchPointer[], marked: boolean): Promise<OriginFile[]>
  table?(name: string): Promise<TableVersion | undefined>
}

/** Rows of an input, and which of their columns are also there as values. */
export interface Source {
  sql: string
  values: readonly string[]
  rows: number | undefined
  /** How many rows there are is not known exactly. */
  estimated?: boolean
  known?: KnownColumns
}
