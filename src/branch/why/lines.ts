import { fullName } from '../../define/dataset.js'
import { lookupsOf } from '../../define/inputs.js'
import type { Lake } from '../../define/lake.js'
import type { Silver } from '../../define/model.js'
import { quoteName } from '../../define/sql/sql.js'
import { count } from '../../engine/count.js'
import type { Relation, Session } from '../../engine/engine.js'
import type { BuildDecision, Window } from '../../plan/decision.js'
import { keysOf } from '../../silver/keys.js'
import { keysAlone, validate } from '../../silver/validate.js'
import type { StepContext } from '../../step/context.js'

/** Where a row came from: a line of a file in bronze. */
export interface Line {
  batch: string
  file: string
  /** `null` for files whose rows have no lines. */
  line: number | null
}

/** A column with the number of a row, which no dataset has. */
export const NUMBER = '_why_nr'

/** What finds the lines of rows. */
export interface LineContext
  extends Pick<StepContext, 'relations' | 'javascript' | 'signal' | 'storage'> {
  lake: Lake
}

/** The dataset of silver that a table belongs to: `silver.orders`, `history.orders`. */
export function silverOf({ datasets }: Lake, table: string): Silver | undefined {
  const [schema, name] = [table.split('.')[0], table.split('.').slice(1).join('.')]
  if (schema !== 'silver' && schema !== 'history') return undefined
  return datasets.find((one): one is Silver => one.tier === 'silver' && one.name === name)
}

/**
 * Finds the lines of bronze that rows of silver came from: their batches are validated again, and
 * of the rows that come out, those with the same values are taken. Of several that are equal it is
 * the last.
 *
 * @param rows rows of it with their number in {@link NUMBER}.
 * @returns by those numbers.
 */
export async function linesOf(
  context: LineContext,
  session: Session,
  dataset: Silver,
  rows: Relation,
): Promise<Map<number, Line>> {
  const found = new Map<number, Line>()
  const names = new Set(
    (await session.rows(`SELECT DISTINCT _batch FROM ${rows.sql}`)).map((row) =>
      String(row._batch),
    ),
  )
  const windows = dataset.from.map((input): Window => {
    const batches = context.relations.view.batches[fullName(input)] ?? []
    return { dataset: fullName(input), batches: batches.filter(({ batch }) => names.has(batch)) }
  })
  if (windows.every(({ batches }) => batches.length === 0)) return found
  await context.relations.define(session, lookupsOf(dataset))
  const careful = { ...context, careful: true }
  const all: BuildDecision = { action: 'build', mode: 'incremental', reason: '', windows }
  const only = await placesOf(careful, session, dataset, { rows, decision: all })
  const decision = only ? { ...all, only: only.sql } : all
  const validated = await validate(careful, session, dataset, decision)
  const columns = Object.keys(dataset.schema.shape)
  const same = [...columns, '_batch'].map(
    (name) => `v.${quoteName(name)} IS NOT DISTINCT FROM r.${quoteName(name)}`,
  )
  const lines = await session.rows(
    `SELECT r.${NUMBER} AS nr, v._batch AS b, v._source_file AS f, v._source_line AS l
     FROM ${rows.sql} AS r JOIN ${validated.rows.sql} AS v ON ${same.join(' AND ')}
     ORDER BY r.${NUMBER}, v._source_file, v._source_line`,
  )
  for (const { nr, b, f, l } of lines)
    found.set(Number(nr), {
      batch: String(b),
      file: String(f),
      line: l === null || Number(l) === 0 ? null : Number(l),
    })
  return found
}

/**
 * Where in bronze rows have the keys that are asked about: of a batch of millions, these alone are
 * validated. `undefined` where keys take more than SQL, or rows have no lines to find them by.
 */
async function placesOf(
  context: Parameters<typeof keysAlone>[0],
  session: Session,
  dataset: Silver,
  { rows, decision }: { rows: Relation; decision: BuildDecision },
): Promise<Relation | undefined> {
  const keyed = await keysAlone(context, session, dataset, decision)
  if (!keyed) return undefined
  const on = keysOf(dataset).map((name) => `k.${name} IS NOT DISTINCT FROM r.${name}`)
  const { semiJoin } = session.dialect.rows
  const found = await session.materialize(
    `SELECT k._source_line, k._source_file, k._batch
     FROM ${semiJoin(`${keyed.relation.sql} AS k`, `${rows.sql} AS r`, { on: on.join(' AND ') })}`,
  )
  const unknown = `SELECT count(*) AS n FROM ${found.sql} WHERE _source_line IS NULL`
  return (await count(session, unknown)) > 0 ? undefined : found
}
