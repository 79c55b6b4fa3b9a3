import type { Field } from '../../define/types/column-type.js'
import type { ResultRow, RowValue } from '../../engine/engine.js'

/** How two results differ, whatever the order of their rows. */
export interface Difference {
  /** Rows of both. */
  same: number
  /** Rows that only one has, some of them. */
  onlyHere: { rows: number; examples: ResultRow[] }
  onlyThere: { rows: number; examples: ResultRow[] }
}

const EXAMPLES = 5

/** Compares rows by how often each is there. */
export function compareRows(
  here: readonly ResultRow[],
  there: readonly ResultRow[],
  columns: readonly Field[],
): Difference {
  const keyOf = (row: ResultRow) =>
    JSON.stringify(columns.map(({ name }) => textOf(row[name] ?? null)))
  const left = new Map<string, { row: ResultRow; times: number }>()
  for (const row of here) {
    const key = keyOf(row)
    const known = left.get(key)
    if (known) known.times++
    else left.set(key, { row, times: 1 })
  }
  let same = 0
  const onlyThere: Difference['onlyThere'] = { rows: 0, examples: [] }
  for (const row of there) {
    const known = left.get(keyOf(row))
    if (known && known.times > 0) {
      known.times--
      same++
      continue
    }
    onlyThere.rows++
    if (onlyThere.examples.length < EXAMPLES) onlyThere.examples.push(row)
  }
  const lacking = [...left.values()].filter(({ times }) => times > 0)
  const onlyHere = {
    rows: lacking.reduce((sum, { times }) => sum + times, 0),
    examples: lacking.slice(0, EXAMPLES).map(({ row }) => row),
  }
  return { same, onlyHere, onlyThere }
}

/** A value, so that values that are equal and none that are not have the same text. */
function textOf(value: RowValue): unknown {
  if (typeof value === 'bigint') return { n: String(value) }
  if (typeof value === 'number') return { f: Object.is(value, -0) ? '0' : String(value) }
  if (value instanceof Uint8Array) return { b: Buffer.from(value).toString('hex') }
  if (Array.isArray(value)) return value.map(textOf)
  if (value !== null && typeof value === 'object')
    return { o: Object.entries(value).map(([name, inner]) => [name, textOf(inner)]) }
  return value
}
