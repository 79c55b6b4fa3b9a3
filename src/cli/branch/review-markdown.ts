import type { LakeDiff } from '../../branch/diff/diff.js'
import type { HeldOn } from '../../branch/new-checks.js'
import type { Objection } from '../../branch/policy.js'
import { commitText } from '../../branch/reviewed.js'
import type { CheckResult, RunRecord } from '../../step/events.js'
import { diffMarkdown, plain, within } from './diff-markdown.js'

/** What a review has found. */
export interface Review {
  branch: string
  record: RunRecord
  diff: LakeDiff
  objections: readonly Objection[]
  /** How checks came out of tables that the run had no reason to build, and that were not held. */
  held: readonly HeldOn[]
  /** Whether somebody has approved what the policy objects to. */
  approved: boolean
}

/** Characters of a comment: GitHub takes 65,536. */
const COMMENT = 60_000
/** Characters of a message of an error. */
const MESSAGE = 2000

/**
 * A review as one comment. Its first line says which branch it is of, so that the next one takes
 * its place.
 */
export function reviewMarkdown(review: Review): string {
  const { branch, record, diff, objections, held } = review
  const failed = record.steps.filter(({ outcome }) => outcome === 'failed')
  const heads = [`<!-- moraine review ${plain(branch)} -->`, `## ${headline(review)}`, '']
  const found = [
    ...failed.map(({ dataset, error }) => `- ✖ **${plain(dataset)}**: ${cut(error?.message)}`),
    ...(record.error ? [`- ✖ ${cut(record.error.message)}`] : []),
    ...objections.map(({ dataset, why }) => `- ⚠ **${plain(dataset)}**: ${plain(why)}`),
    ...checksOf([...record.steps, ...held]),
  ]
  const end = isBroken(review) ? [] : publishing(branch, diff)
  const { shown, left } = within(found, COMMENT / 4)
  const lines = [...heads, ...shown, ...(left > 0 ? [`- and ${left} more`] : [])]
  const room = COMMENT - [...lines, ...end].join('\n').length
  return [...lines, '', diffMarkdown(diff, room), ...end].join('\n')
}

const cut = (text = '') => plain(text.length > MESSAGE ? `${text.slice(0, MESSAGE - 1)}…` : text)

/** Whether the change does not build, or a check of severity `fail` does not hold. */
export const isBroken = ({ record, held }: Pick<Review, 'record' | 'held'>): boolean =>
  record.outcome !== 'done' ||
  held.some(({ checks }) => checks.some((one) => !one.passed && one.severity === 'fail'))

function headline({ record, held, objections, approved }: Review): string {
  if (record.outcome !== 'done') return '✖ The change does not build'
  if (isBroken({ record, held })) return '✖ A check does not hold'
  if (objections.length === 0) return '✔ The change builds, and the policy allows it'
  return approved
    ? '✔ The change builds, and is approved'
    : '⚠ The change builds, and needs approval'
}

/** Checks that did not hold: those that only warn are no failure. */
const checksOf = (held: readonly { dataset: string; checks?: readonly CheckResult[] }[]) =>
  held.flatMap(({ dataset, checks = [] }) =>
    checks
      .filter(({ passed }) => !passed)
      .map(({ check, severity, message: said }) => {
        const mark = severity === 'fail' ? '✖' : '⚠'
        return `- ${mark} **${plain(dataset)}**, check ${plain(check)}: ${cut(said ?? 'it does not hold')}`
      }),
  )

/** What publishes exactly this. */
function publishing(branch: string, { after, datasets, ownSources, others }: LakeDiff): string[] {
  if ((datasets.length === 0 && !others) || ownSources) return []
  const commit = commitText({ number: after.commit, hash: after.hash })
  return ['', `Publish exactly this: \`moraine promote ${branch} --commit ${commit}\``]
}
