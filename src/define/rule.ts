import type { Sql } from './sql.js'

/**
 * What happens to a row that breaks a rule: it goes to the discarded table, it stays and is counted,
 * or the step fails and nothing of it is published.
 */
export type Severity = 'discard' | 'warn' | 'fail'

/** A condition over the columns of one row; NULL counts as fulfilled, as in SQL's CHECK. */
export interface Rule {
  readonly kind: 'rule'
  readonly name: string
  readonly condition: Sql
  readonly severity: Severity
}

/**
 * @example
 * rule('ships after it is ordered', sql`shipped_at is null or shipped_at >= ordered_at`)
 */
export function rule(name: string, condition: Sql, options: { severity?: Severity } = {}): Rule {
  return { kind: 'rule', name, condition, severity: options.severity ?? 'discard' }
}
