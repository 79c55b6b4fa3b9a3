import { existsSync } from 'node:fs'
import { Trino, trinoFolder, trinoJava } from '../../support/trino.js'
import { type Engine, type LakeAddress, records, selected, withoutKeys } from './engine.js'
import { fromGuide } from './guide.js'

export const trinoParts = [trinoFolder, trinoJava]
export const hasTrino = trinoParts.every((part) => part !== undefined && existsSync(part))

/** Trino with lakes as its catalogs, configured as the guide says. */
export async function startTrino(lakes: Readonly<Record<string, LakeAddress>>): Promise<Engine> {
  const catalogs = Object.entries(lakes).map(([name, lake]) => {
    const files = lake.endpoint === undefined ? 1 : lake.withKeys ? 3 : 2
    return [name, fromGuide('Trino', 0, name, lake) + fromGuide('Trino', files, name, lake)]
  })
  const trino = await Trino.start(Object.fromEntries(catalogs), withoutKeys())
  return {
    run: async (statement) => (await trino.run(statement)).rows,
    read: async (table, where) => {
      const { columns, rows } = await trino.run(selected(table, where))
      return records(
        columns.map(({ name }) => name),
        rows,
      )
    },
    stop: () => trino.stop(),
  }
}
