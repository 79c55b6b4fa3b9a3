/** How an export of one table of a warehouse ended. */
export interface ExportResult {
  warehouse: string
  /** The table in the target: `analytics.daily_revenue`. */
  table: string
  dataset: string
  /** `empty`: the dataset has no data yet. `planned`: it would be exported. */
  outcome: 'exported' | 'unchanged' | 'failed' | 'empty' | 'planned'
  /** All rows, or those that changed. */
  mode?: 'replace' | 'changes'
  reason: string
  /** The commit of the lake whose rows the table has. */
  commit?: number
  /** Commits of the lake since then, where the table does not have its rows. */
  behind?: number
  rows?: number
  /** Rows that were written. */
  written?: number
  seconds: number
  error?: { kind: string; message: string; hint?: string }
}
