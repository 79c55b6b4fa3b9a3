import { quoteName, quoteText } from '../../../define/sql/sql.js'
import { sqlType } from '../../../define/types/sql-type.js'
import { type IcebergType, type Schema, toColumnType } from '../../../iceberg/spec/types.js'
import type { Staging } from '../../../storage/staging.js'
import type { DeleteFile, TableFile } from '../../engine.js'
import { fileType } from '../../file-type.js'
import { fileList } from '../paths.js'
import { typeByNames, valueByNames } from './by-names.js'
import { chainsOf, isPositions, type Since, valueJoins } from './value-deletes.js'

interface Column {
  id: number
  name: string
  type: IcebergType
  /** Its type in the files. */
  sql: string
}

/** What the engine calls the columns that say where a row lies. A table may have such ones, too. */
const PLACES: readonly string[] = ['filename', 'file_row_number']

/** SQL for the rows of an Iceberg table's files, read by field id; deleted rows are left out. */
export function tableSql(
  staging: Staging,
  schema: Schema,
  files: readonly TableFile[],
  named: boolean,
): string {
  const columns = schema.fields.map(({ id, name, type }) => {
    return { id, name, type, sql: fileType(type), shown: sqlType(toColumnType(type)) }
  })
  if (files.length === 0) {
    const nulls = columns.map((c) => `CAST(NULL AS ${c.shown}) AS ${quoteName(c.name)}`)
    return `SELECT ${[...nulls, ...(named ? [`'' AS _data_file, 0 AS _data_row`] : [])].join(', ')} WHERE false`
  }
  const isHidden = columns.some(({ name }) => PLACES.includes(name.toLowerCase()))
  const places = named ? ['filename AS _data_file', 'file_row_number AS _data_row'] : []
  const chains = chainsOf(files)
  const parts = groups(files, chains).map((group) => {
    const isNamed = named || hasDeletes(group)
    const isAside = isNamed && isHidden
    const read = isAside ? columns.map((c) => ({ ...c, name: `c${c.id}` })) : columns
    const { joins, conditions } = conditionsOf(staging, group, read, chains)
    const values = columns.map(({ name, sql, shown }, i) => {
      const column = quoteName(read[i]?.name ?? name)
      const [as, from] = [quoteName(name), joins ? `_d.${column}` : column]
      const value = sql === shown ? from : `CAST(${from} AS ${shown})`
      return value === as ? as : `${value} AS ${as}`
    })
    const locations = group.map((file) => file.location)
    const byId = group.every(({ plain }) => plain) && !isAside ? undefined : read
    const [first] = group
    const reader = first?.names
      ? readByNames(staging, read, first, isNamed)
      : readSql(staging, byId, locations, isNamed)
    const where = conditions.length > 0 ? ` WHERE ${conditions.join('\n  AND ')}` : ''
    return `SELECT ${[...values, ...places].join(', ')} FROM ${reader} AS _d${joins}${where}`
  })
  return parts.join('\nUNION ALL\n')
}

const hasDeletes = (files: readonly TableFile[]) =>
  files.some(({ deletes = [], only }) => deletes.length > 0 || only)

/**
 * Files that are read together: those without deletes, and others by the chain of deletes of values
 * that are about them.
 */
function groups(files: readonly TableFile[], chains: ReadonlyMap<TableFile, Since>): TableFile[][] {
  const found = new Map<string, TableFile[]>()
  const all = [...new Set([...chains.values()].map(({ chain }) => chain))]
  const numbers = new Map(all.map((chain, i) => [chain, String(i)]))
  for (const file of files) {
    const { deletes = [], only } = file
    const chain = chains.get(file)?.chain
    const kinds = [only ? 'only' : '', deletes.some(isPositions) ? 'positions' : '']
    // Types differ from file to file where they are not told by ids.
    const alone = file.names ? [file.location] : []
    const after = chain ? [numbers.get(chain)] : []
    const key = [...alone, ...kinds, ...after].filter((part) => part !== '').join('\n')
    found.set(key, [...(found.get(key) ?? []), file])
  }
  return [...found.values()]
}

/**
 * SQL that reads files: columns by their field ids, or all as they are.
 *
 * @param named with the place of each row.
 */
function readSql(
  staging: Staging,
  columns: readonly Omit<Column, 'type'>[] | undefined,
  locations: readonly string[],
  named = false,
): string {
  const byId = columns?.map(
    (c) => `${c.id}: {name: ${quoteText(c.name)}, type: ${quoteText(c.sql)}, default_value: NULL}`,
  )
  const options = [
    ...(byId ? [`schema = MAP {${byId.join(', ')}}`] : []),
    'hive_partitioning = false',
    ...(named ? ['filename = true'] : []),
    // By field ids it is there without being asked for, also where files have a column of its name.
    ...(named && !columns ? ['file_row_number = true'] : []),
  ]
  return `read_parquet(${fileList(staging, locations)}, ${options.join(', ')})`
}

