import { fullName } from '../../define/dataset.js'
import type { Rule, Silver } from '../../define/model.js'
import { renderSql } from '../../define/sql/sql.js'
import { countOf } from '../../define/thousands.js'
import { count } from '../../engine/count.js'
import { MoraineError } from '../../errors.js'
import type { TableState } from '../../log/commit.js'
import { definitionOf } from '../../plan/fingerprint.js'
import { hash } from '../../step/context.js'
import { isAboutValue } from '../careful.js'
import type { Work } from '../stages.js'

/**
 * The rules that a table was not built by; `undefined` where its definition is the one of now.
 *
 * @throws MoraineError of kind `usage` where it differs by more: rows would be other ones.
 */
export function changedRules(
  dataset: Silver,
  { definition }: Pick<TableState, 'definition'>,
): Rule[] | undefined {
  const now = definitionOf(dataset, hash)
  const names = [...new Set([...Object.keys(definition), ...Object.keys(now)])]
  const changed = names.filter((part) => definition[part] !== now[part])
  if (changed.length === 0) return undefined
  const other = changed.find((part) => !part.startsWith('rule '))
  if (other) throw refusal(dataset, `its definition changed (${other})`)
  return dataset.rules.filter(
    ({ name, severity }) => severity !== 'warn' && changed.includes(`rule ${name}`),
  )
}

/**
 * Holds the rows of a table against rules.
 *
 * @throws MoraineError of kind `usage` where one violates a rule.
 */
export async function holdRows(
  { context, session, dataset }: Work,
  rules: readonly Rule[],
): Promise<void> {
  const relation = await context.relations.tableRelation(session, fullName(dataset))
  for (const rule of rules) {
    const broken = `SELECT count(*) AS n FROM (${relation}) WHERE NOT coalesce((\n${renderSql(rule.condition)}\n), true)`
    const n = await count(session, broken).catch((error) => {
      if (!isAboutValue(error)) throw error
      throw refusal(dataset, `the rule '${rule.name}' fails on rows of the table`)
    })
    if (n > 0) throw violation(dataset, rule, `${countOf(n, 'row')} of the table`, n)
  }
}

const violation = (dataset: Silver, { name }: Rule, rows: string, n: number) =>
  refusal(dataset, `${rows} ${n === 1 ? 'violates' : 'violate'} the rule '${name}'`)

function refusal(dataset: Silver, why: string): MoraineError {
  const name = fullName(dataset)
  return new MoraineError(
    'usage',
    `the discarded rows of ${name} cannot be replayed on their own: ${why}`,
    {
      ...(dataset.place ? { place: dataset.place } : {}),
      hint: `Run it instead: moraine run ${name} rebuilds it from all of its rows, including the discarded ones.`,
    },
  )
}
