import { sizeText } from '../../define/size.js'
import { thousands } from '../../define/thousands.js'
import type { ColumnType, Field, ScalarKind } from '../../define/types/column-type.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import type { LogReader } from '../../log/reader.js'
import type { Storage } from '../../storage/storage.js'
import type { Pushed } from '../pushdown.js'

/** What tables that tell of the lake are made of. */
export interface Records {
  storage: Storage
  state: LakeState
  /** The log of the branch that is asked. */
  log: Pick<LogReader, 'entry'>
  /** Throws why nothing more is to be read, where that is so. */
  goesOn: () => void
}

/** A row by the names of its columns; what is missing is NULL. */
export type SystemRow = Readonly<Record<string, unknown>>

/** What will be read of a table. */
export interface PlannedRows {
  bytes: number
  rows: () => AsyncIterable<SystemRow>
}

/** A table that is computed from records of the lake when a query names it. */
export interface SystemTable {
  columns: readonly Field[]
  /**
   * @param conditions what all wanted rows meet, as far as it is certain.
   * @throws MoraineError of kind `limit` for more than may be read.
   */
  plan(records: Records, conditions: readonly Pushed[]): Promise<PlannedRows>
}

/** Types of columns by their names; a list is written as `['string']`. */
export type Types = Readonly<Record<string, Written>>
type Written = ScalarKind | readonly [Written] | { readonly [name: string]: Written }

export const columnsOf = (types: Types): Field[] =>
  Object.entries(types).map(([name, type]) => ({ name, type: typeOf(type) }))

function typeOf(written: Written): ColumnType {
  if (typeof written === 'string') return { kind: written }
  if (isList(written)) return { kind: 'list', element: typeOf(written[0]) }
  return { kind: 'struct', fields: columnsOf(written) }
}

const isList = (written: Written): written is readonly [Written] => Array.isArray(written)

/** Bytes of objects, and how many records in objects of their own, that a query may read. */
const MOST_BYTES = 256 * 2 ** 20
const MOST_RECORDS = 20_000
/** Objects with many records: some thousand a day and server. */
const MOST_OBJECTS = 100_000

/** @throws MoraineError of kind `limit` where objects are too many, or too large. */
export function checkObjects(
  { bytes, count }: { bytes: number; count: number },
  table: string,
  column: string,
): void {
  if (bytes <= MOST_BYTES && count <= MOST_OBJECTS) return
  const [found, most] =
    bytes > MOST_BYTES
      ? [sizeText(bytes), sizeText(MOST_BYTES)]
      : [`${thousands(count)} objects`, thousands(MOST_OBJECTS)]
  throw new MoraineError(
    'limit',
    `The records of ${table} are ${found}, and a query reads at most ${most}`,
    { hint: `Ask for a shorter time: WHERE ${column} >= TIMESTAMP '2026-01-31'` },
  )
}

export function checkRecords(records: number, table: string, condition: string): void {
  if (records <= MOST_RECORDS) return
  throw new MoraineError(
    'limit',
    `${table} has ${records} records, and a query reads at most ${MOST_RECORDS}`,
    { hint: `Ask for fewer: WHERE ${condition}` },
  )
}

/** Reads that are under way at a time. */
const SIDE_BY_SIDE = 32

/** What is read for each of many, in their order. */
export async function* readAll<T, R>(
  all: readonly T[],
  read: (one: T) => Promise<R | undefined>,
  goesOn: () => void = () => {},
): AsyncGenerator<R> {
  for (let at = 0; at < all.length; at += SIDE_BY_SIDE) {
    goesOn()
    const found = await Promise.all(all.slice(at, at + SIDE_BY_SIDE).map(read))
    for (const one of found) if (one !== undefined) yield one
  }
}
