import type { Field } from '../define/column-type.js'
import { fullName, type Silver } from '../define/dataset.js'
import { quoteName } from '../define/sql.js'
import type { Session } from '../engine/engine.js'
import type { ScanTask } from '../iceberg/deletes.js'
import { compareValues, decodeValue, parseValue, type Value } from '../iceberg/spec/values.js'
import type { Table } from '../iceberg/table.js'
import type { Came } from './came.js'
import type { RunContext } from './context.js'
import { type Renamed, silverLineage } from './relations.js'
import { chooseRemoval, type Deletion } from './removal.js'
import { tableFiles } from './table-files.js'
import { buryWinners, matchGraves, mergeTombstones, type Tombstones } from './tombstones.js'
import { count, keysOf, newer, removesKeys } from './winners.js'

/** How new rows and the table as it stands become one. */
export interface Merge {
  /** SQL for the rows to write. */
  rows: string
  removed: ReadonlySet<string> | 'all'
  /** Rows that are deleted in files which stay. */
  deletions?: readonly Deletion[]
  /** New rows that lost to a newer row in the table, or to a newer deletion. */
  superseded: number
  /** Rows of the table that lost to a new row. */
  replaced: number
  /** Rows that are only written again because they share a file with a replaced one. */
  carried: number
  /** What becomes of keys that are gone; only where rows can take keys away. */
  tombstones?: Tombstones
}

/** Upserts by changing only the files that hold a key of the new rows. */
export async function mergeByKey(
  context: RunContext,
  session: Session,
  dataset: Silver,
  columns: readonly Field[],
  incremental: boolean,
  came: Came,
  renamed?: Renamed,
): Promise<Merge> {
  const names = columns.map((c) => quoteName(c.name)).join(', ')
  const fresh = (from: string) =>
    `SELECT ${names}, _came AS _loaded_at, _batch FROM ${came(from)} WHERE _kind = 'valid'`
  const none = { superseded: 0, replaced: 0, carried: 0 }
  const all = [...columns, ...silverLineage]
  const { partitionBy } = dataset
  const table = incremental
    ? await context.relations.tableAs(fullName(dataset), all, partitionBy, renamed)
    : undefined
  if (!table || dataset.key.length === 0) {
    const tombstones = removesKeys(dataset) ? await buryWinners(session, dataset) : undefined
    const removed = incremental ? new Set<string>() : ('all' as const)
    return { rows: fresh('winners'), removed, ...none, ...(tombstones ? { tombstones } : {}) }
  }
  const tasks = await candidates(session, dataset, table)
  const existing = session.tableWithFiles(table.schema, tableFiles(context.storage, table, tasks))
  await session.run(`CREATE TEMP TABLE matches AS ${matchesSql(dataset, existing)}`)
  const keys = keysOf(dataset).join(', ')
  const graves = removesKeys(dataset) ? await matchGraves(context, session, dataset) : undefined
  await session.run(
    `CREATE TEMP TABLE late AS SELECT ${keys} FROM matches WHERE _stale${graves ? ` UNION SELECT ${keys} FROM graves WHERE _stale` : ''}`,
  )
  const late = await count(session, 'SELECT count(*) AS n FROM late')
  const superseded =
    late === 0
      ? 0
      : await count(
          session,
          `SELECT count(*) AS n FROM (FROM winners SEMI JOIN late USING (${keys})) WHERE _kind <> 'invalid'`,
        )
  const keep = late > 0 ? `(FROM winners ANTI JOIN late USING (${keys}))` : 'winners'
  const tombstones = graves && (await mergeTombstones(session, dataset, keep, graves))
  const replaced = await count(session, 'SELECT count(*) AS n FROM matches WHERE NOT _stale')
  const merge: Merge = {
    rows: fresh(keep),
    removed: new Set(),
    ...none,
    superseded,
    ...(tombstones ? { tombstones } : {}),
  }
  if (replaced === 0) return merge
  const removal = await chooseRemoval(context, session, table, tasks)
  const { rewritten, deletions, removed, carried } = removal
  if (rewritten.length === 0) return { ...merge, removed, deletions, replaced }
  const old = session.table(table.schema, tableFiles(context.storage, table, rewritten))
  const carriedRows = `SELECT ${names}, _loaded_at, _batch FROM (${old})
    ANTI JOIN (FROM matches WHERE NOT _stale) USING (${keys})`
  return {
    ...merge,
    rows: `${merge.rows} UNION ALL BY NAME (${carriedRows})`,
    removed,
    deletions,
    replaced,
    carried,
  }
}

/** Keys that both the table and the new rows have; `_stale` where the table's row is the newer one. */
function matchesSql(dataset: Silver, existing: string): string {
  const keys = keysOf(dataset)
  const on = keys.map((k) => `e.${k} = w.${k}`).join(' AND ')
  const shown = keys.map((k) => `e.${k} AS ${k}`).join(', ')
  return `SELECT ${shown}, e._data_file, e._data_row, ${newer(dataset, 'e', 'w')} AS _stale
    FROM (${existing}) AS e JOIN winners AS w ON ${on}`
}

/** Keys beyond which files are not looked through one by one. */
const FEW_KEYS = 50_000

/** The files that may hold a key of the new rows, by the bounds of its columns. */
export async function candidates(
  session: Session,
  dataset: Silver,
  table: Table,
  from = 'winners',
): Promise<ScanTask[]> {
  const ranges = keysOf(dataset).map(
    (key, i) => `CAST(min(${key}) AS VARCHAR) AS l${i}, CAST(max(${key}) AS VARCHAR) AS u${i}`,
  )
  const [range] = await session.rows(`SELECT count(*) AS n, ${ranges.join(', ')} FROM ${from}`)
  if (Number(range?.n) === 0) return []
  const predicates = dataset.key.flatMap((column, i) => [
    { column, op: '>=' as const, values: [String(range?.[`l${i}`])] },
    { column, op: '<=' as const, values: [String(range?.[`u${i}`])] },
  ])
  const tasks = await table.plan(predicates)
  if (tasks.length < 2 || Number(range?.n) > FEW_KEYS) return tasks
  const field = table.schema.fields.find((f) => f.name === dataset.key[0])
  if (!field || typeof field.type !== 'string') return tasks
  const { id, type } = field
  const texts = await session.rows(
    `SELECT DISTINCT CAST(${keysOf(dataset)[0]} AS VARCHAR) AS k FROM ${from}`,
  )
  const values = texts.map(({ k }) => parseValue(String(k), type))
  if (values.some((value) => value === undefined)) return tasks
  const sorted = (values as Value[]).sort(compareValues)
  return tasks.filter(({ file }) => {
    const { lower, upper } = file.columns.get(id) ?? {}
    if (!lower || !upper) return true
    const first = firstFrom(sorted, decodeValue(lower, type))
    return first !== undefined && compareValues(first, decodeValue(upper, type)) <= 0
  })
}

/** The first of ordered values that is no less than another. */
function firstFrom(sorted: readonly Value[], least: Value): Value | undefined {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareValues(sorted[middle] as Value, least) < 0) low = middle + 1
    else high = middle
  }
  return sorted[low]
}
