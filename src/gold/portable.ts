import { fullName, schemaOf } from '../define/dataset.js'
import type { Gold } from '../define/model.js'
import { datasetsIn, historiesIn, quoteName, reference, renderSql } from '../define/sql/sql.js'
import { placeInSql } from '../define/sql/sql-places.js'
import { typeName } from '../define/types/column-type.js'
import type { BoundTable, Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { fitOf } from '../plan/exact.js'
import type { IsOfYears } from '../sql/bound/render.js'
import { type TargetName, targets } from '../sql/bound/target.js'
import { NotPortable } from '../sql/bound/tree.js'
import type { GoldColumns } from './casts.js'
import { ownSql } from './own-sql.js'
import { renderHolding } from './years.js'

/** For which engine SQL is written, and how that names the tables of the lake. */
export interface Portable {
  target: TargetName
  table: (schema: string, name: string) => string
  /**
   * What is known of days and times of the inputs: without it, each that is counted with is held.
   */
  years?: () => Promise<IsOfYears>
}

/** The ways out that there always are. */
const OWN = 'let DuckDB compute it: engine: duckdb(), imported from moraine'
const BY_HAND = "; or write the query in Trino's own SQL beside it: dialects: [sql.for('trino')`…`]"

/**
 * The query of a gold dataset in SQL of another engine, with the very rows and types that DuckDB
 * gives.
 *
 * @param session knows the inputs.
 * @throws MoraineError of kind `definition`, at its place, for what is not known to give them.
 */
export async function portableSql(
  session: Session,
  dataset: Gold,
  { fields, found }: GoldColumns,
  portable: Portable,
): Promise<string> {
  const own = ownSql(dataset, portable)
  if (own)
    return `SELECT ${fields.map((field) => quoteName(field.name)).join(', ')} FROM (\n${own.sql}\n)`
  const sql = renderSql(dataset.query)
  refuseCasts(dataset, { fields, found }, portable.target)
  const plan = await session.parser.boundPlan(sql, await tablesOf(session, dataset))
  try {
    const given = found.map(({ name }) => name)
    const { years, ...others } = portable
    return await renderHolding(plan, { ...others, columns: fields, given }, years)
  } catch (error) {
    if (!(error instanceof NotPortable)) throw error
    const { message, hint, at, near } = error
    const place =
      at === undefined
        ? dataset.query.place && { ...dataset.query.place, ...(near ? { near } : {}) }
        : placeInSql(dataset.query, lineOf(sql, at))
    throw refused(
      dataset,
      message,
      `${hint.startsWith('Let DuckDB') ? `L${OWN.slice(1)}` : `${hint}. Or ${OWN}`}${byHand(dataset, portable.target)}`,
      place,
    )
  }
}

/** The tables that a query names, with their columns. */
async function tablesOf(session: Session, dataset: Gold): Promise<BoundTable[]> {
  const inputs = datasetsIn(dataset.query)
  const bronze = inputs.find(({ tier }) => tier === 'bronze')
  if (bronze)
    throw refused(
      dataset,
      `${fullName(bronze)} is not a table that other engines can read`,
      `Read a silver dataset of it. Or ${OWN}`,
      dataset.query.place,
    )
  const named = [
    ...inputs.map((one) => ({ schema: schemaOf(one), name: one.name, sql: reference(one) })),
    ...historiesIn(dataset.query).map(({ name }) => ({
      schema: 'history',
      name,
      sql: reference({ tier: 'history', name }),
    })),
  ]
  return Promise.all(
    named.map(async ({ schema, name, sql }) => ({
      schema,
      name,
      fields: await session.describe(`SELECT * FROM ${sql}`),
    })),
  )
}

/**
 * Refuses declared types that a value of the query may not fit, which would have to be looked for.
 */
function refuseCasts(dataset: Gold, { fields, found }: GoldColumns, target: TargetName): void {
  for (const { name, type } of fields) {
    const given = found.find((one) => one.name === name)
    if (!given || fitOf(given.sqlType, type) === 'exact') continue
    throw refused(
      dataset,
      `'${name}' is declared as ${typeName(type)}, but the query returns ${typeName(given.type)}: ${targets[target].title} would change values that do not fit`,
      `Declare it as what the query returns. Or ${OWN}${byHand(dataset, target)}`,
      dataset.place && { ...dataset.place, near: `${name}:` },
    )
  }
}

const byHand = ({ view }: Gold, target: TargetName) => (target === 'trino' && !view ? BY_HAND : '')

const refused = (dataset: Gold, message: string, hint: string, place: Gold['place']) =>
  new MoraineError('definition', `${fullName(dataset)}: ${message}`, { hint, place })

/** The line and the column, from 1, of a byte of a text. */
function lineOf(sql: string, at: number): { line: number; column: number; near: string } {
  const before = Buffer.from(sql).subarray(0, at).toString()
  const lines = before.split('\n')
  const rest = sql.slice(before.length).split('\n')[0] ?? ''
  const near = /^[\w.]+|^\S+/.exec(rest)?.[0] ?? ''
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1, near }
}
