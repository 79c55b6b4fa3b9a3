import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import type { FilesSource } from '../../define/source.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/open.js'
import type { Inspection } from '../files/inspect.js'
import { canonicalOptions, takeHere } from '../files/read-files.js'
import type { SourceFile } from '../files/source-file.js'
import { type TakenFile, type Target, textOf } from '../files/taken.js'
import { eventsOf, type Part, type Reached } from '../follow/events.js'
import { recordsOf } from '../formats/document.js'
import { type OpenSheet, type Reading, readSheetNames, withSheet } from '../formats/excel/rows.js'
import { type WrittenRecords, writeRecords } from '../formats/write-records.js'
import { type CanonicalText, canonicalize } from '../text/canonical.js'
import { readEntries } from '../unpack/archive.js'
import { type Unpacking, unpackInto } from '../unpack/unpack.js'
import { decoderLimits } from './limits.js'
import { beyondNode, progressed } from './progress.js'
import { fileData } from './wire.js'

/* What a decoder's process does: each job reads one file, and answers with plain data. */

interface Reads {
  file: SourceFile
  source: FilesSource
  inspection: Inspection
}

/** What is to be read of a log. */
export type LogPart = Omit<Part, 'signal' | 'file'>

/** Where rows are written, without what only the process knows that asks. */
export type PlainTarget = Omit<Target, 'session' | 'signal' | 'note'>

export const jobs = {
  /** Unpacks a file into a folder; gives the path of its text. */
  unpack: ({ file, source, folder }: { file: SourceFile; source: Unpacking; folder: string }) =>
    unpackInto(file, source, folder),

  /** The files in a zip. */
  async entries({ file }: { file: SourceFile }) {
    return (await readEntries(file)).map(fileData)
  },

  /** Writes the canonical form of a delimited text. */
  async canonical({ file, source, inspection, to }: Reads & { to: string }) {
    const options = canonicalOptions(file, source, inspection)
    const text = await canonicalize(textOf(file), to, source, options)
    // A function can't be sent; nobody asks for the raw text of a header.
    const header = text.header.map(({ raw: _, ...record }) => record)
    return { ...text, header } as unknown as CanonicalText
  },

  /** Writes the rows of a document, a line each. */
  records: ({ file, source, inspection, to, lead }: Reads & { to: string; lead?: string }) =>
    writeRecords(recordsOf(file, source, inspection, {}), to, { ...(lead ? { lead } : {}) }),

  /** Writes the rows of a sheet of a workbook. */
  sheet: ({ file, reading, to }: { file: SourceFile; reading: Reading; to: string }) =>
    withSheet(file, reading, async (sheet): Promise<WrittenSheet> => {
      const written = await writeRecords(sheet.rows, to, {})
      return { ...written, columns: sheet.columns, notes: sheet.notes() }
    }),

  sheetNames: ({ file }: { file: SourceFile }) => readSheetNames(file),

  /** Writes what is new in a log. */
  async events({ file, part, to }: { file: SourceFile; part: LogPart; to: string }) {
    const { signal } = new AbortController()
    const reached: Reached = { offset: part.offset, line: part.line }
    const written = await writeRecords(eventsOf({ ...part, file, signal }, reached), to, {})
    return { written, reached }
  },

  /** Reads a file to Parquet with an engine of this process. */
  take: (taking: Taking) => beyondNode(() => take(taking)),
}

type Taking = Reads & { target: PlainTarget }

async function take({ file, source, inspection, target }: Taking) {
  const notes: string[] = []
  engine ??= startEngine()
  const session = await (await engine).open()
  let seen = ''
  const watch = async () => {
    const size = await stat(target.location)
      .then((found) => found.size)
      .catch(() => 0)
    const now = `${session.progress()} ${size}`
    if (now !== seen) progressed()
    seen = now
  }
  const timer = setInterval(() => void watch(), 500)
  try {
    const note = (text: string) => void notes.push(text)
    const taken = await takeHere(file, source, inspection, { ...target, session, note })
    return { taken: taken as TakenFile, notes }
  } finally {
    clearInterval(timer)
    session.close()
  }
}

/** The rows of a sheet that were written down. */
export interface WrittenSheet extends WrittenRecords, Pick<OpenSheet, 'columns'> {
  notes: string[]
}

export type Jobs = typeof jobs
export type JobName = keyof Jobs
export type Input<J extends JobName> = Parameters<Jobs[J]>[0]
export type Output<J extends JobName> = Awaited<ReturnType<Jobs[J]>>

let engine: Promise<Engine> | undefined

async function startEngine(): Promise<Engine> {
  const memory = Math.floor(decoderLimits().memory / 2)
  // What hangs is known by it.
  return openEngine({ memory, threads: availableParallelism(), watched: true })
}
