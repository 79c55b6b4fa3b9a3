import type { VisibleTable } from '../../../../query/service/request.js'

/** A table or view of the lake, with the query of a view that a statement made. */
export interface Relation extends VisibleTable {
  /** Its query is missing where it is in another dialect than Trino's. */
  view?: { sql?: string; database?: string }
  properties?: Readonly<Record<string, string>>
}
