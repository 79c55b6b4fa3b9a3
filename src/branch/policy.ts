import type { ReviewPolicy } from '../define/options/environments.js'
import { countOf, thousands } from '../define/thousands.js'
import type { DatasetDiff, LakeDiff } from './diff/diff.js'

/** Something that a change may not do without somebody's approval. */
export interface Objection {
  dataset: string
  /** In words: what it does, and what is allowed. */
  why: string
}

/** Of rows that are discarded, and are on one side alone: they are no part of those before. */
const NEWLY = 'newly discarded'

/** What a policy has against a change. */
export function objections(
  { datasets, ownSources = [] }: Pick<LakeDiff, 'datasets' | 'ownSources'>,
  policy: ReviewPolicy,
): Objection[] {
  const own = ownSources.map(({ dataset, from }): Objection => {
    return { dataset, why: `its rows come from ${from}, so nothing of this can be published` }
  })
  const found = datasets.flatMap((diff) =>
    [
      ...breaks(diff, policy),
      ...tooMany(diff, 'removed', removedRows(diff), policy.maxRemoved),
      ...tooMany(diff, 'changed', diff.rows?.changed ?? 0, policy.maxChanged),
      ...tooMany(diff, NEWLY, diff.discardedRows.gained, policy.maxDiscarded),
    ].map((why) => ({ dataset: diff.dataset, why })),
  )
  return [...own, ...found]
}

/** Of a dataset that is no more, all of its rows. */
const removedRows = ({ change, rows, rowsBefore }: DatasetDiff) =>
  rows?.removed ?? (change === 'removed' ? (rowsBefore ?? 0) : 0)

function breaks({ change, columns }: DatasetDiff, { breaking = 'approve' }: ReviewPolicy) {
  if (breaking === 'allow') return []
  if (change === 'removed') return ['the dataset is removed, which breaks its readers']
  const names = columns.filter((column) => column.breaking).map(({ column }) => column)
  return names.length > 0 ? [`readers may need columns that go or change: ${names.join(', ')}`] : []
}

function tooMany(
  { rowsBefore }: DatasetDiff,
  what: string,
  rows: number,
  most: string | undefined,
): string[] {
  if (most === undefined || rows === 0) return []
  const share = most.endsWith('%') ? Number(most.slice(0, -1)) / 100 : undefined
  const allowed = share === undefined ? Number(most) : share * (rowsBefore ?? 0)
  if (rows <= allowed) return []
  const of = rowsBefore === null || what === NEWLY ? '' : ` of ${thousands(rowsBefore)}`
  const beside =
    rowsBefore !== null && what === NEWLY ? `, beside ${thousands(rowsBefore)} kept before` : ''
  return [`${countOf(rows, 'row')}${of} ${what}${beside}: more than ${most}`]
}
