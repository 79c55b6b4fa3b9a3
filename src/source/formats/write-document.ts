import type { Reads } from '../decoder/job-types.js'
import { textOf } from '../files/ingested.js'
import { recordsOf } from './document.js'
import { type WrittenRecords, writeRecords } from './write-records.js'
import { inThreads, writeInPieces } from './xml/in-pieces.js'

/** Writes the rows of a document down: those of a large one of XML by several threads. */
export async function writeDocument(
  reads: Reads,
  to: string,
  lead: string | undefined,
): Promise<WrittenRecords> {
  const { file, source, inspection } = reads
  const inPieces = lead === undefined ? await xmlInPieces(reads, to) : undefined
  if (inPieces) return inPieces
  return writeRecords(recordsOf(file, source, inspection, {}), to, { ...(lead ? { lead } : {}) })
}

async function xmlInPieces(
  { file, source: { layout }, inspection }: Reads,
  to: string,
): Promise<WrittenRecords | undefined> {
  const { bytes, bom, utf8, nul } = inspection
  // What is no text is told by those that read all of it.
  if (layout?.kind !== 'xml' || !utf8 || nul) return undefined
  const reading = inThreads(bytes)
  const text = { path: textOf(file), size: bytes, start: bom ? 3 : 0 }
  return reading && writeInPieces(text, layout, to, reading)
}
