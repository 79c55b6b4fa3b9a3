import type { CommitInfo, LakeState } from '../commit.js'
import type { CommitLog } from '../log.js'
import { isRunBranch } from './run-branch-names.js'

/**
 * When nobody needs a branch any more: some time after its last commit, or after it was created;
 * `undefined` of one that stays until it is deleted.
 */
export function expiryOf({ forked, forkedAt }: CommitLog, head: LakeState): Date | undefined {
  const { created, ttl } = forked ?? {}
  if (ttl === undefined || created === undefined) return undefined
  const last = head.number > forkedAt && head.time !== null ? Date.parse(head.time) : 0
  return new Date(Math.max(last, Date.parse(created)) + ttl)
}

/**
 * Names of branches whose time is over.
 *
 * @param busy those on which somebody works, who is about to commit there.
 */
export async function expiredBranches(
  main: CommitLog,
  now: Date,
  busy: ReadonlySet<string>,
): Promise<string[]> {
  const { branches = {} } = await main.head()
  const expired: string[] = []
  for (const [name, id] of Object.entries(branches)) {
    const branch = isRunBranch(name) || busy.has(name) ? undefined : await main.openBranch(id)
    const until = branch && expiryOf(branch, await branch.head())
    if (until && until <= now) expired.push(name)
  }
  return expired
}

/** Deletes branches whose time is over; what they alone lead to is then removed by vacuum. */
export async function deleteExpired(
  main: CommitLog,
  now: Date,
  info: Omit<CommitInfo, 'message'>,
  busy: ReadonlySet<string>,
): Promise<string[]> {
  const head = await main.head()
  const expired = await expiredBranches(main, now, busy)
  if (expired.length === 0) return []
  const branches = Object.fromEntries(expired.map((name) => [name, null]))
  const message = `delete expired branches: ${expired.join(', ')}`
  await main.commit(head, { branches }, { ...info, message }, { seen: true })
  return expired
}
