import type { AnyInput, Bronze, Silver } from '../define/model.js'
import type { FilesSource } from '../define/source.js'
import { quoteName } from '../define/sql/sql.js'
import type { ColumnType } from '../define/types/column-type.js'
import { fieldsOfShape } from '../define/types/schema.js'
import type { Session } from '../engine/engine.js'

/** Whether a dataset's rows can take keys away. */
export function removesKeys({ deleteWhen, onInvalidUpdate }: Silver): boolean {
  return deleteWhen !== undefined || onInvalidUpdate === 'remove'
}

/** Whether an input says of keys that they are gone from its source, where it was found. */
export function comparesKeys(input: AnyInput): boolean {
  return input.tier === 'bronze' && input.from.kind === 'database' && input.from.compareKeys
}

/** What no two rows of bronze have in common, where none of them share a line. */
export const ROW_ID = '_source_line, _source_file, _batch'

/** Whether rows are told apart by where they were read. */
export function havePlaces({ from }: Silver): boolean {
  const [only] = from
  return from.length === 1 && only?.tier === 'bronze' && !mayShareLines(only.from)
}

/** Whether rows of its inputs may stand on one line, so that nothing tells which lies behind. */
export const shareLines = ({ from }: Silver): boolean =>
  from.some((one) => one.tier === 'bronze' && mayShareLines(one.from))

/** Whether several rows of a source may stand on one line, as those of a JSON document. */
function mayShareLines(source: Bronze['from']): boolean {
  switch (source.kind) {
    case 'files':
      return [source, ...Object.values(source.readers ?? {})].some(isDocument)
    case 'inbox':
      return Object.values(source.readers).some(isDocument)
    case 'http':
      return source.format !== 'csv' && source.format !== 'jsonl'
    default:
      return false
  }
}

const isDocument = ({ layout }: FilesSource) =>
  layout?.kind === 'xml' || (layout?.kind === 'json' && !layout.lines)

/**
 * SQL that rows of two relations have the same place. One number is quick to compare, texts that
 * are looked at where it is equal cost nothing.
 */
export function samePlace(a: string, b: string): string {
  const same = (column: string) =>
    `${a}.${column} <= ${b}.${column} AND ${a}.${column} >= ${b}.${column}`
  return `${a}._source_line = ${b}._source_line AND ${same('_source_file')} AND ${same('_batch')}`
}

export const keysOf = (dataset: Silver) => dataset.key.map(quoteName)

/**
 * SQL over a row whether its key is in a bucket: equal keys are in the same one, whatever types
 * hold them.
 */
export function bucketOf(
  session: Session,
  { key, schema }: Silver,
  { index, of }: { index: number; of: number },
): string | undefined {
  if (of < 2) return undefined
  const { values } = session.dialect
  const fields = fieldsOfShape(schema.shape as never)
  const typed = key.map((name) => {
    const type = fields.find((field) => field.name === name)?.type as ColumnType
    return `CAST(${quoteName(name)} AS ${values.type(type)})`
  })
  return `${values.hash(...typed)} % ${of} = ${index}`
}

/** SQL for those rows of a query that are in a bucket. */
export const inBucket = (sql: string, bucket: string | undefined) =>
  bucket ? `SELECT * FROM (${sql}) WHERE ${bucket}` : sql

/** The columns of keyed rows: key, cursor and place. */
export function keyedColumns({ key, cursor }: Silver): string {
  return [...new Set([...key, ...(cursor ? [cursor] : [])].map(quoteName)), ROW_ID].join(', ')
}

/** The order that decides between rows of one key which have places. */
export function newestPlaceFirst({ cursor }: Silver): string {
  const places = ROW_ID.split(', ').reverse()
  return [
    ...(cursor ? [`${quoteName(cursor)} DESC NULLS LAST`] : []),
    ...places.map((name) => `${name} DESC`),
  ].join(', ')
}

/** The order that decides between rows of one key. */
export function newestFirst(dataset: Silver): string {
  // Columns at the end settle ties between rows that have no lineage.
  const rest = Object.keys(dataset.schema.shape).filter((name) => name !== dataset.cursor)
  return [
    newestPlaceFirst(dataset),
    ...rest.map((name) => `${quoteName(name)} DESC NULLS LAST`),
  ].join(', ')
}

/** SQL that row `a` is newer than row `b` of its key, by cursor and batch. */
export function newer(dataset: Silver, a: string, b: string): string {
  const batch = `coalesce(${a}._batch > ${b}._batch, false)`
  if (!dataset.cursor) return batch
  const cursor = quoteName(dataset.cursor)
  return `CASE WHEN ${a}.${cursor} IS NOT DISTINCT FROM ${b}.${cursor} THEN ${batch}
    WHEN ${a}.${cursor} IS NULL THEN false WHEN ${b}.${cursor} IS NULL THEN true
    ELSE ${a}.${cursor} > ${b}.${cursor} END`
}
