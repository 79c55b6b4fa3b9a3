import type { ColumnType } from '../../define/types/column-type.js'
import type { QueryAnswer } from '../service/request.js'

/** Rows of a result, whose columns have types, or the engine's names of them. */
export interface TypedRows extends Pick<QueryAnswer, 'rows'> {
  columns: readonly { name: string; type: string | ColumnType }[]
}
