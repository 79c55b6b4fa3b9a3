import type { Gold } from '../define/model.js'
import type { Field } from '../define/types/column-type.js'
import { wouldLose } from '../plan/refused/loss.js'
import { type TargetName, targets } from '../sql/bound/target.js'
import { storedType } from '../sql/bound/types.js'
import type { PartValues } from './partition.js'
import type { Portable } from './portable.js'
import type { ReplacedParts, TouchedParts } from './replaced-parts.js'

/** Parts of a table that another engine computes. */
export interface ComputedParts extends ReplacedParts {
  sql: string
  /** Whether there are any. */
  some: boolean
}

/**
 * The parts that another engine computes: those that are touched, where it can be told which they
 * are, or else all that are not final. `undefined` where no part is final: then it is all of them.
 */
export async function partsToCompute(
  dataset: Gold,
  query: string,
  touched: TouchedParts,
  { target }: Portable,
): Promise<ComputedParts | undefined> {
  const within = (condition: string) => `SELECT * FROM (\n${query}\n) WHERE ${condition}`
  const some = touched.count > 0
  const among = some ? touched.values && amongSql(touched.values, target) : 'FALSE'
  if (among) return { ...touched, some, sql: within(among) }
  if (!touched.open) return undefined
  const open = await touched.open()
  const after = constantOf(open, open.after, target)
  if (after === undefined) throw wouldLose(dataset, open.expired)
  const by = targets[target].quote(open.column.name)
  // NaN is the greatest value there is, but not for who compares it with `>`.
  return { ...open, some, sql: within(`NOT (${by} <= ${after}) OR ${by} IS NULL`) }
}

/** Parts that are named in SQL at most, and characters of all: a query has 1,000,000 at most. */
const MOST_PARTS = 1000
const MOST_TEXT = 500_000

/** Types whose values are written as texts to the other engine. */
const NAMED = ['string', 'int', 'bigint', 'decimal', 'date', 'timestamp']

/** SQL that a value is one of some, where another engine can be told which they are. */
function amongSql(values: PartValues, target: TargetName): string | undefined {
  const { column, texts, hasNull } = values
  if (texts.length > MOST_PARTS || !NAMED.includes(column.type.kind)) return undefined
  const by = targets[target].quote(column.name)
  const among = texts.map((text) => constantOf(values, text, target)).join(', ')
  const conditions = [
    ...(texts.length > 0 ? [`${by} IN (${among})`] : []),
    ...(hasNull ? [`${by} IS NULL`] : []),
  ]
  return among.length > MOST_TEXT ? undefined : conditions.join(' OR ') || 'FALSE'
}

/** A value of a column, as the other engine writes it. */
function constantOf(
  { column }: { column: Field },
  text: string,
  target: TargetName,
): string | undefined {
  const isTime = ['date', 'timestamp', 'timestamptz'].includes(column.type.kind)
  if (isTime && !/^\d{4}-\d\d-\d\d( [\d:.]+(\+00)?)?$/.test(text)) return undefined
  return targets[target].constant(text, storedType(column.type))
}
