import { commentOf } from '../decide.js'
import { type Found, figuresOf } from '../dialect.js'
import { differenceOf } from '../difference.js'
import { rowsOf } from '../lake-table.js'
import { streamCsv } from '../stage/pipe.js'
import { type Load, lakeFigures, refuseDifference, type Written } from './work.js'

/**
 * Loads all rows into a table beside, compares it with the lake, and puts it in the other's place.
 */
export async function replaceTable(
  load: Load,
  columns: readonly string[],
  found: Found | undefined,
): Promise<Written> {
  const { dialect, target, engine, storage, now, table } = load
  const beside = { ...table, name: `${table.name}__moraine_new` }
  const [whole, next] = [dialect.named(table), dialect.named(beside)]
  await target.ask(`DROP TABLE IF EXISTS ${next}`)
  for (const sql of dialect.create(beside, columns, commentOf(now.dataset))) await target.ask(sql)
  const rows = { sql: await rowsOf(engine, storage, now.table), columns: now.columns }
  const written = await streamCsv(engine, { ...rows, format: dialect.cells }, (csv) =>
    target.fill(next, now.columns, csv),
  )
  if (hasKey(load)) await target.ask(dialect.addKey(next, now.key))
  load.at('staged')
  const [figures, counted] = await Promise.all([
    lakeFigures(load),
    target.ask(dialect.figures(next, now.columns)),
  ])
  const theirs = figuresOf(counted, now.columns)
  refuseDifference(load, differenceOf(now.columns, figures, theirs))
  load.at('compared')
  if (found?.isReadByViews) {
    // Views would go with the table that they read.
    await target.ask(`DELETE FROM ${whole}`)
    await target.ask(`INSERT INTO ${whole} SELECT * FROM ${next}`)
    await target.ask(`DROP TABLE ${next}`)
  } else {
    if (found) await target.ask(`DROP TABLE ${whole}`)
    await target.ask(dialect.rename(beside, table.name))
  }
  load.at('applied')
  return { mode: 'replace', written, figures }
}

/** Whether the target can have the dataset's key, by which changed rows are found there. */
function hasKey({ dialect, now: { key, columns } }: Load): boolean {
  const types = key.map((name) => columns.find((column) => column.name === name)?.type)
  return key.length > 0 && types.every((type) => type !== undefined && dialect.isKeyType(type))
}
