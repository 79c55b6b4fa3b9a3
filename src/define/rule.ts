import type { Rule, Severity, Sql } from './model.js'
import { oneOf, sqlTag, text } from './options/expected.js'
import { checked, checkedArguments, type OptionList } from './options/options.js'
import { noSql } from './sql/sql.js'

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
