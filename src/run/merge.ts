import type { Field } from '../define/column-type.js'
import { fullName, type Silver } from '../define/dataset.js'
import { quoteName, quoteText } from '../define/sql.js'
import type { Session } from '../engine/engine.js'
import type { RunContext } from './context.js'

const VALID = '_reasons IS NULL AND NOT _superseded'

/**
 * Defines `winners`, one row a key: the newest by cursor, batch, file and row. Only rows whose key
 * appears again are compared. Returns how many valid rows of `checked` lost to a newer one.
 */
export async function pickWinners(session: Session, dataset: Silver): Promise<number> {
  const keys = dataset.key.map(quoteName).join(', ')
  const valid = `SELECT * FROM checked WHERE ${VALID}`
  const duplicates = keys === '' ? 0 : await findRepeated(session, keys)
  if (duplicates === 0) {
    await session.run(`CREATE TEMP VIEW winners AS ${valid}`)
    return 0
  }
  await session.run(
    `CREATE TEMP TABLE newest AS SELECT * FROM (${valid}) SEMI JOIN repeated USING (${keys})
     QUALIFY row_number() OVER (PARTITION BY ${keys} ORDER BY ${newestFirst(dataset)}) = 1`,
  )
  await session.run(
    `CREATE TEMP VIEW winners AS SELECT * FROM (${valid}) ANTI JOIN repeated USING (${keys})
     UNION ALL BY NAME SELECT * FROM newest`,
  )
  return duplicates
}

/** Fills `repeated` with keys that several valid rows have; returns the rows beyond the first of each. */
async function findRepeated(session: Session, keys: string): Promise<number> {
  await session.run(
    `CREATE TEMP TABLE repeated AS SELECT ${keys}, count(*) - 1 AS _more FROM checked
     WHERE ${VALID} GROUP BY ${keys} HAVING count(*) > 1`,
  )
  const [row] = await session.rows('SELECT coalesce(sum(_more), 0) AS n FROM repeated')
  return Number(row?.n)
}

/** The order that decides between rows of one key. */
function newestFirst(dataset: Silver): string {
  // Columns at the end settle ties between rows that have no lineage.
  const rest = Object.keys(dataset.schema.shape).filter((name) => name !== dataset.cursor)
  return [
    ...(dataset.cursor ? [`${quoteName(dataset.cursor)} DESC NULLS LAST`] : []),
    '_batch DESC',
    '_source_file DESC',
    '_source_line DESC',
    ...rest.map((name) => `${quoteName(name)} DESC NULLS LAST`),
  ].join(', ')
}

/** How new rows and the table as it stands become one. */
export interface Merge {
  /** SQL for the rows to write. */
  rows: string
  removed: ReadonlySet<string> | 'all'
  /** New rows that lost to a newer row in the table. */
  superseded: number
  /** Rows of the table that lost to a new row. */
  replaced: number
  /** Rows that are only written again because they share a file with a replaced one. */
  carried: number
}

/** Upserts by rewriting only the files that hold a key of the new rows. */
export async function mergeByKey(
  context: RunContext,
  session: Session,
  dataset: Silver,
  columns: readonly Field[],
  incremental: boolean,
): Promise<Merge> {
  const names = columns.map((c) => quoteName(c.name))
  const loaded = `TIMESTAMPTZ ${quoteText(context.started.toISOString())} AS _loaded_at`
  const fresh = (from: string) => `SELECT ${names.join(', ')}, ${loaded}, _batch FROM ${from}`
  const none = { superseded: 0, replaced: 0, carried: 0 }
  if (!incremental) return { rows: fresh('winners'), removed: 'all', ...none }
  const append: Merge = { rows: fresh('winners'), removed: new Set(), ...none }
  if (dataset.key.length === 0) return append
  const table = await context.relations.table(fullName(dataset))
  const files = await table?.scan()
  if (!table || !files || files.length === 0) return append

  const locate = (path: string) => context.storage.locate(table.pathOf(path))
  const existing = session.tableWithFiles(
    table.schema,
    files.map((file) => locate(file.path)),
  )
  await session.run(`CREATE TEMP TABLE matches AS ${matchesSql(dataset, existing)}`)
  const count = async (sql: string) => Number((await session.rows(sql))[0]?.n)
  const superseded = await count('SELECT count(*) AS n FROM matches WHERE _stale')
  const replaced = await count('SELECT count(*) AS n FROM matches WHERE NOT _stale')
  const keys = dataset.key.map(quoteName).join(', ')
  const keep =
    superseded > 0
      ? `(FROM winners ANTI JOIN (FROM matches WHERE _stale) USING (${keys}))`
      : 'winners'
  if (replaced === 0) return { ...append, rows: fresh(keep), superseded }

  const touched = await session.rows(
    'SELECT DISTINCT _data_file AS f FROM matches WHERE NOT _stale',
  )
  const touchedNames = new Set(touched.map((row) => row.f))
  const removed = files.filter((file) => touchedNames.has(session.fileName(locate(file.path))))
  const removedRows = removed.reduce((sum, file) => sum + file.rows, 0)
  const old = session.table(
    table.schema,
    removed.map((file) => locate(file.path)),
  )
  const carriedRows = `SELECT ${names.join(', ')}, _loaded_at, _batch FROM (${old})
    ANTI JOIN (FROM matches WHERE NOT _stale) USING (${keys})`
  return {
    rows: `${fresh(keep)} UNION ALL BY NAME (${carriedRows})`,
    removed: new Set(removed.map((file) => file.path)),
    superseded,
    replaced,
    carried: removedRows - replaced,
  }
}

/** Keys that both the table and the new rows have; `_stale` where the table's row is the newer one. */
function matchesSql(dataset: Silver, existing: string): string {
  const keys = dataset.key.map(quoteName)
  const on = keys.map((k) => `e.${k} = w.${k}`).join(' AND ')
  const cursor = dataset.cursor && quoteName(dataset.cursor)
  // A row without a cursor is older than any with one; on equal cursors the later batch wins.
  const stale = cursor
    ? `e.${cursor} IS NOT NULL AND (w.${cursor} IS NULL OR e.${cursor} > w.${cursor})`
    : 'false'
  const shown = keys.map((k) => `e.${k} AS ${k}`).join(', ')
  return `SELECT ${shown}, e._data_file, ${stale} AS _stale FROM (${existing}) AS e JOIN winners AS w ON ${on}`
}
