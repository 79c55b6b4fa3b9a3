/** A step of how an engine would carry a query out. */
export interface PlanStep {
  /** In words: `read`, `join`, `aggregate`. */
  step: string
  /** What it does so to, as SQL: columns, conditions. */
  of: string
  /** Columns that a step takes which reads. */
  columns?: string[]
  /** Rows that the engine expects of it. */
  rows?: number
  /** What it takes its rows from. */
  inputs: PlanStep[]
}
