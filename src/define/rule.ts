import { oneOf, sqlTag, text } from './options/expected.js'
import { checked, checkedArguments, type OptionList } from './options/options.js'
import { noSql, type Sql } from './sql/sql.js'

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

interface RuleOptions {
  severity?: Severity
}

const ruleOptions: OptionList<RuleOptions> = { severity: oneOf('discard', 'warn', 'fail') }

/**
 * @example
 * rule('ships after it is ordered', sql`shipped_at is null or shipped_at >= ordered_at`)
 */
export function rule(name: string, condition: Sql, options: RuleOptions = {}): Rule {
  const call = typeof name === 'string' ? `rule('${name}')` : 'rule(…)'
  const good = checkedArguments(call, { name, condition }, { name: text, condition: sqlTag })
  const { severity = 'discard' } = checked(call, options, ruleOptions)
  return {
    kind: 'rule',
    name: good.name ?? '',
    condition: good.condition ?? noSql,
    severity,
  }
}
