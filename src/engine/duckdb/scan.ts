import { quoteName, quoteText } from '../../define/sql.js'
import { sqlType } from '../../define/sql-type.js'
import { type Schema, toColumnType } from '../../iceberg/spec/types.js'
import type { DeleteFile, TableFile } from '../engine.js'
import { enginePath } from './write.js'

interface Column {
  id: number
  name: string
  sql: string
}

/** SQL for the rows of an Iceberg table's files, read by field id; deleted rows are left out. */
export function tableSql(schema: Schema, files: readonly TableFile[], named: boolean): string {
  const columns = schema.fields.map(({ id, name, type }) => {
    return { id, name, sql: sqlType(toColumnType(type)) }
  })
  const names = columns.map((c) => quoteName(c.name))
  if (files.length === 0) {
    const nulls = columns.map((c, i) => `CAST(NULL AS ${c.sql}) AS ${names[i]}`)
    return `SELECT ${[...nulls, ...(named ? [`'' AS _data_file`] : [])].join(', ')} WHERE false`
  }
  const selected = named ? [...names, 'filename AS _data_file'] : names
  const parts = [...groups(files)].map(([key, group]) => {
    const deletes = group[0]?.deletes ?? []
    const reader = readSql(
      columns,
      group.map((file) => file.location),
      named || key !== '',
      key !== '',
    )
    const where = deletes.length > 0 ? ` WHERE ${withoutDeleted(group, deletes)}` : ''
    return `SELECT ${selected.join(', ')} FROM ${reader} AS _d${where}`
  })
  return parts.join('\nUNION ALL\n')
}

/** Files that the same deletes are about are read together; most have none. */
function groups(files: readonly TableFile[]): Map<string, TableFile[]> {
  const found = new Map<string, TableFile[]>()
  for (const file of files) {
    const key = (file.deletes ?? []).map(({ location }) => location).join('\n')
    found.set(key, [...(found.get(key) ?? []), file])
  }
  return found
}

function readSql(
  columns: readonly Column[],
  locations: readonly string[],
  named: boolean,
  numbered: boolean,
): string {
  const byId = columns.map(
    (c) => `${c.id}: {name: ${quoteText(c.name)}, type: ${quoteText(c.sql)}, default_value: NULL}`,
  )
  const options = [
    `schema = MAP {${byId.join(', ')}}`,
    'hive_partitioning = false',
    ...(named ? ['filename = true'] : []),
    ...(numbered ? ['file_row_number = true'] : []),
  ]
  return `read_parquet(${fileList(locations)}, ${options.join(', ')})`
}

/** The condition that a row `_d` is not deleted (spec, Row-level Deletes). */
function withoutDeleted(files: readonly TableFile[], deletes: readonly DeleteFile[]): string {
  // Lists of positions spell files as the metadata did when they were written.
  const spelt = files.map(
    ({ location, named = location }) =>
      `WHEN ${quoteText(enginePath(location))} THEN ${quoteText(named)}`,
  )
  const name = `CASE _d.filename ${spelt.join(' ')} END`
  const conditions = deletes.map(({ location, fields }) => {
    if (!fields) {
      return `NOT EXISTS (SELECT 1 FROM read_parquet(${fileList([location])}, hive_partitioning = false) AS _p
        WHERE _p.file_path = ${name} AND _p.pos = _d.file_row_number)`
    }
    const columns = fields.map(({ id, name, type }) => ({ id, name, sql: type }))
    const equal = columns.map(
      ({ name }) => `_e.${quoteName(name)} IS NOT DISTINCT FROM _d.${quoteName(name)}`,
    )
    return `NOT EXISTS (SELECT 1 FROM ${readSql(columns, [location], false, false)} AS _e WHERE ${equal.join(' AND ')})`
  })
  return conditions.join('\n  AND ')
}

/** A list of files in SQL; names are taken literally, never as patterns. */
export function fileList(locations: readonly string[]): string {
  return `[${locations.map((l) => quoteText(escapeGlob(enginePath(l)))).join(', ')}]`
}

function escapeGlob(path: string): string {
  return path.replace(/[*?[]/g, '[$&]')
}
