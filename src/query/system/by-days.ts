import type { Storage } from '../../storage/storage.js'
import { daysOf } from './conditions.js'
import { checkObjects, readAll, type SystemRow, type SystemTable } from './system-table.js'

/** Records that lie in a folder a day, many in an object. */
interface Daily<T extends { size: number }> {
  days: (storage: Storage) => Promise<string[]>
  objects: (storage: Storage, day: string) => Promise<readonly T[]>
  rows: (storage: Storage, object: T) => Promise<SystemRow[]>
}

/** Reads the days that conditions on a column name. */
export function byDays<T extends { size: number }>(
  name: string,
  column: string,
  { days, objects, rows }: Daily<T>,
): SystemTable['plan'] {
  return async ({ storage, goesOn }, conditions) => {
    const wanted = (await days(storage)).filter(daysOf(conditions, column).has)
    const found: T[] = []
    for await (const some of readAll(wanted, (day) => objects(storage, day), goesOn))
      for (const one of some) found.push(one)
    const bytes = found.reduce((sum, { size }) => sum + size, 0)
    checkObjects({ bytes, count: found.length }, `system.${name}`, column)
    return {
      bytes,
      async *rows() {
        for await (const some of readAll(found, (one) => rows(storage, one), goesOn)) yield* some
      },
    }
  }
}
