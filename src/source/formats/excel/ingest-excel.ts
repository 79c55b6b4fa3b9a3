import { decode } from '../../decoder/client.js'
import type { WrittenSheet } from '../../decoder/job-types.js'
import type { FileReading, IngestedFile } from '../../files/ingested.js'
import { ingestWritten } from '../ingest-json.js'
import type { ExcelLayout } from './reading.js'

/** Writes the rows of a sheet, each value as text. */
export async function ingestExcel({ file, source, target }: FileReading): Promise<IngestedFile> {
  const { columns, nulls } = source
  const layout = source.layout as ExcelLayout
  const reading = { layout, columns, nulls }
  let sheet: WrittenSheet | undefined
  const write = async (to: string) => {
    sheet = await decode('sheet', file, { reading, to }, target.signal)
    return sheet
  }
  const named = () => ({ columns: sheet?.columns })
  const ingested = await ingestWritten(file, named, write, target)
  for (const note of sheet?.notes ?? []) target.note?.(note)
  return ingested
}
