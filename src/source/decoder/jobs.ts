import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/open.js'
import { abortController } from '../../signals.js'
import { ingestHere } from '../files/ingest-file.js'
import { textOf } from '../files/ingested.js'
import { eventsOf, type Reached } from '../follow/events.js'
import { readSheetNames, withSheet } from '../formats/excel/rows.js'
import { writeDocument } from '../formats/write-document.js'
import { writeRecords } from '../formats/write-records.js'
import { type CanonicalText, canonicalize } from '../text/canonical.js'
import { canonicalOptions } from '../text/header.js'
import { readEntries } from '../unpack/archive.js'
import { unpackInto } from '../unpack/unpack.js'
import type { Input, Jobs } from './job-types.js'
import { decoderLimits } from './limits.js'
import { beyondNode, progressed } from './progress.js'
import { fileData } from './wire.js'

/* What a decoder's process does: each job reads one file, and answers with plain data. */

export const jobs: Jobs = {
  unpack: ({ file, source, folder }) => unpackInto(file, source, folder),
  async entries({ file }) {
    return (await readEntries(file)).map(fileData)
  },
  async canonical({ file, source, inspection, to }) {
    const options = canonicalOptions(file, source, inspection)
    const text = await canonicalize(textOf(file), to, source, options)
    // A function can't be sent; nobody asks for the raw text of a header.
    const header = text.header.map(({ raw: _, ...record }) => record)
    return { ...text, header } as unknown as CanonicalText
  },
  records: ({ file, source, inspection, to, lead }) =>
    writeDocument({ file, source, inspection }, to, lead),
  sheet: ({ file, reading, to }) =>
    withSheet(file, reading, async (sheet) => {
      const written = await writeRecords(sheet.rows, to, {})
      return { ...written, columns: sheet.columns, notes: sheet.notes() }
    }),
  sheetNames: ({ file }) => readSheetNames(file),
  async events({ file, chunk: part, to }) {
    const { signal } = abortController()
    const reached: Reached = { offset: part.offset, line: part.line }
    const written = await writeRecords(eventsOf({ ...part, file, signal }, reached), to, {})
    return { written, reached }
  },
  ingest: (reading) => beyondNode(() => ingest(reading)),
}

async function ingest({ file, source, inspection, target }: Input<'ingest'>) {
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
    const ingested = await ingestHere({
      file,
      source,
      inspection,
      target: { ...target, session, note },
    })
    return { ingested, notes }
  } finally {
    clearInterval(timer)
    session.close()
  }
}

let engine: Promise<Engine> | undefined

async function startEngine(): Promise<Engine> {
  const memory = Math.floor(decoderLimits().memory / 2)
  // What hangs is known by it.
  return openEngine({ memory, threads: availableParallelism(), watched: true })
}