/**
 * SQL that reads a file by its field ids, or by names where it has none (spec, Column Projection).
 * Only one of both gives rows.
 */
function readByNames(
  staging: Staging,
  columns: readonly Column[],
  { location, names: inFile = {} }: TableFile,
  named: boolean,
): string {
  const locations = [location]
  const places = named ? ['filename', 'file_row_number'] : []
  const own = columns.map(({ name }) => quoteName(name))
  const found = columns.map((column) => {
    const value = valueByNames(column, (name) => quoteName(name), inFile)
    return `CAST(${value} AS ${column.sql}) AS ${quoteName(column.name)}`
  })
  // A file may lack some of them, and of the fields within them.
  const nulls = columns.flatMap(({ id, type }) =>
    (inFile[id] ?? []).map(
      (one) => `CAST(NULL AS ${typeByNames(type, inFile)}) AS ${quoteName(one)}`,
    ),
  )
  const plain = readSql(staging, undefined, locations, named)
  const all =
    nulls.length === 0
      ? plain
      : `(SELECT * FROM ${plain} UNION ALL BY NAME SELECT ${nulls.join(', ')} WHERE false)`
  const ids = `(SELECT count(field_id) > 0 FROM parquet_schema(${fileList(staging, locations)}))`
  return `(SELECT ${[...own, ...places].join(', ')} FROM ${readSql(staging, columns, locations, named)} WHERE ${ids}
    UNION ALL SELECT ${[...found, ...places].join(', ')} FROM ${all} WHERE NOT ${ids})`
}

/**
 * What a row `_d` must meet to be read (spec, Row-level Deletes), and what it is joined with for
 * that.
 *
 * @param read columns as they are called in it.
 */
function conditionsOf(
  staging: Staging,
  files: readonly TableFile[],
  read: readonly Column[],
  chains: ReadonlyMap<TableFile, Since>,
): { joins: string; conditions: string[] } {
  const { locations, joins } = valueJoins(staging, files, chains, {
    nameOf: (id, name) => read.find((one) => one.id === id)?.name ?? name,
    readSql: (columns, of) => readSql(staging, columns, of, true),
  })
  const lists = new Set(files.map(({ deletes = [] }) => deletes))
  const positions = [...lists].flatMap((list) => list.filter(isPositions))
  const only = files.flatMap((file) => file.only ?? [])
  const others = files.filter((file) => file.foreign && !file.names)
  // Deletes by values are others' always: of Moraine's own all list positions.
  const foreign = [...others.map(({ location }) => location), ...locations]
  const conditions = [
    ...(foreign.length > 0 ? [haveIds(staging, foreign)] : []),
    ...(files[0]?.only ? [only.length > 0 ? isListed(staging, files, only) : 'false'] : []),
    ...(positions.length > 0 ? [`NOT ${isListed(staging, files, positions)}`] : []),
  ]
  return { joins, conditions }
}

/**
 * The condition that files have field ids: a column that is not found by its id is NULL in each
 * row, which nobody would notice; in a file of deletes, rows without a value would go.
 */
function haveIds(staging: Staging, locations: readonly string[]): string {
  const files = `parquet_schema(${fileList(staging, locations)})`
  const without = `SELECT file_name FROM ${files} GROUP BY file_name HAVING count(field_id) = 0`
  const why = quoteText(`${WITHOUT_IDS}: `)
  return `(SELECT CASE WHEN min(file_name) IS NULL THEN true ELSE error(${why} || min(file_name)) END FROM (${without}))`
}

const WITHOUT_IDS =
  'another program wrote this file without field ids, by which columns are found; have its engine write the rows again'

/**
 * The condition that lists of positions name a row `_d`. A path is that of one file for ever, so
 * the lists are read as one.
 */
function isListed(
  staging: Staging,
  files: readonly TableFile[],
  lists: readonly DeleteFile[],
): string {
  const locations = [...new Set(lists.map(({ location }) => location))]
  // Lists of positions spell files as the metadata did when they were written.
  const spelt = files.map(
    ({ location, named = location }) =>
      `(${quoteText(named)}, ${quoteText(staging.readPath(location))})`,
  )
  return `EXISTS (SELECT 1 FROM read_parquet(${fileList(staging, locations)}, hive_partitioning = false) AS _p
    JOIN (VALUES ${spelt.join(', ')}) AS _f(spelt, file) ON _p.file_path = _f.spelt
    WHERE _f.file = _d.filename AND _p.pos = _d.file_row_number)`
}
