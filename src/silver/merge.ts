import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import { quoteName } from '../define/sql/sql.js'
import type { Field } from '../define/types/column-type.js'
import { count } from '../engine/count.js'
import type { Relation, Session } from '../engine/engine.js'
import type { ScanTask } from '../iceberg/deletes.js'
import { compareValues, decodeValue, parseValue, type Value } from '../iceberg/spec/values.js'
import type { TableVersion } from '../iceberg/version.js'
import type { StepContext } from '../step/context.js'
import { chooseDeletes, type Deletion } from '../step/delete-strategy.js'
import { type Renamed, silverLineage } from '../step/relations.js'
import { tableFiles } from '../step/table-files.js'
import type { WithIngestedAt } from './ingested-at.js'
import { inBucket, keysOf, newer, removesKeys } from './keys.js'
import type { Deduplicated, Work } from './stages.js'
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
  context: StepContext,
  session: Session,
  dataset: Silver,
  { latest }: Deduplicated,
  target: Target,
): Promise<Merge> {
  const { columns, incremental, renamed } = target
  const table = incremental
    ? await context.relations.tableAs(
        fullName(dataset),
        [...columns, ...silverLineage],
        dataset.partitionBy,
        renamed,
      )
    : undefined
  if (!table || dataset.key.length === 0) {
    const tombstones = removesKeys(dataset)
      ? await newTombstones(session, dataset, latest)
      : undefined
    const removed = incremental ? new Set<string>() : ('all' as const)
    return { rows: freshRows(target, latest), removed, ...NONE, ...only(tombstones) }
  }
  const matched = await matchKeys({ context, session, dataset }, table, latest)
  const { tasks, keep, superseded, tombstones, leaving, replaced } = matched
  const rows = freshRows(target, keep)
  const merge: Merge = { rows, removed: new Set(), ...NONE, superseded, ...only(tombstones) }
  if (replaced === 0) return merge
  const strategy = await chooseDeletes(context, session, table, tasks, leaving)
  const { rewritten, deletions, removed, rewrittenRows } = strategy
  if (rewritten.length === 0) return { ...merge, removed, deletions, replaced }
  const old = session.tables.scan(table.schema, tableFiles(context.storage, table, rewritten))
  const { antiJoin, union } = session.dialect.rows
  const others = `SELECT ${namesOf(target)}, _loaded_at, _batch FROM ${antiJoin(`(${old})`, leaving.sql, { using: keysOf(dataset).join(', ') })}`
  return {
    ...merge,
    rows: union([rows, `(${others})`]),
    removed,
    deletions,
    replaced,
    rewritten: rewrittenRows,
  }
}

/** What new rows meet in the table, and in what is known of keys that are gone. */
export interface Matched {
  /** The files that may hold their keys. */
  tasks: readonly ScanTask[]
  /** The latest rows without those that something newer is there for. */
  keep: Relation
  /** Keys of the others. */
  late: Relation
  /** How many of those are deletions or valid. */
  superseded: number
  tombstones: Tombstones | undefined
  /** `_data_file` and `_data_row` of the table's rows that are replaced. */
  leaving: Relation
  /** How many those are. */
  replaced: number
}

/**
 * Compares the latest rows with the table as it stands.
 *
 * @param bucket SQL over a row of a table, whether its key is one of those that are compared.
 */
export async function matchKeys(
  work: Work,
  table: TableVersion,
  latest: Relation,
  bucket?: string,
): Promise<Matched> {
  const { context, session, dataset } = work
  const tasks = await filesOfKeys(session, dataset, table, latest)
  const files = tableFiles(context.storage, table, tasks)
  const existing = inBucket(session.tables.scanWithFiles(table.schema, files), bucket)
  const matches = await session.materialize(matchesSql(dataset, existing, latest))
  const known = removesKeys(dataset) ? await matchTombstones(work, latest, bucket) : undefined
  const { keep, late, superseded } = await withoutLate(session, dataset, latest, [
    matches,
    known?.matches,
  ])
  const tombstones = known && (await mergeTombstones(session, dataset, keep, known))
  const leaving = { sql: `(SELECT * FROM ${matches.sql} WHERE NOT _stale)` }
  const replaced = await count(session, `SELECT count(*) AS n FROM ${leaving.sql}`)
  return { tasks, keep, late, superseded, tombstones, leaving, replaced }
}

const NONE = { superseded: 0, replaced: 0, rewritten: 0 }

const only = (tombstones: Tombstones | undefined) => (tombstones ? { tombstones } : {})

const namesOf = ({ columns }: Target) => columns.map((c) => quoteName(c.name)).join(', ')

/** SQL for the rows that enter the table. */
export function freshRows(target: Target, from: Relation): string {
  return `SELECT ${namesOf(target)}, _ingested_at AS _loaded_at, _batch FROM ${target.withIngestedAt(from.sql)} WHERE _kind = 'valid'`
}

/**
 * The latest rows without those that something newer is there for, and how many valid ones those
 * are.
 */
async function withoutLate(
  session: Session,
  dataset: Silver,
  latest: Relation,
  matches: readonly (Relation | undefined)[],
): Promise<Pick<Matched, 'keep' | 'late' | 'superseded'>> {
  const keys = keysOf(dataset).join(', ')
  const stale = matches.flatMap((one) =>
    one ? [`SELECT ${keys} FROM ${one.sql} WHERE _stale`] : [],
  )
  const gone = await session.materialize(stale.join(' UNION '))
  const { sql: late } = gone
  const areLate = (await count(session, `SELECT count(*) AS n FROM ${late}`)) > 0
  if (!areLate) return { keep: latest, late: gone, superseded: 0 }
  const { antiJoin, semiJoin } = session.dialect.rows
  const lost = semiJoin(latest.sql, late, { using: keys })
  return {
    keep: { sql: `(SELECT * FROM ${antiJoin(latest.sql, late, { using: keys })})` },
    late: gone,
    superseded: await count(session, `SELECT count(*) AS n FROM ${lost} WHERE _kind <> 'invalid'`),
  }
}

/**
 * Keys that both the table and the new rows have; `_stale` where the table's row is the newer one.
 */
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
  table: TableVersion,
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
