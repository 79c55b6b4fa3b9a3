import type { BranchContents } from '../../branch/contents.js'
import { commitText } from '../../branch/reviewed.js'
import type { Waiting } from '../../branch/waiting.js'
import { WRITTEN_TWICE } from '../../log/branch/moved.js'
import { REVIEW } from '../../log/branch/standing.js'
import { count, plural, readableTime, size } from '../output/format.js'
import { textTable } from '../output/table.js'
import { again } from './again.js'

export { again }

/** A branch as a list shows it. */
interface Listed {
  branch: string
  at: number
  commits: number
  time: string | null
  expires?: string
}

export function* branchLines(rows: readonly Listed[]): Iterable<string> {
  if (rows.length === 0)
    return yield again(
      'There are no branches besides main. Create one with: moraine branch create NAME',
    )
  const expire = rows.some(({ expires }) => expires !== undefined)
  const names = ['branch', 'starts at', 'commits', 'last commit', ...(expire ? ['expires'] : [])]
  yield textTable(
    names.map((name) => ({ name })),
    rows.map(({ branch, at, commits, time, expires }) => ({
      branch,
      'starts at': `commit ${at}`,
      commits: plural(commits, 'commit'),
      'last commit': time === null ? '-' : readableTime(time),
      expires: expires === undefined ? '-' : readableTime(expires),
    })),
  )
}

export function* contentsLines(contents: BranchContents): Iterable<string> {
  const { branch, at, commits, behind, expires, datasets, files, bytes, moved } = contents
  const { ownSources = [] } = contents
  yield `Branch ${branch} starts at commit ${at} of main, and has ${plural(commits, 'commit')} of its own.`
  yield behind === 0
    ? 'Main has not moved since.'
    : `Main has ${plural(behind, 'commit')} since then.`
  if (expires !== undefined) yield `It expires at ${readableTime(expires)}, unless it is used.`
  for (const { dataset, from, rows } of ownSources)
    yield `! ${dataset} has ${plural(rows, 'row')} of its own here, from ${from}: the branch cannot be published.`
  if (datasets.length > 0) {
    yield ''
    yield textTable(
      ['dataset', 'rows on main', 'rows here'].map((name, i) => ({ name, right: i > 0 })),
      datasets.map(({ dataset, before, after }) => ({
        dataset,
        'rows on main': before === null ? '-' : count(before),
        'rows here': after === null ? '-' : count(after),
      })),
    )
    yield ''
    yield `${plural(files, 'file')} (${size(bytes)}) that only this branch has; it shares all others with main.`
  }
  for (const why of new Set(moved.map((one) => one.why))) yield `! ${why}`
  if (moved.some(({ isForeign }) => isForeign)) yield WRITTEN_TWICE
  else if (moved.length > 0)
    yield branch === REVIEW
      ? RUN
      : again(`Bring it up to date with: moraine branch refresh ${branch}`)
  else if (ownSources.length > 0)
    yield again(`Show what differs with: moraine diff main..${branch}`)
  else if (datasets.length > 0)
    yield again(
      `Show what changes with: moraine diff main..${branch}; publish it with: moraine promote ${branch}`,
    )
}

/** What brings the branch of reviews up to date. */
const RUN = 'Bring it up to date with: moraine run'

/** What waits for a review: how many rows, since when, and what to do. */
export function* waitingLines(waiting: Waiting | undefined): Iterable<string> {
  if (!waiting) return
  const { branch, commit: number, hash, since, datasets, moved } = waiting
  const commit = commitText({ number, hash })
  const from = since === undefined ? '' : ` since ${readableTime(since).replace(/\.\d+/, '')}`
  yield `\nWaiting for a review${from}, on branch ${branch} (commit ${commit}):`
  const rows = (of: number | null) => (of === null ? '-' : count(of))
  yield textTable(
    ['dataset', 'rows on main', 'rows there'].map((name, i) => ({ name, right: i > 0 })),
    datasets.map(({ dataset, before, after }) => ({
      dataset,
      'rows on main': rows(before),
      'rows there': rows(after),
    })),
  )
  for (const why of new Set(moved.map((one) => one.why))) yield `! ${why}`
  yield moved.length > 0
    ? RUN
    : `Show what changes with: moraine diff ${branch}; publish exactly this with: moraine promote ${branch} --commit ${commit}`
}
