import { isEngineLost } from '../../engine/sql-error.js'
import { decode } from '../decoder/client.js'
import { ingestCarefully } from '../formats/careful.js'
import { ingestDelimited } from '../formats/delimited.js'
import { ingestExcel } from '../formats/excel/ingest-excel.js'
import { ingestJson } from '../formats/ingest-json.js'
import { splitOf } from '../formats/lines.js'
import { ingestTable } from '../formats/table.js'
import { folderValues } from './folders.js'
import { type FileReading, type IngestedFile, refuseChanged } from './ingested.js'

/**
 * Writes all records of a file to Parquet as they came: every column as text, each row with its
 * file and physical line. Plain files go through the engine's own reader; all others are read
 * carefully first, so that a broken record costs only itself.
 */
export async function ingestFile(reading: FileReading): Promise<IngestedFile> {
  const { file, source, target } = reading
  const folders = source.hive ? { folders: folderValues(file.name) } : {}
  const ingested = await ingestSafely({ ...reading, target: { ...target, ...folders } })
  await refuseChanged(file)
  return ingested
}

/**
 * Where the engine itself decodes a file, it does so in a process of its own; plain texts excepted,
 * which are read here. One that ends the engine all the same is tried once more there, where it
 * costs itself alone.
 */
async function ingestSafely(reading: FileReading): Promise<IngestedFile> {
  if (reading.source.layout?.kind === 'parquet') return ingestInDecoder(reading)
  try {
    return await ingestHere(reading)
  } catch (error) {
    if (!isEngineLost(error)) throw error
    return ingestInDecoder(reading)
  }
}

async function ingestInDecoder({
  file,
  source: { readers: _, ...source },
  inspection,
  target: { session, signal, note, ...target },
}: FileReading): Promise<IngestedFile> {
  const own = { ...target, location: session.files.place(target.location) }
  const input = { source, inspection, target: own }
  const { ingested, notes } = await decode('ingest', file, input, signal)
  for (const text of notes) note?.(text)
  return ingested
}

/** Reads a file with the engine of the session. */
export function ingestHere(reading: FileReading): Promise<IngestedFile> {
  return ingesterOf(reading)(reading)
}

function ingesterOf({ source }: FileReading): (reading: FileReading) => Promise<IngestedFile> {
  const kind = source.layout?.kind
  if (kind === 'parquet') return ingestTable
  if (kind === 'excel') return ingestExcel
  if (kind === undefined) return ingestDelimited
  return splitOf(source) ? ingestCarefully : ingestJson
}
