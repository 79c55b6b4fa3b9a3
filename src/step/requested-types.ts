import type { z } from 'zod'
import type { AnyDataset, AnyInput, Bronze, Silver } from '../define/model.js'
import { sqlType } from '../define/types/sql-type.js'
import { ownValue } from '../own-value.js'
import { valueType } from '../quality/raw.js'

const MOMENT = sqlType({ kind: 'timestamptz' })

/**
 * The types in which silver datasets read columns of a bronze one, by their names in lower case:
 * columns that are best kept as values. Those that are read in several types are left out, and so
 * are moments where they would have to be compared with their texts, which costs more than it
 * saves.
 */
export function requestedTypes(
  datasets: readonly AnyDataset[],
  bronze: Bronze,
  moments = false,
): ReadonlyMap<string, string> {
  const readers = datasets.filter(
    (dataset): dataset is Silver =>
      dataset.tier === 'silver' && dataset.from.some((input) => isSameBronze(input, bronze)),
  )
  const found = new Map<string, string | undefined>()
  for (const reader of readers)
    for (const [column, type] of columnTypes(reader)) {
      const name = column.toLowerCase()
      found.set(name, found.has(name) && found.get(name) !== type ? undefined : type)
    }
  const isWanted = (entry: [string, string | undefined]): entry is [string, string] =>
    entry[1] !== undefined && (moments || entry[1] !== MOMENT)
  return new Map([...found].filter(isWanted))
}

/** On a branch it may be read from another source. */
const isSameBronze = (input: AnyInput, { name }: Bronze) =>
  input.tier === 'bronze' && input.name === name

/** Columns that a silver dataset reads as they are, with the engine's types of their values. */
export function columnTypes({ schema, select }: Silver): [column: string, type: string][] {
  return Object.entries(schema.shape).flatMap(([name, column]) => {
    const chosen = ownValue(select, name) ?? name
    const type = valueType(column as z.ZodType)
    return typeof chosen === 'string' && type !== undefined ? [[chosen, type] as const] : []
  }) as [string, string][]
}
