import { MoraineError } from '../../errors.js'
import { ownValue } from '../../own-value.js'
import type { Changes, CommitInfo, LakeState } from '../commit.js'
import type { CommitFiles, CommitLog } from '../log.js'
import { commitTables, type LakeLog } from '../tables/commit-tables.js'
import { hasAllOf, hasLetGo } from './moved.js'
import { createBranch, openNamed } from './named.js'
import { refuseOwnSources } from './own-sources.js'
import { refreshBranch } from './refresh.js'

/** The branch on which tables wait for a review, where `lake.ts` says `publish: 'review'`. */
export const REVIEW = 'review'

/** Other runs may bring it to a newer state of main, and promotions end it, at any time. */
const ATTEMPTS = 8

/** What is committed to a standing branch, and what is known of its files. */
interface Committed {
  changes: Changes
  info: CommitInfo
  files: CommitFiles
}

/** Opens a branch at main's newest state, with what it has built; makes it where there is none. */
export async function openStanding(
  main: CommitLog,
  name: string,
  author: Omit<CommitInfo, 'message'>,
): Promise<CommitLog> {
  for (let attempt = 1; ; attempt++) {
    try {
      const head = await main.head()
      const isThere = ownValue(head.branches, name) !== undefined
      const life = { created: new Date().toISOString() }
      if (isThere) await refreshBranch(main, name, author)
      const branch = isThere
        ? await openNamed(main, name)
        : await createBranch(main, name, head, { ...author, life })
      refuseOwnSources(name, await branch.head())
      branch.definition = main.definition
      return branch
    } catch (error) {
      // It was made, or ended, meanwhile.
      const mayPass = error instanceof MoraineError && ['conflict', 'usage'].includes(error.kind)
      if (!mayPass || attempt >= ATTEMPTS) throw error
    }
  }
}

/**
 * Commits tables to a standing branch that is brought to main's newest state with it.
 *
 * @param base what was seen on the branch, as `asRefreshed` gives it, when they were built.
 * @throws MoraineError of kind `conflict` where what they were built on is not there any more.
 */
export async function commitToStanding(
  { log: main, storage }: LakeLog,
  name: string,
  base: LakeState,
  { changes, info, files }: Committed,
): Promise<LakeState> {
  for (let attempt = 1; ; attempt++) {
    const branch = await openStanding(main, name, info)
    const head = await branch.head()
    refuseTakenBack(name, changes, base, head)
    // Whoever brought the branch to a newer state of main has taken along what was on it.
    if (attempt > 1 && hasAll(changes, head)) return head
    refuseMoved(name, changes, base, head)
    try {
      return await commitTables({ log: branch, storage }, head, { changes, info, files })
    } catch (error) {
      const isConflict = error instanceof MoraineError && error.kind === 'conflict'
      const now = ownValue((await main.head()).branches, name)
      if (!isConflict || now === branch.branch || attempt >= ATTEMPTS) throw error
    }
  }
}

type Parts = Pick<LakeState, 'tables' | 'views' | 'offsets'>

/** Tables, views and offsets of some names in one state, as one text. */
function textOf(names: Changes, { tables, views = {}, offsets }: Parts): string {
  const of = (changed: object = {}, values: Readonly<Record<string, unknown>>) =>
    Object.keys(changed).map((name) => values[name] ?? null)
  return JSON.stringify([
    of(names.tables, tables),
    of(names.views, views),
    of(names.offsets, offsets),
  ])
}

const hasAll = (changes: Changes, state: LakeState) =>
  textOf(changes, state) === textOf(changes, changes as Parts)

/** The batches that were read have to be there, and those that come behind them. */
function refuseTakenBack(name: string, changes: Changes, base: LakeState, head: LakeState): void {
  const isRead = Object.values(changes.offsets ?? {}).every((seen) =>
    Object.entries(seen ?? {}).every(
      ([input, version]) =>
        typeof version !== 'number' ||
        (hasAllOf(input, version, base, head) && !hasLetGo(input, version, head)),
    ),
  )
  if (!isRead) throw moved(name)
}

/** Offsets and tables of what is committed have to be what they were when it was built. */
function refuseMoved(name: string, changes: Changes, base: LakeState, head: LakeState): void {
  if (textOf(changes, base) !== textOf(changes, head)) throw moved(name)
}

const moved = (name: string) =>
  new MoraineError('conflict', `Main, or branch ${name}, has changed since this run began`, {
    retryable: true,
    hint: 'Another run, or a rollback, was faster. What was ingested is kept, and no table was changed: run it again.',
  })
