import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import { quoteName } from '../define/sql/sql.js'
import type { ColumnType, Field } from '../define/types/column-type.js'
import type { Relation, Session } from '../engine/engine.js'
import type { Shape } from '../iceberg/change.js'
import type { ScanTask } from '../iceberg/deletes.js'
import type { TableVersion } from '../iceberg/version.js'
import type { Dialect } from '../sql/dialect.js'
import type { StepContext } from '../step/context.js'
import { emptyRelation } from '../step/expressions.js'
import type { Renamed } from '../step/relations.js'
import { tableFiles } from '../step/table-files.js'
import type { TableOutput } from '../step/task/output.js'
import { writeTable } from '../step/write-table.js'
import { comparesKeys, keysOf, newestFirst, removesKeys } from './keys.js'
import { filesOfKeys, type Target } from './merge.js'

/** Where a row of the table lies. */
export const ROW = '_data_file, _data_row'

/** The table of all versions: `history.orders`. */
export const historyOf = (dataset: { name: string }): string => `history.${dataset.name}`

/** Its columns: those of the table, and from when to when each version held, by the cursor. */
export function historyColumns(dataset: Silver, columns: readonly Field[]): Field[] {
  const cursor = columns.find(({ name }) => name === dataset.cursor) as Field
  const { type } = cursor
  return [
    ...columns,
    { name: '_loaded_at', type: { kind: 'timestamptz' } },
    { name: '_batch', type: { kind: 'string' } },
    { name: 'valid_from', type, description: 'Start of the validity of this version.' },
    { name: 'valid_to', type, description: 'When the next version, or a deletion, ended it.' },
  ]
}

/** Versions that are to be written, and those that go for them. */
export interface History {
  name: string
  /** SQL for the rows to add. */
  rows: string
  shape: Omit<Shape, 'renamed'> & { renamed: Renamed }
  /** The table as it stands. */
  before: TableVersion | undefined
  /** Its files that may hold versions which go. */
  tasks: readonly ScanTask[]
  /** `_data_file` and `_data_row` of versions that go. */
  leaving: Relation
  incremental: boolean
  /** Tables that are written beside it. */
  ended: Record<string, TableOutput>
}

/**
 * Keeps every version of every key (slowly changing dimension, type 2). What comes late finds its
 * place between the others; only versions that are new, or end at another time than before, are
 * written.
 *
 * @param candidates as validation left them: rows that lost to a newer one are versions as well.
 */
export async function findVersions(
  context: StepContext,
  session: Session,
  dataset: Silver,
  candidates: Relation,
  { columns, incremental, withIngestedAt, renamed }: Target,
): Promise<History> {
  const name = historyOf(dataset)
  const { antiJoin, semiJoin } = session.dialect.rows
  const all = historyColumns(dataset, columns)
  const before = incremental
    ? await context.relations.tableAs(name, all, dataset.partitionBy, renamed)
    : undefined
  const keys = keysOf(dataset)
  const own = columns.map((column) => quoteName(column.name)).join(', ')
  const { type } = all.find((column) => column.name === 'valid_from') as Field
  const arrivals = await arrivedVersions(session, dataset, candidates, {
    own,
    type,
    withIngestedAt,
  })
  const tasks = before ? await filesOfKeys(session, dataset, before, arrivals) : []
  const existing = before
    ? session.tables.scanWithFiles(before.schema, tableFiles(context.storage, before, tasks))
    : `SELECT *, CAST(NULL AS VARCHAR) AS _data_file, CAST(NULL AS BIGINT) AS _data_row FROM (${emptyRelation(all, session.dialect)})`
  const list = keys.join(', ')
  const past = await session.materialize(
    `SELECT * FROM ${semiJoin(`(${existing})`, arrivals.sql, { using: list })}`,
  )
  const ended = removesKeys(dataset)
    ? await writeEnds(context, session, dataset, arrivals, { columns, incremental })
    : undefined
  const versions = await session.materialize(
    versionsSql(session.dialect, own, list, { arrivals, past, ended: ended?.before }),
  )
  const unchanged = await unchangedVersions(session, dataset, columns, { past, versions })
  const leaving = await session.materialize(
    `SELECT ${ROW} FROM ${antiJoin(past.sql, unchanged.sql, { using: ROW })}`,
  )
  const shown = all.map((column) => quoteName(column.name)).join(', ')
  const rows = `SELECT ${shown} FROM ${antiJoin(versions.sql, unchanged.sql, { using: `${list}, valid_from` })} WHERE _kind = 'valid'`
  const shape = {
    columns: all,
    partitions: dataset.partitionBy,
    about: { comment: `All versions of ${fullName(dataset)}` },
    renamed,
  }
  return { name, rows, shape, before, tasks, leaving, incremental, ended: ended?.tables ?? {} }
}

/**
 * New versions: of several of a key at the same time, the newest. That a key was found to be gone
 * stands beside the version which it ends, as it has the same time; `_ends` says when it was found.
 */
function arrivedVersions(
  session: Session,
  dataset: Silver,
  candidates: Relation,
  { own, type, withIngestedAt }: Pick<Target, 'withIngestedAt'> & { own: string; type: ColumnType },
): Promise<Relation> {
  const { rows, values } = session.dialect
  const cursor = quoteName(dataset.cursor as string)
  const compares = dataset.from.some(comparesKeys)
  const isFound = compares ? `(_kind = 'delete' AND _source_file LIKE '%#%.deleted')` : 'false'
  const found = `CAST(_ingested_at AS ${values.type(type)})`
  const ends = isTime(type)
    ? `CASE WHEN ${isFound} AND ${found} > ${cursor} THEN ${found} END`
    : `CAST(NULL AS ${values.type(type)})`
  return session.materialize(
    rows.qualify(
      `${own}, _ingested_at AS _loaded_at, _batch, _kind, ${cursor} AS valid_from, ${ends} AS _ends`,
      withIngestedAt(candidates.sql),
      `row_number() OVER (PARTITION BY ${[...keysOf(dataset), cursor, isFound].join(', ')} ORDER BY ${newestFirst(dataset)}) = 1`,
    ),
  )
}

