import type { RemoteColumn } from '../../source/database/reader.js'

/** How a column of a source differs from what it was. */
export interface Change {
  reason: string
}

/**
 * Compares the columns of a source with those it had; a column that only has another name is one
 * change.
 */
export function compareColumns(
  before: readonly RemoteColumn[],
  now: readonly RemoteColumn[],
): Change[] {
  const was = new Map(before.map((column) => [column.name, column]))
  const is = new Map(now.map((column) => [column.name, column]))
  const gone = before.filter(({ name }) => !is.has(name))
  const fresh = now.filter(({ name }) => !was.has(name))
  const renamed = new Map(
    gone.flatMap((old) => {
      const found = fresh.find(({ id }) => id !== undefined && id === old.id)
      return found ? [[old, found] as const] : []
    }),
  )
  const news = new Set(renamed.values())
  return [
    ...[...renamed].map(([old, { name }]) => `column '${old.name}' is now called '${name}'`),
    ...gone.filter((c) => !renamed.has(c)).map(({ name }) => `column '${name}' was removed`),
    ...fresh
      .filter((c) => !news.has(c))
      .map(({ name, type }) => `column '${name}' (${type}) is new`),
    ...now.flatMap(({ name, type }) => {
      const old = was.get(name)
      return old && old.type !== type
        ? [`column '${name}' is now ${type} instead of ${old.type}`]
        : []
    }),
  ].map((reason) => ({ reason }))
}
