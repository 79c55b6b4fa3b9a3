import type { LakeDiff } from '../../branch/diff/diff.js'
import type { Objection } from '../../branch/policy.js'
import type { RunRecord } from '../../step/events.js'
import { diffMarkdown, plain } from './diff-markdown.js'

/** What a review has found. */
export interface Review {
  branch: string
  record: RunRecord
  diff: LakeDiff
  objections: readonly Objection[]
  /** Whether somebody has approved what the policy objects to. */
  approved: boolean
}

/**
 * A review as one comment. Its first line says which branch it is of, so that the next one takes
 * its place.
 */
export function reviewMarkdown({ branch, record, diff, objections, approved }: Review): string {
  const failed = record.steps.filter(({ outcome }) => outcome === 'failed')
  const lines = [
    `<!-- moraine review ${plain(branch)} -->`,
    `## ${headline(record, objections, approved)}`,
    '',
    ...failed.map(
      ({ dataset, error }) => `- ✖ **${plain(dataset)}**: ${plain(error?.message ?? '')}`,
    ),
    ...(record.error ? [`- ✖ ${plain(record.error.message)}`] : []),
    ...objections.map(({ dataset, why }) => `- ⚠ **${plain(dataset)}**: ${plain(why)}`),
    ...checksOf(record),
  ]
  const end = record.outcome === 'done' ? publishing(branch, diff) : []
  return [...lines, '', diffMarkdown(diff), ...end].join('\n')
}

function headline(
  { outcome }: RunRecord,
  objections: readonly Objection[],
  approved: boolean,
): string {
  if (outcome !== 'done') return '✖ The change does not build'
  if (objections.length === 0) return '✔ The change builds, and the policy allows it'
  return approved
    ? '✔ The change builds, and is approved'
    : '⚠ The change builds, and needs approval'
}

/** Checks that did not hold: those that only warn are no failure. */
const checksOf = ({ steps }: RunRecord) =>
  steps.flatMap(({ dataset, checks = [] }) =>
    checks
      .filter(({ passed }) => !passed)
      .map(({ check, severity, message }) => {
        const mark = severity === 'fail' ? '✖' : '⚠'
        return `- ${mark} **${plain(dataset)}**, check ${plain(check)}: ${plain(message ?? 'it does not hold')}`
      }),
  )

/** What publishes exactly this. */
function publishing(branch: string, { after, datasets }: LakeDiff): string[] {
  if (datasets.length === 0) return []
  return ['', `Publish exactly this: \`moraine promote ${branch} --commit ${after.commit}\``]
}
