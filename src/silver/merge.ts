import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import { quoteName } from '../define/sql/sql.js'
import type { Field } from '../define/types/column-type.js'
import { count } from '../engine/count.js'
import type { Relation, Session } from '../engine/engine.js'
import type { ScanTask } from '../iceberg/deletes.js'
import { compareValues, decodeValue, parseValue, type Value } from '../iceberg/spec/values.js'
import type { Table } from '../iceberg/table.js'
import type { RunContext } from '../step/context.js'
import { chooseDeletes, type Deletion } from '../step/delete-strategy.js'
import { type Renamed, silverLineage } from '../step/relations.js'
import { tableFiles } from '../step/table-files.js'
import type { WithIngestedAt } from './ingested-at.js'
import { keysOf, newer, removesKeys } from './keys.js'
import type { Deduplicated } from './stages.js'
import { matchTombstones, mergeTombstones, newTombstones, type Tombstones } from './tombstones.js'

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
  rewritten: number
  /** What becomes of keys that are gone; only where rows can take keys away. */
  tombstones?: Tombstones
}

/** What a step's table is to be like, and how its rows get there. */
export interface Target {
  columns: readonly Field[]
  /** Whether rows join those that are there, or replace them. */
  incremental: boolean
  withIngestedAt: WithIngestedAt
  renamed?: Renamed
}

/** Upserts by changing only the files that hold a key of the new rows. */
export async function mergeByKey(
  context: RunContext,
  session: Session,
  dataset: Silver,
  { latest }: Deduplicated,
  { columns, incremental, withIngestedAt, renamed }: Target,
): Promise<Merge> {
  const names = columns.map((c) => quoteName(c.name)).join(', ')
  const fresh = (from: Relation) =>
    `SELECT ${names}, _ingested_at AS _loaded_at, _batch FROM ${withIngestedAt(from.sql)} WHERE _kind = 'valid'`
  const none = { superseded: 0, replaced: 0, rewritten: 0 }
  const all = [...columns, ...silverLineage]
  const { partitionBy } = dataset
  const table = incremental
    ? await context.relations.tableAs(fullName(dataset), all, partitionBy, renamed)
    : undefined
  if (!table || dataset.key.length === 0) {
    const tombstones = removesKeys(dataset)
      ? await newTombstones(session, dataset, latest)
      : undefined
    const removed = incremental ? new Set<string>() : ('all' as const)
    return { rows: fresh(latest), removed, ...none, ...(tombstones ? { tombstones } : {}) }
  }
  const tasks = await filesOfKeys(session, dataset, table, latest)
  const existing = session.tables.scanWithFiles(
    table.schema,
    tableFiles(context.storage, table, tasks),
  )
  const { sql: matches } = await session.materialize(matchesSql(dataset, existing, latest))
  const keys = keysOf(dataset).join(', ')
  const known = removesKeys(dataset)
    ? await matchTombstones(context, session, dataset, latest)
    : undefined
  const { sql: late } = await session.materialize(
    `SELECT ${keys} FROM ${matches} WHERE _stale${known ? ` UNION SELECT ${keys} FROM ${known.matches.sql} WHERE _stale` : ''}`,
  )
  const areLate = (await count(session, `SELECT count(*) AS n FROM ${late}`)) > 0
  const superseded = areLate
    ? await count(
        session,
        `SELECT count(*) AS n FROM (FROM ${latest.sql} SEMI JOIN ${late} USING (${keys})) WHERE _kind <> 'invalid'`,
      )
    : 0
  const keep = areLate ? { sql: `(FROM ${latest.sql} ANTI JOIN ${late} USING (${keys}))` } : latest
  const tombstones = known && (await mergeTombstones(session, dataset, keep, known))
  const leaving = { sql: `(FROM ${matches} WHERE NOT _stale)` }
  const replaced = await count(session, `SELECT count(*) AS n FROM ${leaving.sql}`)
  const merge: Merge = {
    rows: fresh(keep),
    removed: new Set(),
    ...none,
    superseded,
    ...(tombstones ? { tombstones } : {}),
  }
  if (replaced === 0) return merge
  const strategy = await chooseDeletes(context, session, table, tasks, leaving)
  const { rewritten, deletions, removed, rewrittenRows } = strategy
  if (rewritten.length === 0) return { ...merge, removed, deletions, replaced }
  const old = session.tables.scan(table.schema, tableFiles(context.storage, table, rewritten))
  const others = `SELECT ${names}, _loaded_at, _batch FROM (${old}) ANTI JOIN ${leaving.sql} USING (${keys})`
  return {
    ...merge,
    rows: `${merge.rows} UNION ALL BY NAME (${others})`,
    removed,
    deletions,
    replaced,
    rewritten: rewrittenRows,
  }
}

/** Keys that both the table and the new rows have; `_stale` where the table's row is the newer one. */
function matchesSql(dataset: Silver, existing: string, { sql: latest }: Relation): string {
  const keys = keysOf(dataset)
  const on = keys.map((k) => `e.${k} = w.${k}`).join(' AND ')
  const shown = keys.map((k) => `e.${k} AS ${k}`).join(', ')
  return `SELECT ${shown}, e._data_file, e._data_row, ${newer(dataset, 'e', 'w')} AS _stale
    FROM (${existing}) AS e JOIN ${latest} AS w ON ${on}`
}

/** Keys beyond which files are not looked through one by one. */
const FEW_KEYS = 50_000

/** The files of a table that may hold a key of some rows, by the bounds of its columns. */
export async function filesOfKeys(
  session: Session,
  dataset: Silver,
  table: Table,
  { sql: from }: Relation,
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
