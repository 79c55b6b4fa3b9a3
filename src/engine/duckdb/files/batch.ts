import { quoteName, quoteText } from '../../../define/sql/sql.js'
import { wholeType } from '../../../define/types/sql-type.js'
import { ownValue } from '../../../own-value.js'
import { knownOfAll } from '../../../quality/known.js'
import type { Staging } from '../../../storage/staging.js'
import type { BatchParts, BronzeFile } from '../../engine.js'
import { fileList } from '../paths.js'
import { formatOf, heldTable } from './formats.js'

/** SQL for the rows of bronze files: lineage, and every column as the text that came. */
export function batchSql(staging: Staging, files: readonly BronzeFile[]): string {
  return union(files, (file) => fileSql(staging, file, []))
}

/** SQL for the rows of one file as it keeps them, with all of their lineage. */
export function keptSql(staging: Staging, file: BronzeFile): string {
  const { location, origin, firstLine, numbered: isAsked } = file
  const isParquet = formatOf(location) === 'parquet'
  const isNumbered = !isParquet || firstLine !== undefined || isAsked
  const numbered = isNumbered ? ', file_row_number = true' : ''
  const rows = isParquet
    ? `read_parquet(${fileList(staging, [location])}, hive_partitioning = false${numbered})`
    : heldTable(staging, location)
  const columns = [
    `*${isNumbered ? ' EXCLUDE (file_row_number)' : ''}`,
    ...originSql(origin),
    ...(firstLine === undefined ? [] : [`file_row_number + ${firstLine} AS _source_line`]),
    ...(isAsked ? ['file_row_number AS _row_of_file'] : []),
  ]
  return `SELECT ${columns.join(', ')} FROM ${rows}`
}

const originSql = (origin: BronzeFile['origin']) =>
  origin
    ? [`${quoteText(origin.batch)} AS _batch`, `${quoteText(origin.file)} AS _source_file`]
    : []

/**
 * The same in parts, where columns are wanted in types: rows of files that keep those columns as
 * such values have the i-th of them also as `_v<i>`, but for the few whose texts the values do not
 * give back; these and the rows of all other files are texts alone.
 */
export function batchParts(
  staging: Staging,
  files: readonly BronzeFile[],
  requestedTypes: ReadonlyMap<string, string>,
): BatchParts {
  const kinds = (file: BronzeFile) =>
    asWanted(file, requestedTypes).map((name) => [name, ownValue(file.values, name)])
  const first = files.find((file) => asWanted(file, requestedTypes).length > 0)
  const model = first && asWanted(first, requestedTypes)
  const same = (file: BronzeFile) => `${kinds(file)}` === `${first && kinds(first)}`
  const typed = model ? files.filter(same) : []
  const some = typed.filter((file) => (file.nonCanonical ?? 0) > 0)
  const others = files.filter((file) => !typed.includes(file))
  const values = (model ?? []).map((name, i) => `${quoteName(name)} AS _v${i}`)
  const rows = (part: readonly BronzeFile[]) =>
    part.reduce((sum, file) => sum + (file.rows ?? 0), 0)
  const nonCanonical = some.reduce((sum, file) => sum + (file.nonCanonical ?? 0), 0)
  const textsAlone = (file: Alike) => fileSql(staging, file, [], `${rawValues(file)} IS NOT NULL`)
  return {
    ...(some.some(({ range }) => range) ? { estimated: true } : {}),
    ...(typed.length > 0
      ? {
          values: {
            sql: union(typed, (file) => fileSql(staging, file, values, canonicalAlone(file))),
            columns: (model ?? []).map((name) => name.toLowerCase()),
            rows: rows(typed) - nonCanonical,
            known: knownOfAll(typed.map((file) => file.known)),
          },
        }
      : {}),
    ...(others.length > 0 ? { texts: { sql: batchSql(staging, others), rows: rows(others) } } : {}),
    ...(some.length > 0
      ? { nonCanonical: { sql: union(some, textsAlone), rows: nonCanonical } }
      : {}),
  }
}

/** The column of texts that the values of a file do not give back. */
const rawValues = (file: BronzeFile) => file.rawValues ?? '_raw_values'

const canonicalAlone = (file: BronzeFile) =>
  file.nonCanonical ? `${rawValues(file)} IS NULL` : undefined

/**
 * The columns that a file keeps as values of the types that are wanted, or as the whole numbers
 * that they are, as it spells them.
 */
function asWanted(
  { values = {}, madeOf }: BronzeFile,
  wanted: ReadonlyMap<string, string>,
): string[] {
  // Which column is which is a matter of texts there.
  if (madeOf) return []
  return Object.keys(values).filter((name) => {
    const type = wanted.get(name.toLowerCase())
    return type !== undefined && (type === values[name] || wholeType(type) === values[name])
  })
}

