import { RECORDS } from '../../define/export/warehouse-problems.js'
import type { ColumnType, Field } from '../../define/types/column-type.js'
import type { Figures } from '../../engine/export-io.js'
import { MoraineError } from '../../errors.js'
import { commentOf, refuseOthers } from '../decide.js'
import { type Found, figuresOf } from '../dialect.js'
import { differenceOf } from '../difference.js'
import { type LakeTable, rowsOf } from '../lake-table.js'
import { type ExportRecord, shapeOf } from '../record.js'
import { fillTable } from '../stage/fill.js'
import {
  committing,
  grantAll,
  type Load,
  lakeFigures,
  type Recording,
  refuseDifference,
  shownName,
  type Written,
} from './work.js'

/** A table that stands in the place of the new one, and what is recorded of it. */
interface Standing {
  found: Found | undefined
  record: ExportRecord | undefined
}

/**
 * Loads all rows into a table beside, compares it with the lake, and puts it in the other's place,
 * together with the record of it.
 */
export async function replaceTable(
  load: Load,
  columns: readonly string[],
  { found, record: before }: Standing,
  { records, recordOf }: Recording,
): Promise<Written> {
  const { dialect, table } = load
  if (found?.isReadByViews && before) refuseOtherColumns(load, before)
  const beside = { ...table, name: `${table.name}__moraine_new` }
  const written = await fillBeside(load, beside.name, columns)
  const record = recordOf(written)
  if (dialect.swap) await swapAll(load, beside.name, found, await records.addToCopy(record))
  else {
    await putInPlace(load, beside, found, written.figures)
    await records.add(record)
  }
  load.at('applied')
  if (dialect.transactionalDdl) await grantAll(load)
  return written
}

async function fillBeside(load: Load, name: string, columns: readonly string[]): Promise<Written> {
  const { dialect, target, engine, storage, now, table } = load
  const next = dialect.named({ ...table, name })
  const there = await dialect.find(target, { ...table, name })
  if (there) refuseOthers(shownName({ ...table, name }), there)
  await target.ask(`DROP TABLE IF EXISTS ${next}`)
  const comment = commentOf(now.dataset)
  for (const sql of dialect.create({ ...table, name }, columns, comment)) await target.ask(sql)
  const written = await fillTable(load, next, now.columns, await rowsOf(engine, storage, now.table))
  for (const sql of hasKey(load) ? dialect.addKey(next, keyOf(now)) : []) await target.ask(sql)
  load.at('staged')
  const [figures, counted] = await Promise.all([
    lakeFigures(load),
    target.ask(dialect.figures(next, now.columns)),
  ])
  refuseDifference(load, differenceOf(now.columns, figures, figuresOf(counted, now.columns)))
  load.at('compared')
  return { mode: 'replace', written, figures }
}

/** A table that views read stays, with the columns that it has; their order is of no importance. */
function refuseOtherColumns({ table, now }: Load, { columns }: ExportRecord): void {
  const sorted = (of: ExportRecord['columns']) =>
    JSON.stringify(of.toSorted((a, b) => (a.name < b.name ? -1 : 1)))
  if (sorted(columns) === sorted(shapeOf(now.columns))) return
  throw new MoraineError(
    'export',
    `${shownName(table)} has other columns than ${now.dataset}, and views read it`,
    {
      hint: 'Nothing was changed. Drop these views, export, and create them again: moraine export',
    },
  )
}

/** Within the transaction. */
async function putInPlace(
  load: Load,
  beside: Load['table'],
  found: Found | undefined,
  figures: Figures,
): Promise<void> {
  const { dialect, target, table, now } = load
  const [whole, next] = [dialect.named(table), dialect.named(beside)]
  if (found?.isReadByViews) {
    // Views would go with the table that they read.
    const list = now.columns.map(({ name }) => dialect.quote(name)).join(', ')
    await target.ask(`DELETE FROM ${whole}`)
    await target.ask(`INSERT INTO ${whole} (${list}) SELECT ${list} FROM ${next}`)
    const counted = figuresOf(await target.ask(dialect.figures(whole, now.columns)), now.columns)
    refuseDifference(load, differenceOf(now.columns, figures, counted))
    await target.ask(`DROP TABLE ${next}`)
  } else {
    if (found) await target.ask(`DROP TABLE ${whole}`)
    await target.ask(dialect.rename(beside, table.name))
  }
}

/** In one statement, which is all or nothing: the table, and what is recorded of all tables. */
async function swapAll(
  { dialect, target, table }: Load,
  beside: string,
  found: Found | undefined,
  records: string,
): Promise<void> {
  const old = [`${table.name}__moraine_old`, `${RECORDS}__old`]
  const dropped = () => target.ask(`DROP TABLE IF EXISTS ${old.map(dialect.quote).join(', ')}`)
  await dropped()
  const moves: [string, string][] = [
    ...(found ? [[table.name, old[0]] as [string, string]] : []),
    [beside, table.name],
    [RECORDS, old[1] as string],
    [records, RECORDS],
  ]
  await committing(async () => {
    await target.ask(dialect.swap?.(moves) ?? '')
    await dropped()
  })
}

/** Whether the target can have the dataset's key, by which changed rows are found there. */
function hasKey({ dialect, now }: Load): boolean {
  const key = keyOf(now)
  return key.length > 0 && key.every(({ type }) => dialect.isKeyType(type as ColumnType))
}

const keyOf = ({ key, columns }: LakeTable) =>
  key.map((name) => columns.find((column) => column.name === name) as Field)
