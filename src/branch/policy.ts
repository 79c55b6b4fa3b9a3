import type { ReviewPolicy } from '../define/options/environments.js'
import { countOf, thousands } from '../define/thousands.js'
import type { DatasetDiff, LakeDiff } from './diff/diff.js'

/** Something that a change may not do without somebody's approval. */
export interface Objection {
  dataset: string
  /** In words: what it does, and what is allowed. */
  why: string
}

/** What a policy has against a change. */
export function objections(
  { datasets }: Pick<LakeDiff, 'datasets'>,
  policy: ReviewPolicy,
): Objection[] {
  return datasets.flatMap((diff) =>
    [
      ...breaks(diff, policy),
      ...tooMany(diff, 'removed', diff.rows?.removed ?? 0, policy.maxRemoved),
      ...tooMany(diff, 'changed', diff.rows?.changed ?? 0, policy.maxChanged),
      ...tooMany(diff, 'more discarded', discardedBy(diff), policy.maxDiscarded),
    ].map((why) => ({ dataset: diff.dataset, why })),
  )
}

function breaks({ change, columns }: DatasetDiff, { breaking = 'approve' }: ReviewPolicy) {
  if (breaking === 'allow') return []
  if (change === 'removed') return ['the dataset is removed, which breaks its readers']
  const names = columns.filter((column) => column.breaking).map(({ column }) => column)
  return names.length > 0 ? [`readers may need columns that go or change: ${names.join(', ')}`] : []
}

const discardedBy = ({ discarded }: DatasetDiff) =>
  discarded.reduce((sum, { gained, lost }) => sum + Math.max(0, gained - lost), 0)

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
  const of = rowsBefore === null ? '' : ` of ${thousands(rowsBefore)}`
  return [`${countOf(rows, 'row')}${of} ${what}: more than ${most}`]
}
