import type { Field } from '../../define/types/column-type.js'

type Row = Readonly<Record<string, string | null>>

/** Sums of floating point depend on the order of rows in their last digits. */
const NEAR = 1e-9

/**
 * In words how rows that were computed anew differ from those that were there; `undefined`: not.
 */
export function differing(
  fields: readonly Field[],
  stored: readonly Row[],
  computed: readonly Row[],
): string | undefined {
  const left = [...computed]
  for (const row of stored) {
    const at = left.findIndex((other) => fields.every((field) => isSame(field, row, other)))
    if (at >= 0) {
      left.splice(at, 1)
      continue
    }
    const [near] = left
    const field = near && fields.find((one) => !isSame(one, row, near))
    if (!near || !field) return 'the row is not there'
    return `${field.name} is ${near[field.name] ?? 'NULL'} and not ${row[field.name] ?? 'NULL'}`
  }
  return left.length > 0 ? 'there are more rows' : undefined
}

function isSame({ name, type }: Field, row: Row, other: Row): boolean {
  const [a, b] = [row[name] ?? null, other[name] ?? null]
  if (a === b) return true
  if (a === null || b === null || (type.kind !== 'double' && type.kind !== 'float')) return false
  const [x, y] = [Number(a), Number(b)]
  return Math.abs(x - y) <= NEAR * Math.max(Math.abs(x), Math.abs(y))
}
