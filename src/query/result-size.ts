import type { ColumnType, Field } from '../define/types/column-type.js'
import type { ResultRow, RowValue } from '../engine/engine.js'

/** Bytes of an object, or a list, without what it holds. */
const OBJECT = 48
/** Bytes of a value of no varying size, with the pointer to it. */
const PLAIN = 24

/**
 * Estimates how many bytes of memory rows take in JavaScript: of columns with values of varying
 * sizes, each value is looked at.
 */
export function sizer(columns: readonly Field[]): (rows: readonly ResultRow[]) => number {
  const varying = columns.filter(({ type }) => varies(type)).map(({ name }) => name)
  const fixed = OBJECT + PLAIN * columns.length
  return (rows) => {
    let bytes = fixed * rows.length
    if (varying.length > 0)
      for (const row of rows) for (const name of varying) bytes += sizeOf(row[name] as RowValue)
    return bytes
  }
}

function varies({ kind }: ColumnType): boolean {
  return !['boolean', 'int', 'bigint', 'float', 'double', 'date', 'time'].includes(kind)
}

function sizeOf(value: RowValue): number {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return 0
  if (typeof value === 'string') return value.length
  if (typeof value === 'bigint') return PLAIN
  if (value instanceof Uint8Array) return OBJECT + value.byteLength
  let bytes = OBJECT
  for (const item of Array.isArray(value) ? value : Object.values(value))
    bytes += PLAIN + sizeOf(item)
  return bytes
}
