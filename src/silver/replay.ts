import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import { quoteText, renderSql } from '../define/sql/sql.js'
import { countOf } from '../define/thousands.js'
import { count } from '../engine/count.js'
import type { Relation, Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import type { TableState } from '../log/commit.js'
import type { BuildDecision } from '../plan/decision.js'
import { definitionOf } from '../plan/fingerprint.js'
import { checkFiles } from '../step/check-files.js'
import { hash, type StepContext } from '../step/context.js'
import { tableFiles } from '../step/table-files.js'
import type { Replay } from '../step/task/task.js'
import { isAboutValue } from './careful.js'
import { discardedOf, isForRule } from './discarded.js'
import { proveSame } from './input/places.js'
import type { Validated } from './stages.js'

/** Discarded rows that are validated again. */
export interface Replayed {
  /** Those rows, with their places in the discarded table. */
  rows: Relation
  /** Reads the batches that they are in, and of those only these rows. */
  decision: BuildDecision
  /** The definition has other rules than the one that the table was built by. */
  definitionChanged: boolean
}

/**
 * Finds the discarded rows that are meant; `undefined` where there are none.
 *
 * @throws MoraineError of kind `usage` where the table is not what its definition would make of it.
 */
export async function chooseReplayed(
  context: StepContext,
  session: Session,
  dataset: Silver,
  replay: Replay,
): Promise<Replayed | undefined> {
  const name = fullName(dataset)
  const before = context.relations.view.tables[name]
  if (!before?.counts)
    throw new MoraineError('usage', `${name} is not built yet`, {
      hint: 'Build it with: moraine run',
    })
  const definitionChanged = await refuseOtherDefinition(context, session, dataset, before)
  const chosen = await chooseRows(context, session, dataset, replay)
  return chosen && { ...chosen, definitionChanged }
}

/**
 * The rows that leave the discarded table, as they pass now or have other reasons; `undefined`
 * where that would change nothing.
 *
 * @throws MoraineError of kind `usage` where rows beside them were read as well.
 */
export async function leavingOf(
  session: Session,
  dataset: Silver,
  { rows, definitionChanged }: Replayed,
  { flagged, tally }: Pick<Validated, 'flagged'> & { tally: { rows: number } },
): Promise<Relation | undefined> {
  await proveSame(session, dataset, rows, tally)
  const place = ['_source_line', '_source_file', '_batch'].map((name) => `r.${name} = f.${name}`)
  const same = [...place, 'r.reasons = f._reasons']
  const leaving = await session.materialize(
    `SELECT r.* FROM ${session.dialect.rows.antiJoin(`${rows.sql} AS r`, `${flagged.sql} AS f`, { on: same.join(' AND ') })}`,
  )
  const some = (await count(session, `SELECT count(*) AS n FROM ${leaving.sql}`)) > 0
  return some || definitionChanged ? leaving : undefined
}

/**
 * The discarded rows that are meant, and which batches they are in; `undefined` where there are
 * none.
 */
async function chooseRows(
  { relations, storage }: StepContext,
  session: Session,
  dataset: Silver,
  { rule, since }: Replay,
): Promise<Omit<Replayed, 'definitionChanged'> | undefined> {
  const table = await relations.table(discardedOf(dataset))
  if (!table) return undefined
  const tasks = await table.plan()
  await checkFiles(storage, table, tasks)
  const files = tableFiles(storage, table, tasks)
  const batches = dataset.from.map((from) => ({
    dataset: fullName(from),
    batches: relations.view.batches[fullName(from)] ?? [],
  }))
  const known = batches.flatMap((b) => b.batches.map(({ batch }) => quoteText(batch)))
  const { lists } = session.dialect
  const conditions = [
    // A file that could not be read has no rows; and what bronze has forgotten can't be read again.
    '_source_line > 0',
    known.length > 0 ? `_batch IN (${known.join(', ')})` : 'false',
    ...(rule ? [lists.some('reasons', (reason) => isForRule(reason, rule))] : []),
    ...(since ? [`_discarded_at >= CAST(${quoteText(since)} AS TIMESTAMP WITH TIME ZONE)`] : []),
  ]
  const rows = await session.materialize(
    `SELECT * FROM (${session.tables.scanWithFiles(table.schema, files)}) WHERE ${conditions.join(' AND ')}`,
  )
  const found = await session.rows(`SELECT DISTINCT _batch AS b FROM ${rows.sql}`)
  if (found.length === 0) return undefined
  const wanted = new Set(found.map(({ b }) => String(b)))
  const windows = batches.map((window) => ({
    dataset: window.dataset,
    batches: window.batches.filter(({ batch }) => wanted.has(batch)),
  }))
  const reason = 'discarded rows are validated again'
  return {
    rows,
    decision: { action: 'build', mode: 'incremental', reason, windows, only: rows.sql },
  }
}

/**
 * A definition that differs by more than its rules would give other rows than those that are there.
 * One that differs by rules is taken where all rows that are there keep to them. Returns whether it
 * differs.
 */
async function refuseOtherDefinition(
  context: StepContext,
  session: Session,
  dataset: Silver,
  { definition }: Pick<TableState, 'definition'>,
): Promise<boolean> {
  const now = definitionOf(dataset, hash)
  const names = [...new Set([...Object.keys(definition), ...Object.keys(now)])]
  const changed = names.filter((part) => definition[part] !== now[part])
  if (changed.length === 0) return false
  const other = changed.find((part) => !part.startsWith('rule '))
  const name = fullName(dataset)
  const refuse = (why: string) =>
    new MoraineError(
      'usage',
      `the discarded rows of ${name} cannot be replayed on their own: ${why}`,
      {
        ...(dataset.place ? { place: dataset.place } : {}),
        hint: `Run it instead: moraine run ${name} rebuilds it from all of its rows, including the discarded ones.`,
      },
    )
  if (other) throw refuse(`its definition changed (${other})`)
  const relation = await context.relations.tableRelation(session, name)
  for (const rule of dataset.rules) {
    if (rule.severity === 'warn' || !changed.includes(`rule ${rule.name}`)) continue
    const broken = `SELECT count(*) AS n FROM (${relation}) WHERE NOT coalesce((\n${renderSql(rule.condition)}\n), true)`
    const n = await count(session, broken).catch((error) => {
      if (isAboutValue(error)) throw refuse(`the rule '${rule.name}' fails on rows of the table`)
      throw error
    })
    if (n > 0) {
      const some = `${countOf(n, 'row')} of the table ${n === 1 ? 'violates' : 'violate'}`
      throw refuse(`${some} the rule '${rule.name}'`)
    }
  }
  return true
}
