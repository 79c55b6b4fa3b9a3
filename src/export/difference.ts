import type { Field } from '../define/types/column-type.js'
import type { Figures } from '../engine/export-io.js'
import { normal } from './record.js'

/**
 * What differs between the lake's figures of rows and those of a target, in words; `undefined`
 * where nothing does. A sum that one of them does not give is not compared.
 */
export function differenceOf(
  columns: readonly Field[],
  lake: Figures,
  target: Figures,
): string | undefined {
  if (lake.rows !== target.rows) return `the lake has ${lake.rows} rows, the target ${target.rows}`
  const [ours, theirs] = [normal(lake).columns, normal(target).columns]
  for (const [i, { name }] of columns.entries()) {
    const [a, b] = [ours[i], theirs[i]]
    if (!a || !b) continue
    if (a.values !== b.values)
      return `column ${name} has ${a.values} values in the lake, ${b.values} in the target`
    if (a.sum !== undefined && b.sum !== undefined && a.sum !== b.sum)
      return `the values of column ${name} differ: they add up to ${a.sum} in the lake, to ${b.sum} in the target`
  }
  return undefined
}
