import { type Layer, layers } from './names.js'

/** Databases of Glue by layers. */
export type Databases = Readonly<Record<string, string>>

/** Where `silver.orders` is shown; `undefined` for tables that are for Moraine alone. */
export function placeOf(dataset: string, databases: Databases) {
  const layer = dataset.slice(0, dataset.indexOf('.'))
  if (!layers.includes(layer as Layer)) return undefined
  const table = dataset.slice(layer.length + 1).toLowerCase()
  return { database: databases[layer] as string, table }
}
