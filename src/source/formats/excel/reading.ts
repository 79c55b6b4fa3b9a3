import type { Layout } from '../../../define/source.js'

export type ExcelLayout = Extract<Layout, { kind: 'excel' }>

/** How a sheet is read. */
export interface SheetReading {
  layout: ExcelLayout
  columns: readonly string[] | undefined
  /** Texts that stand for NULL. */
  nulls: readonly string[]
}
