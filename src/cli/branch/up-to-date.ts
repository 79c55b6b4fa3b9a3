import { openNamed } from '../../log/branch/named.js'
import { refreshBranch } from '../../log/branch/refresh.js'
import { currentUser } from '../../step/context.js'
import type { Project } from '../project.js'
import { ensureBranch } from './ensure-branch.js'

/**
 * Brings a branch to main's newest state, where it keeps what it has built; makes it where there is
 * none.
 *
 * @param ttl how long a new one lives after its last commit, in milliseconds.
 */
export async function upToDate({ log }: Project, branch: string, ttl: number): Promise<void> {
  const isNew = await ensureBranch(log, branch, ttl)
  if (!isNew) await refreshBranch(log, branch, { author: currentUser(), run: null })
  await openNamed(log, branch)
}
