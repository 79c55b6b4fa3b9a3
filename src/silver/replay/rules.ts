import { fullName } from '../../define/dataset.js'
import type { Rule, Silver } from '../../define/model.js'
import { renderSql } from '../../define/sql/sql.js'
import { countOf } from '../../define/thousands.js'
import { count } from '../../engine/count.js'
import { MoraineError } from '../../errors.js'
import type { RowCounts, TableState } from '../../log/commit.js'
import { definitionOf } from '../../plan/fingerprint.js'
import { sinceFull } from '../../plan/offsets.js'
import { hash } from '../../step/context.js'
import { isAboutValue } from '../careful.js'
import { discardedOf, isForRule } from '../discarded.js'
import { historyOf } from '../history.js'
import { ROW_ID } from '../keys.js'
import type { Work } from '../stages.js'
import { validate } from '../validate.js'

/*
 * A replay by other rules than those that a table was built by ends where a build would only if all
 * other rows keep to these, too: those of the table, and those that are no more in it.
 */

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
 * Holds the rows of a table, and its versions, against rules.
 *
 * @throws MoraineError of kind `usage` where one violates a rule.
 */
export async function holdRows(
  { context, session, dataset }: Work,
  rules: readonly Rule[],
): Promise<void> {
  const versions = historyOf(dataset)
  const tables = [
    { name: fullName(dataset), said: 'the table' },
    ...(dataset.history ? [{ name: versions, said: versions }] : []),
  ]
  for (const { name, said } of rules.length > 0 ? tables : []) {
    const relation = await context.relations.tableRelation(session, name)
    for (const rule of rules) {
      const broken = `SELECT count(*) AS n FROM (${relation}) WHERE NOT coalesce((\n${renderSql(rule.condition)}\n), true)`
      const n = await count(session, broken).catch((error) => {
        if (!isAboutValue(error)) throw error
        throw refusal(dataset, `the rule '${rule.name}' fails on rows of ${said}`)
      })
      if (n > 0) throw violation(dataset, rule, `${countOf(n, 'row')} of ${said}`, n)
    }
  }
}

/**
 * Holds rows against rules that are neither in the table nor discarded, such as those that newer
 * ones have replaced. They are read from bronze, unless all of them are known to be versions.
 *
 * @throws MoraineError of kind `usage` where one violates a rule, or cannot be read again.
 */
export async function holdReplaced(
  work: Work,
  counts: RowCounts,
  rules: readonly Rule[],
): Promise<void> {
  const { context, session, dataset } = work
  const { relations } = context
  const { superseded, deleted = 0, expired = 0 } = counts
  if (rules.length === 0 || superseded + deleted + expired === 0) return
  const versions = dataset.history ? relations.view.tables[historyOf(dataset)]?.rows : undefined
  if (versions === counts.in - counts.discarded) return
  if (dataset.from.some(({ tier }) => tier !== 'bronze'))
    throw refusal(dataset, 'its rules changed, and rows that newer ones replaced came from tables')
  const { lists, rows } = session.dialect
  const { flagged } = await validate(context, session, dataset, {
    action: 'build',
    mode: 'incremental',
    reason: 'rules changed',
    windows: windowsRead(work),
  })
  const discarded = await relations.tableRelation(session, discardedOf(dataset))
  const { sql: others } = await session.materialize(
    `SELECT * FROM ${rows.antiJoin(`(SELECT * FROM ${flagged.sql} WHERE NOT _superseded)`, `(${discarded})`, { using: ROW_ID })}`,
  )
  for (const rule of rules) {
    const reasons = rule.severity === 'fail' ? '_failures' : '_reasons'
    const isBroken = lists.some(reasons, (reason) => isForRule(reason, rule.name))
    const n = await count(session, `SELECT count(*) AS n FROM ${others} WHERE ${isBroken}`)
    const said = `${countOf(n, 'row')} that ${n === 1 ? 'is' : 'are'} no longer in the table`
    if (n > 0) throw violation(dataset, rule, said, n)
  }
}

/** The batches that a table was made of, as far as bronze has them. */
function windowsRead({ context, dataset }: Work) {
  const { batches, offsets } = context.relations.view
  return dataset.from.map((input) => {
    const name = fullName(input)
    const last = Number(offsets[fullName(dataset)]?.[name] ?? 0)
    const read = (batches[name] ?? []).filter(({ number }) => number <= last)
    return { dataset: name, batches: sinceFull(read) }
  })
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
