import type { BranchContents } from '../../branch/contents.js'
import { count, plural, readableTime, size } from '../output/format.js'
import { textTable } from '../output/table.js'

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
    return yield 'There are no branches besides main. Create one with: moraine branch create NAME'
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
  yield `Branch ${branch} starts at commit ${at} of main, and has ${plural(commits, 'commit')} of its own.`
  yield behind === 0
    ? 'Main has not moved since.'
    : `Main has ${plural(behind, 'commit')} since then.`
  if (expires !== undefined) yield `It expires at ${readableTime(expires)}, unless it is used.`
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
  if (moved.length > 0) yield `Bring it up to date with: moraine branch refresh ${branch}`
  else if (datasets.length > 0)
    yield `Show what changes with: moraine diff main..${branch}; publish it with: moraine promote ${branch}`
}
