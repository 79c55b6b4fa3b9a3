import type { FilesSource } from '../../define/source.js'
import type { FileReading, IngestedFile, Target } from '../files/ingested.js'
import type { SourceFile } from '../files/source-file.js'
import type { Chunk, Reached } from '../follow/events.js'
import type { SheetReading } from '../formats/excel/reading.js'
import type { WrittenRecords } from '../formats/write-records.js'
import type { CanonicalText } from '../text/canonical.js'
import type { FileData } from './wire.js'

/*
 * What a decoder's process can be asked for. Apart from the work itself, which asks for it as well:
 * files in archives are unpacked.
 */

/** A file, and what was found when its bytes were looked at. */
export type Reads = Omit<FileReading, 'target'>

/** What is to be read of a log. */
export type LogChunk = Omit<Chunk, 'signal' | 'file'>

/** Where rows are written, without what only the process knows that asks. */
export type PlainTarget = Omit<Target, 'session' | 'signal' | 'note'>

/** The rows of a sheet that were written down. */
export interface WrittenSheet extends WrittenRecords {
  columns: readonly string[]
  notes: string[]
}

/** Each job reads one file, and answers with plain data. */
export interface Jobs {
  /** Unpacks a file into a folder; gives the path of its text. */
  unpack(input: {
    file: SourceFile
    source: Pick<FilesSource, 'layout' | 'encoding'>
    folder: string
  }): Promise<string>
  /** The files in a zip. */
  entries(input: { file: SourceFile }): Promise<FileData[]>
  /** Writes the canonical form of a delimited text. */
  canonical(input: Reads & { to: string }): Promise<CanonicalText>
  /** Writes the rows of a document, a line each. */
  records(input: Reads & { to: string; lead?: string }): Promise<WrittenRecords>
  /** Writes the rows of a sheet of a workbook. */
  sheet(input: { file: SourceFile; reading: SheetReading; to: string }): Promise<WrittenSheet>
  sheetNames(input: { file: SourceFile }): Promise<string[]>
  /** Writes what is new in a log. */
  events(input: {
    file: SourceFile
    chunk: LogChunk
    to: string
  }): Promise<{ written: WrittenRecords; reached: Reached }>
  /** Reads a file to Parquet with an engine of the decoder's process. */
  ingest(
    input: Reads & { target: PlainTarget },
  ): Promise<{ ingested: IngestedFile; notes: string[] }>
}

export type JobName = keyof Jobs
export type Input<J extends JobName> = Parameters<Jobs[J]>[0]
export type Output<J extends JobName> = Awaited<ReturnType<Jobs[J]>>
