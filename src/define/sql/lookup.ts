import { callSite } from '../call-site.js'
import type { Row, Silver, Sql } from '../model.js'
import { columnName, silverDataset } from '../options/expected.js'
import { checkedArguments } from '../options/options.js'
import { mistake } from '../problems/mistakes.js'
import { noSql, quoteName } from './sql.js'

/** A value of another dataset's row, found by its key. */
export interface Lookup extends Sql {
  readonly lookup: {
    readonly dataset: Silver<any>
    /** The column to return. */
    readonly take: string
    /** The dataset's key. */
    readonly key: string
    /** The input column that contains the key. */
    readonly by: string
  }
}

/** Stands where a look-up is wrong, once that is said. */
const broken = { ...noSql } as Lookup

/**
 * For `select`: a column of the row whose key is in the input column `by`; NULL if there is no such
 * row. Equivalent to a subquery, and much faster.
 *
 * @example
 * select: { sold_date: lookup(dates, 'd_date', 'ss_sold_date_sk') }
 * The dataset needs a key of one column.
 */
export function lookup<D extends Silver<any>>(
  dataset: D,
  take: keyof Row<D> & string,
  by: string,
): Lookup {
  const place = callSite()
  const call = `lookup(…, '${take}', '${by}')`
  const good = checkedArguments(
    call,
    { dataset, take, by },
    { dataset: silverDataset, take: columnName, by: columnName },
  )
  if (Object.values(good).includes(undefined) || Object.keys(good).length < 3) return broken
  const [key, ...others] = dataset.key
  if (key === undefined || others.length > 0) {
    mistake(
      `lookup(silver.${dataset.name}, …) needs a dataset whose key is one column`,
      undefined,
      'Use a subquery instead: sql`(select … )`.',
    )
    return broken
  }
  const names = [take, key, by].map(quoteName)
  return {
    kind: 'sql',
    place,
    parts: [
      { kind: 'text', text: `(select l.${names[0]} from ` },
      { kind: 'dataset', dataset },
      { kind: 'text', text: ` as l where cast(l.${names[1]} as varchar) = i.${names[2]})` },
    ],
    lookup: { dataset, take, key, by },
  }
}

/** The look-up that a piece of SQL is, if it is one. */
export function lookupOf(piece: string | Sql | undefined): Lookup['lookup'] | undefined {
  return typeof piece === 'object' && 'lookup' in piece ? (piece as Lookup).lookup : undefined
}
