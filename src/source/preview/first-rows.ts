import type { Field } from '../../define/types/column-type.js'
import type { ResultRow } from '../../engine/engine.js'

/** The first rows of something. */
export interface Preview {
  columns: Field[]
  rows: ResultRow[]
  note?: string
}
