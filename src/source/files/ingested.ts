import { stat } from 'node:fs/promises'
import type { FilesSource } from '../../define/source.js'
import { quoteText } from '../../define/sql/sql.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { NamesOutside } from '../text/names.js'
import { type Kept, keepRecords, type RequestedTypes } from './encode.js'
import { type FolderValues, withFolders } from './folders.js'
import type { Inspection } from './inspect.js'
import type { SourceFile } from './source-file.js'

/** A source file that was taken in as one Parquet file. */
export interface IngestedFile extends Kept, NamesOutside {
  columns: string[]
  /** Columns that the file has as well, and are not kept. */
  leftOut?: string[]
  /** The rows do not say their batch and file. */
  bare?: true
}

export interface Target {
  session: Session
  /** Absolute location of the Parquet file to write. */
  location: string
  batch: string
  /** Columns to keep as values rather than texts, where the file is large. */
  requested: RequestedTypes
  /** Whether the file is large enough for what is the same in all rows to be left out. */
  large: boolean
  /** The columns that are kept, in lower case; all where none are named. */
  only?: ReadonlySet<string>
  /**
   * The rows are of many senders, or of a source that was read before: what is wrong with all of
   * these is wrong with them.
   */
  ofOthers?: boolean
  signal?: AbortSignal
  /** What the folders of the file say. */
  folders?: FolderValues
  /** Told what whoever reads the file should know of it. */
  note?: (text: string) => void
}

/**
 * A file that is read: how, what was found when its bytes were looked at, and where its rows go.
 */
export interface FileReading {
  file: SourceFile
  source: FilesSource
  inspection: Inspection
  target: Target
}

/** Those of a file's columns that are kept. */
export function keptColumns(columns: readonly string[], { only }: Pick<Target, 'only'>): string[] {
  return columns.filter((name) => !only || only.has(name.toLowerCase()))
}

/** What is told of columns that are not kept. */
export function leftOut(columns: readonly string[], target: Pick<Target, 'only'>) {
  const kept = new Set(keptColumns(columns, target))
  const others = columns.filter((name) => !kept.has(name))
  return others.length > 0 ? { leftOut: others } : {}
}

/** Where a file's text lies. */
export const textOf = ({ path, unpacked = path }: SourceFile): string => unpacked

export function lineage(file: SourceFile, { batch }: Target): string[] {
  return [`${quoteText(batch)} AS _batch`, `${quoteText(file.name)} AS _source_file`]
}

/** Rows of a file, of which each is a line, or a row of a table. */
interface Rows {
  relation: string
  /** None of them is broken: the relation has neither `_error` nor `_raw`. */
  clean?: boolean
  columns: readonly string[]
  /** Columns that are values already. */
  exact?: ReadonlyMap<string, string>
  /** How many there must be. */
  rows?: number
  /** The line of the first. */
  firstLine: number
}

/**
 * Keeps the rows of a relation in their order. `undefined` when there is another number of them
 * than there should be.
 */
export async function keepRows(
  file: SourceFile,
  found: Rows,
  target: Target,
): Promise<IngestedFile | undefined> {
  const { relation, clean, columns, exact, rows, firstLine } = withFolders(found, target.folders)
  const { session, location, large, requested } = target
  const records = {
    relation,
    columns: keptColumns(columns, target),
    lineage: large ? [] : lineage(file, target),
    location,
    ...(exact ? { exact } : {}),
    ...(clean ? { clean } : {}),
  }
  const kept = await keepRecords(session, records, large ? requested : new Map())
  if (rows !== undefined && kept.rows !== rows) return undefined
  const own = { columns: records.columns, ...leftOut(columns, target) }
  return { ...kept, firstLine, ...own, ...(large ? { bare: true } : {}) }
}

export async function refuseChanged(file: SourceFile): Promise<void> {
  if (await (file.remote ?? { isSame: () => isAsItWas(file) }).isSame()) return
  throw new MoraineError('source', `${file.name} changed while it was being read`, {
    retryable: true,
    hint: 'Nothing was ingested from it. Run again when the file is complete.',
  })
}

async function isAsItWas(file: SourceFile): Promise<boolean> {
  const { size, modified } = { ...file, ...file.archive }
  const now = await stat(file.path).catch(() => undefined)
  return now?.size === size && Math.floor(now.mtimeMs) === modified
}
