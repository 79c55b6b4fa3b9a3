import type { LakeState } from '../commit.js'

/** Whether an id is one of a branch that had a name, and was deleted or never finished. */
export const isDeletedBranch = (
  id: string,
  { branches = {} }: Pick<LakeState, 'branches'>,
): boolean => id.includes('.') && !Object.values(branches).includes(id)

/**
 * Whether a branch has what a run did not publish, made of a state that has expired: then that has
 * expired as well.
 */
export const isExpiredRun = (
  { branch, forkedAt }: { branch: string; forkedAt: number },
  { horizon = 0 }: Pick<LakeState, 'horizon'>,
): boolean => isUnpublished(branch) && forkedAt < horizon

/** Whether an id is one of a branch that has what a run did not publish. */
export const isUnpublished = (id: string): boolean => id.startsWith('run-') && !id.includes('.')
