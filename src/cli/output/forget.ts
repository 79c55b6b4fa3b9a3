import { fullName } from '../../define/dataset.js'
import type { Silver } from '../../define/model.js'
import type { Done, Forgetting } from '../../maintain/forget/forget.js'
import colors from './colors.js'
import { plural } from './format.js'
import { printable } from './terminal.js'

/** What forgetting does, with what is kept on this machine beside the lake. */
type Told = Forgetting & { elsewhere: { kept: readonly string[] } }

/**
 * What forgetting rows would do, or did.
 *
 * @param isRefused something is in its way, which is told apart.
 */
export function forgetLines(
  dataset: Silver,
  found: Told & Partial<Done>,
  isRefused = false,
): string[] {
  const { rows, finished, unfinished, doubtful } = found
  const isNothing = Object.keys(rows).length === 0 && found.files === 0
  const receipts = (finished ?? []).map(
    ({ id, commit, files, records, archived, versions }) =>
      `${colors.green('✔')} Commit ${commit}: receipt ${id}. Removed ${plural(files, 'file')} of earlier states, ${plural(records, 'record')} of runs and queries${archived > 0 ? `, ${plural(archived, 'file')} of the archive` : ''}${versions > 0 ? `, ${plural(versions, 'earlier version')} of objects` : ''}.`,
  )
  const begun = finished
    ? []
    : unfinished.map(
        (id) =>
          `${colors.yellow('!')} Receipt ${id} is not finished: rows are still in earlier states. --yes goes on with it.`,
      )
  const stay = Object.entries(doubtful).map(
    ([name, n]) =>
      `  ${plural(n, 'row')} read for ${name} may be theirs, and stay: they have no key of their own, and a value that others may have`,
  )
  if (isNothing)
    return [
      ...stay,
      ...begun,
      ...receipts,
      `No row of ${fullName(dataset)}, or that refers to it, was found in the newest state. Not searched: earlier states and records of runs, which moraine vacuum --history expires, and archived files of batches that have expired or were discarded.`,
    ]
  return [
    ...begun,
    ...counts(found),
    ...stay,
    ...beside(found),
    '',
    ...receipts,
    ...(isRefused ? [] : ending(found)),
  ]
}

const discarded = (n: number) => (n === 1 ? '1 discarded batch' : `${n} discarded batches`)

function counts(found: Forgetting): string[] {
  const { rows, unreadable, batches, closed, files, rebuilt, commits } = found
  const width = Math.max(...Object.keys(rows).map((name) => name.length))
  const numbers = Object.values(rows).map((n) => plural(n, 'row'))
  const longest = Math.max(...numbers.map((text) => text.length))
  const lines = Object.keys(rows).map(
    (name, i) => `  ${name.padEnd(width)}  ${(numbers[i] ?? '').padStart(longest)}`,
  )
  const each = batches === 1 ? '1 batch' : `${batches} batches`
  return [
    ...lines,
    ...(unreadable > 0
      ? [`  ${plural(unreadable, 'row')} of these could not be read, and name the key`]
      : []),
    `  ${plural(files, 'file')} written again, in ${each} and the tables; ${plural(commits, 'earlier state')} expired, with all records of runs and queries`,
    ...(closed > 0
      ? [`  archived files of ${discarded(closed)} removed: their rows are not searched`]
      : []),
    ...(rebuilt.length > 0 ? [`  rebuilt from all of their rows: ${rebuilt.join(', ')}`] : []),
  ]
}

function beside({ elsewhere }: Told): string[] {
  const { exports, external, sources, notLookedInto, kept } = elsewhere
  const part = (title: string, lines: readonly string[]) =>
    lines.length > 0 ? [title, ...lines.map((line) => `  ${printable(line)}`)] : []
  return [
    ...part('Sources that bring the rows back while they have them:', sources),
    ...part('Exported tables, for their owners (moraine export brings them up to date):', exports),
    ...part('Tables of other engines, for their owners:', external),
    ...part('Nothing says that these refer to the rows; they were not looked into:', notLookedInto),
    ...part('Kept beside the lake, and not looked into:', kept),
  ]
}

function ending({ finished }: Partial<Done>): string[] {
  return finished ? [] : ['Nothing was changed. To remove the rows: the same with --yes']
}
