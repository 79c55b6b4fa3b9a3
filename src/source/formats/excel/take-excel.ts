import type { FilesSource } from '../../../define/source.js'
import { decode } from '../../decoder/client.js'
import type { WrittenSheet } from '../../decoder/job-types.js'
import type { Inspection } from '../../files/inspect.js'
import type { SourceFile } from '../../files/source-file.js'
import type { TakenFile, Target } from '../../files/taken.js'
import { takeWritten } from '../take-json.js'
import type { ExcelLayout } from './reading.js'

/** Writes the rows of a sheet, each value as text. */
export async function takeExcel(
  file: SourceFile,
  source: FilesSource,
  _: Inspection,
  target: Target,
): Promise<TakenFile> {
  const { columns, nulls } = source
  const layout = source.layout as ExcelLayout
  const reading = { layout, columns, nulls }
  let sheet: WrittenSheet | undefined
  const write = async (to: string) => {
    sheet = await decode('sheet', file, { reading, to }, target.signal)
    return sheet
  }
  const named = () => ({ columns: sheet?.columns })
  const taken = await takeWritten(file, named, write, target)
  for (const note of sheet?.notes ?? []) target.note?.(note)
  return taken
}
