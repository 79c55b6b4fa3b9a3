import type { Silver } from '../../define/model.js'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { Field } from '../../define/types/column-type.js'
import { fieldsOfShape } from '../../define/types/schema.js'
import { count } from '../../engine/count.js'
import type { Relation, Session } from '../../engine/engine.js'
import type { DataFile } from '../../iceberg/spec/manifest.js'
import { ListedTable, type TableVersion } from '../../iceberg/version.js'
import type { StepContext } from '../../step/context.js'
import { tableFiles } from '../../step/table-files.js'
import type { LostPlaces } from '../../step/task/output.js'
import { writeTable } from '../../step/write-table.js'
import { havePlaces } from '../keys.js'
import type { Work } from '../stages.js'

/*
 * What parts of a step hand to each other lies in files in the lake's scratch place, under names
 * that begin with the run's and that no other attempt has. Nothing leads to them once the step is
 * done; a vacuum finds those that were left behind.
 */

/** A kind of rows that parts hand on; both sides know their columns. */
export interface Scratch {
  name: string
  columns: readonly Field[]
}

const places: readonly Field[] = [
  { name: '_batch', type: { kind: 'string' } },
  { name: '_source_file', type: { kind: 'string' } },
  { name: '_source_line', type: { kind: 'bigint' } },
  { name: '_kind', type: { kind: 'string' } },
]

const strings = { kind: 'list', element: { kind: 'string' } } as const

/**
 * Rows that are no rows of the table and yet have a say about a key: by `_kind` those that delete
 * it, that are `invalid` where that takes it away, or `bad`, the newest row of their key as far as
 * their group knows. Where rows have no places, all columns settle which is newer.
 */
export function othersOf(dataset: Silver): Scratch {
  return {
    name: 'others',
    columns: [
      ...comparedColumns(dataset),
      ...places,
      { name: '_group', type: { kind: 'int' } },
      { name: '_reasons', type: strings },
      { name: '_raw', type: { kind: 'string' } },
    ],
  }
}

/** The columns that say which of two rows of a key is newer, with the key. */
export function comparedColumns(dataset: Silver): Field[] {
  const fields = fieldsOfShape(dataset.schema.shape as never)
  const { key, cursor } = dataset
  return havePlaces(dataset)
    ? fields.filter(({ name }) => key.includes(name) || name === cursor)
    : [...fields]
}

/** All versions that rows are. */
export function versionsOf({ schema }: Silver): Scratch {
  return { name: 'versions', columns: [...fieldsOfShape(schema.shape as never), ...places] }
}

/** Places of rows in data files. */
const lost: Scratch = {
  name: 'places',
  columns: [
    { name: 'file', type: { kind: 'string' } },
    { name: 'row', type: { kind: 'bigint' } },
  ],
}

type Place = Pick<StepContext, 'storage'>

function scratchTable({ storage }: Place, { name, columns }: Scratch): TableVersion {
  return ListedTable.empty(storage, `scratch/${name}`).reshape({ columns, partitions: [] })
}

export const namesOf = ({ columns }: Scratch) =>
  columns.map(({ name }) => quoteName(name)).join(', ')

/** SQL for no places of rows. */
export const noPlaces =
  'SELECT CAST(NULL AS VARCHAR) AS _data_file, CAST(NULL AS BIGINT) AS _data_row WHERE false'

/** SQL for no value of a list of reasons. */
export const noReasons = ({ dialect: { values } }: Session) =>
  `CAST(NULL AS ${values.type(strings)})`

export async function writeScratch(
  context: StepContext,
  session: Session,
  scratch: Scratch,
  rows: string,
): Promise<readonly DataFile[]> {
  const version = scratchTable(context, scratch)
  const work = { name: scratch.name, version, rows, removed: new Set<string>() }
  return (await writeTable(context, session, work)).added
}

/** SQL for rows that parts have handed on. */
export function scratchRows(
  context: Place,
  session: Session,
  scratch: Scratch,
  files: readonly DataFile[],
): string {
  const table = scratchTable(context, scratch)
  const tasks = files.map((file) => ({ file, spec: 0, deletes: [] }))
  return session.tables.scan(table.schema, tableFiles(context.storage, table, tasks))
}

/** The paths of such files in storage. */
export function scratchPaths(context: Place, files: readonly DataFile[]): string[] {
  const table = scratchTable(context, lost)
  return files.map(({ path }) => table.pathOf(path))
}

/**
 * Hands on which rows go.
 *
 * @param leaving `_data_file` and `_data_row` of each.
 * @param files the data files that they may be in.
 */
export async function writePlaces(
  { context, session }: Pick<Work, 'context' | 'session'>,
  table: TableVersion,
  leaving: Relation,
  files: readonly DataFile[],
): Promise<LostPlaces | undefined> {
  if ((await count(session, `SELECT count(*) AS n FROM ${leaving.sql}`)) === 0) return undefined
  // Files are named otherwise where engines find them elsewhere.
  const found = await session.materialize(
    `SELECT file, _data_row AS row FROM ${leaving.sql} JOIN ${named(context, session, table, files)} ON name = _data_file`,
  )
  const rows = await session.rows(`SELECT file, count(*) AS n FROM ${found.sql} GROUP BY file`)
  return {
    places: await writeScratch(context, session, lost, `SELECT file, row FROM ${found.sql}`),
    rows: Object.fromEntries(rows.map(({ file, n }) => [String(file), Number(n)])),
  }
}

/** The other way: `_data_file` and `_data_row` of the rows of some files that go. */
export function placesIn(
  { context, session }: Pick<Work, 'context' | 'session'>,
  table: TableVersion,
  handedOn: readonly DataFile[],
  files: readonly DataFile[],
): Promise<Relation> {
  return session.materialize(
    `SELECT name AS _data_file, row AS _data_row FROM (${scratchRows(context, session, lost, handedOn)}) AS p
     JOIN ${named(context, session, table, files)} ON p.file = f.file`,
  )
}

/** SQL for data files, `file` as metadata name them and `name` as the engine does. */
function named(
  { storage }: StepContext,
  session: Session,
  table: TableVersion,
  files: readonly DataFile[],
): string {
  const rows = files.map(({ path }) => {
    const name = session.tables.fileName(storage.locate(table.pathOf(path)))
    return `(${quoteText(path)}, ${quoteText(name)})`
  })
  return `(VALUES ${rows.join(', ')}) AS f(file, name)`
}
