import type { TableState } from '../../log/commit.js'
import { ownValue } from '../../own-value.js'

type Retention = TableState['retention']

/** A column that has said how old rows are, and before which of its times rows have gone. */
interface ExpiredBy {
  column: string
  expiredBefore: string
}

/** How old rows are is to be seen by the next run. */
export const LONG_AGO = new Date(0).toISOString()

/** By which columns rows of a table have gone, also by those of an earlier `keep`. */
export function expiredBy(retention: Retention): ExpiredBy[] {
  if (!retention) return []
  const { column, expiredBefore, earlier = [] } = retention
  return expiredBefore ? [{ column, expiredBefore }, ...earlier] : [...earlier]
}

/** Before which time rows of a table have gone by a column. */
export const expiredBefore = (retention: Retention, column: string): string | undefined =>
  expiredBy(retention).find((one) => isSame(one.column, column))?.expiredBefore

/**
 * What the log says of a table's rows that expire by a column. What has gone before stays gone: the
 * time does not go back, and those of other columns stay.
 */
export function retentionAfter(
  before: Retention,
  column: string,
  { oldest, until }: { oldest?: string | undefined; until?: string | undefined },
): NonNullable<Retention> {
  const known = expiredBefore(before, column)
  const isLater = until && !(known && Date.parse(known) > Date.parse(until))
  const last = isLater ? until : known
  const earlier = expiredBy(before).filter((one) => !isSame(one.column, column))
  return {
    column,
    ...(oldest ? { oldest } : {}),
    ...(last ? { expiredBefore: last } : {}),
    ...(earlier.length > 0 ? { earlier } : {}),
  }
}

/** The same of a table whose rows stay from now on. */
export function retentionWithout(before: Retention): Retention {
  const [first] = expiredBy(before)
  return first && retentionAfter(before, first.column, { oldest: LONG_AGO })
}

/** What is said of a table whose columns have new names, by the old ones. */
export function retentionRenamed(
  retention: Retention,
  renamed: Readonly<Record<string, string>> = {},
): Retention {
  if (!retention) return undefined
  const name = <T extends { column: string }>(one: T) => ({
    ...one,
    column: ownValue(renamed, one.column) ?? one.column,
  })
  const { earlier } = retention
  return { ...name(retention), ...(earlier ? { earlier: earlier.map(name) } : {}) }
}

const isSame = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()