const isTime = ({ kind }: ColumnType) => ['date', 'timestamp', 'timestamptz'].includes(kind)

/** Versions that are there and have come again as they were: they stay where they are. */
function unchangedVersions(
  session: Session,
  dataset: Silver,
  columns: readonly Field[],
  { past, versions }: Record<'past' | 'versions', Relation>,
): Promise<Relation> {
  const keys = keysOf(dataset)
  const of = (alias: string) =>
    session.dialect.values.struct(
      columns.map((c, i) => [`c${i}`, `${alias}.${quoteName(c.name)}`] as const),
    )
  const same = keys.map((key) => `p.${key} = v.${key}`).join(' AND ')
  return session.materialize(
    `SELECT p._data_file, p._data_row, ${keys.map((key) => `v.${key}`).join(', ')}, v.valid_from
     FROM ${past.sql} AS p JOIN ${versions.sql} AS v ON ${same} AND p.valid_from = v.valid_from
     WHERE v._kind = 'valid' AND p.valid_to IS NOT DISTINCT FROM v.valid_to AND ${of('p')} IS NOT DISTINCT FROM ${of('v')}`,
  )
}

/**
 * Keeps when keys went: a version that comes late, from before that, ended then. Returns SQL for
 * the ends that were known of the keys which rows came for.
 */
async function writeEnds(
  context: StepContext,
  session: Session,
  dataset: Silver,
  { sql: arrivals }: Relation,
  { columns, incremental }: Pick<Target, 'columns' | 'incremental'>,
): Promise<{ before: string; tables: Record<string, TableOutput> }> {
  const name = `tombstones.${dataset.name}`
  const { key, cursor } = dataset
  const kept = columns.filter((column) => key.includes(column.name) || column.name === cursor)
  const all: Field[] = [...kept, { name: '_batch', type: { kind: 'string' } }]
  const table = incremental ? await context.relations.table(name) : undefined
  const tasks = table ? await filesOfKeys(session, dataset, table, { sql: arrivals }) : []
  const existing = table
    ? session.tables.scan(table.schema, tableFiles(context.storage, table, tasks))
    : emptyRelation(all, session.dialect)
  const shown = all.map((column) => quoteName(column.name)).join(', ')
  const written = await writeTable(context, session, {
    name,
    columns: all,
    partitions: [],
    rows: `SELECT ${shown} FROM ${arrivals} WHERE _kind <> 'valid' ORDER BY ${keysOf(dataset).join(', ')}`,
    removed: incremental ? new Set() : 'all',
  })
  const at = quoteName(cursor as string)
  const { except, semiJoin } = session.dialect.rows
  return {
    before: `SELECT ${except([at])}, ${at} AS valid_from FROM ${semiJoin(`(${existing})`, arrivals, { using: keysOf(dataset).join(', ') })}`,
    tables: { [name]: written.output },
  }
}

/**
 * Versions of the keys that rows came for, and what ends them: of two at the same time the one of
 * the newer batch, or that came now. Where keys were compared, and one was found to be gone, its
 * last version ends when that was found.
 */
function versionsSql(
  { rows }: Dialect,
  own: string,
  keys: string,
  of: { arrivals: Relation; past: Relation; ended: string | undefined },
): string {
  const [arrivals, past] = [of.arrivals.sql, of.past.sql]
  const over = `(SELECT * FROM ${past} WHERE valid_to IS NOT NULL)`
  // What is known to be gone since then ends it again, unless its key has come back.
  const ends = of.ended
    ? rows.antiJoin(over, `(${of.ended})`, { using: `${keys}, valid_from` })
    : over
  const all = rows.union([
    `SELECT ${own}, _loaded_at, _batch, _kind, valid_from, _ends, 2 AS _rank FROM ${arrivals}`,
    `SELECT ${own}, _loaded_at, _batch, 'valid' AS _kind, valid_from, valid_to AS _ends, 1 AS _rank FROM ${past}`,
    ...(of.ended ? [`SELECT *, 'delete' AS _kind, 1 AS _rank FROM (${of.ended})`] : []),
    `SELECT ${keys}, 'end' AS _kind, valid_to AS valid_from, 0 AS _rank FROM ${ends}`,
  ])
  const at = `PARTITION BY ${keys}, valid_from`
  const order = 'ORDER BY _rank > 0 DESC, _batch DESC NULLS LAST, _rank DESC, _kind DESC'
  const first = (column: string) => `first_value(${column}) OVER (${at} ${order})`
  const ranked = `SELECT *, row_number() OVER (${at} ${order}) AS _nth,
    row_number() OVER (${at}, _kind = 'valid' ${order}) AS _nth_of_kind, ${first('_kind')} AS _first,
    CASE ${first('_rank')} WHEN 2 THEN ${first('_ends')} ELSE max(CASE _rank WHEN 1 THEN _ends END) OVER (${at}) END AS _end
    FROM (${all})`
  const kept = `SELECT * FROM (${ranked}) WHERE _nth = 1
    OR (_kind = 'valid' AND _nth_of_kind = 1 AND _first = 'delete' AND _end IS NOT NULL)`
  const next = `lead(valid_from) OVER (PARTITION BY ${keys} ORDER BY valid_from, _nth)`
  return `SELECT *, CASE WHEN _nth = 1 OR _next < _end THEN _next ELSE _end END AS valid_to
    FROM (SELECT *, ${next} AS _next FROM (${kept}))`
}
