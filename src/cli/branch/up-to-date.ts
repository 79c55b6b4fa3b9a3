import { createBranch, openNamed } from '../../log/branch/named.js'
import { refreshBranch } from '../../log/branch/refresh.js'
import { ownValue } from '../../own-value.js'
import { currentUser } from '../../step/context.js'
import type { Project } from '../project.js'

/**
 * Brings a branch to main's newest state, where it keeps what it has built; makes it where there is
 * none.
 *
 * @param ttl how long a new one lives after its last commit, in milliseconds.
 */
export async function upToDate({ log }: Project, branch: string, ttl: number): Promise<void> {
  const author = { author: currentUser(), run: null }
  const head = await log.head()
  if (ownValue(head.branches, branch) !== undefined) await refreshBranch(log, branch, author)
  else {
    const life = { created: new Date().toISOString(), ttl }
    await createBranch(log, branch, head, { ...author, life })
  }
  await openNamed(log, branch)
}
