import { quoteName } from '../../define/sql/sql.js'
import type { Field } from '../../define/types/column-type.js'
import { columnsFor } from '../decide.js'
import { figuresOf } from '../dialect.js'
import { differenceOf } from '../difference.js'
import { changesSince, rowsOf } from '../lake-table.js'
import { afterChange, type ExportRecord } from '../record.js'
import { fillTable } from '../stage/fill.js'
import { type Load, refuseDifference, type Written } from './work.js'

/** The share of rows from which on all of them are loaded, which is quicker then. */
const MOST = 0.5

/** Tables of the connection while it writes what changed. */
const ROWS = 'moraine_rows'
const KEYS = 'moraine_keys'

/**
 * Writes what changed since a record: rows that have a key of a changed one go, and those that the
 * lake has of these keys come.
 *
 * @param by columns that tell rows apart, or parts of the table.
 * @returns `undefined` where all rows are to be loaded: most have changed, or the earlier version
 *   is
 *   gone.
 */
export async function applyChanges(
  load: Load,
  by: readonly string[],
  record: ExportRecord,
): Promise<Written | undefined> {
  const { engine, now, target, dialect } = load
  const compared = { ...load, units: dialect.textUnits }
  const changes = await changesSince(compared, record.metadata).catch(() => undefined)
  if (!changes || Number(changes.touched) > now.rows * MOST) return undefined
  const isKey = now.key.length > 0
  const keyColumns = by.map((name) => now.columns.find((c) => c.name === name) as Field)
  const names = by.map(quoteName).join(', ')
  const keys = await engine.materialize(
    `SELECT ${names} FROM (${changes.come}) UNION SELECT ${names} FROM (${changes.gone})`,
  )
  // Of gold, parts are replaced: their unchanged rows come again.
  const rows = isKey ? changes.come : await rowsOfParts(load, by[0] as string, keys.sql)
  const written = await writeRows(load, { rows, keys: `SELECT * FROM ${keys.sql}`, keyColumns })
  const figures = afterChange(record.figures, changes.goneFigures, changes.comeFigures)
  const counted = await target.ask(dialect.figures(dialect.named(load.table), []))
  const { rows: left } = figuresOf(counted, [])
  const problem =
    left === BigInt(now.rows)
      ? undefined
      : `the lake has ${now.rows} rows, the target would have ${left}`
  refuseDifference(load, problem)
  load.at('compared')
  return { mode: 'changes', written, figures }
}

async function rowsOfParts({ engine, storage, now }: Load, by: string, keys: string) {
  const name = quoteName(by)
  const all = await rowsOf(engine, storage, now.table)
  return `SELECT * FROM (${all}) AS a WHERE EXISTS (SELECT 1 FROM ${keys} AS k WHERE k.${name} IS NOT DISTINCT FROM a.${name})`
}

interface ToWrite {
  /** SQL for rows that come. */
  rows: string
  /** SQL for the keys whose rows go first. */
  keys: string
  keyColumns: readonly Field[]
}

/** Stages rows and keys, compares them with the lake's, and writes them to the table. */
async function writeRows(load: Load, { rows, keys, keyColumns }: ToWrite): Promise<bigint> {
  const { dialect, target, table, now, engine } = load
  const whole = dialect.named(table)
  const stage = async (name: string, columns: readonly Field[], sql: string) => {
    const typed = columnsFor(dialect, now.dataset, columns)
    await target.ask(dialect.createTemporary(name, typed))
    await fillTable(load, dialect.temporary(name), columns, sql)
  }
  if (!dialect.transactionalDdl) await target.ask('START TRANSACTION')
  await stage(KEYS, keyColumns, keys)
  await stage(ROWS, now.columns, rows)
  load.at('staged')
  const staged = dialect.temporary(ROWS)
  const ours = await engine.exports.figures(rows, now.columns, dialect.textUnits)
  const theirs = figuresOf(await target.ask(dialect.figures(staged, now.columns)), now.columns)
  refuseDifference(load, differenceOf(now.columns, ours, theirs))
  const [first] = keyColumns as [Field]
  const isKey = now.key.length > 0
  await target.ask(dialect.deleteMatching(whole, dialect.temporary(KEYS), keyColumns))
  if (!isKey) await target.ask(dialect.deleteNull(whole, dialect.temporary(KEYS), first.name))
  const list = now.columns.map(({ name }) => dialect.quote(name)).join(', ')
  const come = await target.change(`INSERT INTO ${whole} (${list}) SELECT ${list} FROM ${staged}`)
  load.at('applied')
  return come
}
