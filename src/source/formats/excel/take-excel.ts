import type { FilesSource } from '../../../define/source.js'
import type { SourceFile } from '../../discover.js'
import type { Inspection } from '../../inspect.js'
import type { TakenFile, Target } from '../../taken.js'
import { takeRecords } from '../take-json.js'
import { type ExcelLayout, withSheet } from './rows.js'

/** Writes the rows of a sheet, each value as text. */
export async function takeExcel(
  file: SourceFile,
  source: FilesSource,
  _: Inspection,
  target: Target,
): Promise<TakenFile> {
  const { columns, nulls } = source
  const layout = source.layout as ExcelLayout
  return withSheet(file, { layout, columns, nulls }, async (sheet) => {
    const taken = await takeRecords(file, { columns: sheet.columns }, sheet.rows, target)
    for (const note of sheet.notes()) target.note?.(note)
    return taken
  })
}