/** Files that are laid out alike are read together. */
function union(files: readonly BronzeFile[], sql: (file: Alike) => string): string {
  const groups = new Map<string, Alike>()
  for (const file of files) {
    const { values, nonCanonical, clean, firstLine, origin, superseded, madeOf, range } = file
    const { numbered } = file
    const format = formatOf(file.location)
    const texts = nonCanonical === undefined ? 'none' : nonCanonical > 0 && rawValues(file)
    const alike = [format, values, texts, clean, firstLine, origin, superseded, madeOf, range]
    const key = JSON.stringify([...alike, numbered])
    const group = groups.get(key)
    if (group) group.locations.push(file.location)
    else groups.set(key, { ...file, locations: [file.location] })
  }
  return [...groups.values()].map(sql).join('\nUNION ALL BY NAME\n')
}

/** Columns from which on a table is wide. */
const MANY = 64

type Alike = BronzeFile & { locations: string[] }

function supersededSql(superseded: NonNullable<BronzeFile['superseded']>): string {
  if (typeof superseded === 'boolean') return `${superseded}`
  return `coalesce(_source_file IN (${superseded.map(quoteText).join(', ')}), false)`
}

/** @param where which of the rows are meant, where not all of the range are. */
function fileSql(staging: Staging, file: Alike, more: readonly string[], where?: string): string {
  const { locations, values = {}, nonCanonical, clean, firstLine, origin, range } = file
  const { superseded = false } = file
  const isNumbered = firstLine !== undefined || range !== undefined || file.numbered
  const numbered = isNumbered ? ', file_row_number = true' : ''
  const reader =
    formatOf(file.location) === 'parquet'
      ? `read_parquet(${fileList(staging, locations)}, union_by_name = true, hive_partitioning = false${numbered})`
      : `(${locations.map((held) => `SELECT * FROM ${heldTable(staging, held)}`).join(' UNION ALL BY NAME ')})`
  const names = Object.keys(values)
  const line = file.numbered ? 'file_row_number' : `file_row_number + ${firstLine}`
  const texts = names.map((name, i) => {
    const own = `CAST(${quoteName(name)} AS VARCHAR)`
    const text = nonCanonical
      ? `CASE WHEN ${rawValues(file)} IS NULL THEN ${own} ELSE json_extract_string(${rawValues(file)}, ${i}) END`
      : own
    return `${text} AS ${quoteName(name)}`
  })
  const hidden = [
    ...(nonCanonical === undefined ? [] : [rawValues(file)]),
    ...(isNumbered ? ['file_row_number'] : []),
    ...(file.numbered && firstLine === undefined ? ['_source_line'] : []),
  ]
  // To replace a column the engine goes through all that are to be replaced.
  const many = names.length > MANY
  const excluded = many ? [...hidden, ...names.map(quoteName)] : hidden
  const exclude = excluded.length > 0 ? ` EXCLUDE (${excluded.join(', ')})` : ''
  const replace = texts.length > 0 && !many ? ` REPLACE (${texts.join(', ')})` : ''
  const lineage = [
    ...originSql(origin),
    ...(firstLine === undefined && !file.numbered ? [] : [`${line} AS _source_line`]),
    ...(clean ? ['CAST(NULL AS VARCHAR) AS _error', 'CAST(NULL AS VARCHAR) AS _raw'] : []),
    `${supersededSql(superseded)} AS _superseded`,
  ]
  const conditions = [
    ...(where ? [where] : []),
    // Row groups that lie outside of the range are not read.
    ...(range ? [`file_row_number >= ${range.from} AND file_row_number < ${range.to}`] : []),
  ]
  const chosen = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''
  const sql = `SELECT ${[`*${exclude}${replace}`, ...(many ? texts : []), ...lineage, ...more].join(', ')} FROM ${reader}${chosen}`
  return file.madeOf ? renamed(sql, file.madeOf) : sql
}

/**
 * Rows with columns under the names that they have in the dataset. A file may lack those that
 * others of its batch have.
 */
function renamed(sql: string, madeOf: NonNullable<BronzeFile['madeOf']>): string {
  const nothing = (name: string) => `CAST(NULL AS VARCHAR) AS ${quoteName(name)}`
  const parts = [...new Set(Object.values(madeOf).flat())]
  const columns = Object.entries(madeOf).map(([name, [...of]]) => {
    if (of.length === 0) return nothing(name)
    return `coalesce(${of.map(quoteName).join(', ')}) AS ${quoteName(name)}`
  })
  const all = `SELECT ${parts.map(nothing).join(', ')} WHERE false UNION ALL BY NAME ${sql}`
  return `SELECT * EXCLUDE (${parts.map(quoteName).join(', ')}), ${columns.join(', ')} FROM (${all})`
}
