import { fullName } from '../../define/dataset.js'
import type { Silver } from '../../define/model.js'
import { quoteName } from '../../define/sql/sql.js'
import { count } from '../../engine/count.js'
import type { Relation, Session } from '../../engine/engine.js'
import type { DataFile } from '../../iceberg/spec/manifest.js'
import { currentSpec } from '../../iceberg/spec/metadata.js'
import type { TableVersion } from '../../iceberg/version.js'
import { tableFiles } from '../../step/table-files.js'
import type { KeysPart } from '../../step/task/task.js'
import { shapedTable, shapeOf } from '../../step/write-table.js'
import { havePlaces, inBucket, keysOf, removesKeys } from '../keys.js'
import type { Target } from '../merge.js'
import { shapeOfRows } from '../merged.js'
import type { Work } from '../stages.js'
import { comparedColumns, noPlaces, othersOf, scratchRows } from './scratch.js'

/** What compares the keys of a bucket. */
export interface KeysWork extends Work {
  target: Target
  part: KeysPart
  /** SQL over a row whether its key is in the bucket; absent where all are. */
  bucket: string | undefined
}

/** What the parts before have written, of the keys of one bucket. */
export interface Compared {
  /** The latest rows of each key of each group, and the same of one group each. */
  rows: Relation
  ofGroups: readonly string[]
  /** Invalid rows that may be the newest of their key. */
  bad: Relation
  hasBad: boolean
  /** Data files among which the rows are. */
  files: readonly DataFile[]
  /** The table that they are of. */
  table: TableVersion
}

/** The latest row of each key over all groups. */
export interface Latest {
  latest: Relation
  /** Rows of data files that lost, of which only places count. */
  lost: string
  /** How many rows lost that are valid, and how many valid ones or deletions. */
  valid: number
  superseded: number
}

/** The rows of a bucket that the groups have written, with the group of each in `_group`. */
export async function comparedRows({
  context,
  session,
  dataset,
  target,
  part: { groups },
  bucket,
}: KeysWork): Promise<Compared> {
  const shape = shapeOf(shapeOfRows(dataset, target))
  const table = await shapedTable(context, fullName(dataset), shape)
  const { 'spec-id': spec } = currentSpec(table.metadata)
  const columns = comparedColumns(dataset).map(({ name }) => quoteName(name))
  const written = groups.map(({ index, data }) => {
    if (data.length === 0) return []
    const tasks = data.map((file) => ({ file, spec, deletes: [] }))
    const files = tableFiles(context.storage, table, tasks)
    const all = inBucket(session.tables.scanWithFiles(table.schema, files), bucket)
    return [
      `SELECT ${columns.join(', ')}, _batch, CAST(NULL AS VARCHAR) AS _source_file, CAST(NULL AS BIGINT) AS _source_line,
       ${index} AS _group, 'valid' AS _kind, _data_file, _data_row FROM (${all})`,
    ]
  })
  const handedOn = groups.flatMap(({ others }) => others)
  const others = await session.materialize(
    inBucket(scratchRows(context, session, othersOf(dataset), handedOn), bucket),
  )
  const shown = `${columns.join(', ')}, _batch, _source_file, _source_line, _group, _kind`
  const bad = await session.view(`SELECT * FROM ${others.sql} WHERE _kind = 'bad'`)
  const taking = `SELECT ${shown}, CAST(NULL AS VARCHAR) AS _data_file, CAST(NULL AS BIGINT) AS _data_row FROM ${others.sql} WHERE _kind <> 'bad'`
  const isTaking = removesKeys(dataset)
  const { union } = session.dialect.rows
  const ofGroups = groups.flatMap(({ index }, i) => {
    const own = [...(written[i] ?? []), ...(isTaking ? [`${taking} AND _group = ${index}`] : [])]
    return own.length > 0 ? [union(own)] : []
  })
  const rows = await session.view(union([...written.flat(), taking]))
  const hasBad = (await count(session, `SELECT count(*) AS n FROM ${bad.sql}`)) > 0
  return { rows, ofGroups, bad, hasBad, files: groups.flatMap(({ data }) => data), table }
}

/**
 * The order that decides between rows of one key. Of rows of one batch, those of later groups lie
 * behind; an invalid row that its group found to be the newest of its key lies behind its others.
 */
export function newestGroupFirst(dataset: Silver): string {
  const { cursor } = dataset
  const rest = havePlaces(dataset)
    ? []
    : Object.keys(dataset.schema.shape).filter((name) => name !== cursor)
  return [
    ...(cursor ? [`${quoteName(cursor)} DESC NULLS LAST`] : []),
    '_batch DESC',
    'CASE WHEN _batch IS NOT NULL THEN _group END DESC',
    `(_kind = 'bad' AND _batch IS NOT NULL) DESC`,
    '_source_file DESC',
    '_source_line DESC',
    ...rest.map((name) => `${quoteName(name)} DESC NULLS LAST`),
  ].join(', ')
}

/** Groups up to which each is compared with those before it: of more, all keys are counted. */
const FEW_GROUPS = 8

/** Keys that several groups have; each has a key once. */
function repeatedKeys(session: Session, dataset: Silver, { rows, ofGroups }: Compared) {
  const list = keysOf(dataset).join(', ')
  const { semiJoin, union } = session.dialect.rows
  if (ofGroups.length > FEW_GROUPS)
    return session.materialize(
      `SELECT ${list} FROM ${rows.sql} GROUP BY ${list} HAVING count(*) > 1`,
    )
  const keys = ofGroups.map((sql) => `SELECT ${list} FROM (${sql})`)
  const again = keys.slice(1).map((later, i) => {
    const before = `(${keys.slice(0, i + 1).join(' UNION ALL ')})`
    return `SELECT ${list} FROM ${semiJoin(before, `(${later})`, { using: list })}`
  })
  const none = `SELECT ${list} FROM ${rows.sql} WHERE false`
  return session.materialize(`SELECT DISTINCT ${list} FROM (${union([...again, none])})`)
}

/** Finds the latest row of each key over all groups, and the others. */
export async function latestOf(
  session: Session,
  dataset: Silver,
  compared: Compared,
): Promise<Latest> {
  const { rows } = compared
  const list = keysOf(dataset).join(', ')
  const { antiJoin, except, qualify, semiJoin, union } = session.dialect.rows
  const { sql: repeated } = await repeatedKeys(session, dataset, compared)
  const isNone = (await count(session, `SELECT count(*) AS n FROM ${repeated}`)) === 0
  if (isNone) return { latest: rows, lost: noPlaces, valid: 0, superseded: 0 }
  const nth = `row_number() OVER (PARTITION BY ${list} ORDER BY ${newestGroupFirst(dataset)})`
  const { sql: ranked } = await session.materialize(
    qualify(
      `*, ${nth} AS _nth`,
      `(SELECT * FROM ${semiJoin(rows.sql, repeated, { using: list })})`,
      'true',
    ),
  )
  const latest = await session.view(
    union([
      `SELECT * FROM ${antiJoin(rows.sql, repeated, { using: list })}`,
      `SELECT ${except(['_nth'])} FROM ${ranked} WHERE _nth = 1`,
    ]),
  )
  const losers = `${ranked} WHERE _nth > 1`
  return {
    latest,
    lost: `SELECT _data_file, _data_row FROM ${losers} AND _kind = 'valid'`,
    valid: await count(session, `SELECT count(*) AS n FROM ${losers} AND _kind = 'valid'`),
    superseded: await count(session, `SELECT count(*) AS n FROM ${losers} AND _kind <> 'invalid'`),
  }
}
