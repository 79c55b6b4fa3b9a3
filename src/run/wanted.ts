import type { z } from 'zod'
import type { AnyDataset, Bronze, Silver } from '../define/dataset.js'
import { valueType } from '../quality/column.js'

/**
 * The types in which silver datasets read columns of a bronze one, by their names in lower case: columns that
 * are best kept as values. Those that are read in several types are left out.
 */
export function wantedTypes(
  datasets: readonly AnyDataset[],
  bronze: Bronze,
): ReadonlyMap<string, string> {
  const readers = datasets.filter(
    (dataset): dataset is Silver => dataset.tier === 'silver' && dataset.from.includes(bronze),
  )
  const found = new Map<string, string | undefined>()
  for (const reader of readers)
    for (const [column, type] of columnTypes(reader)) {
      const name = column.toLowerCase()
      found.set(name, found.has(name) && found.get(name) !== type ? undefined : type)
    }
  return new Map([...found].filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** Columns that a silver dataset reads as they are, with the engine's types of their values. */
export function columnTypes({ schema, select }: Silver): [column: string, type: string][] {
  return Object.entries(schema.shape).flatMap(([name, column]) => {
    const chosen = Object.hasOwn(select, name) ? select[name] : name
    const type = valueType(column as z.ZodType)
    return typeof chosen === 'string' && type !== undefined ? [[chosen, type] as const] : []
  }) as [string, string][]
}
