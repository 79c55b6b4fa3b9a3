import type { LakeState } from '../commit.js'

/** Whether an id is one of a branch that had a name, and was deleted or never finished. */
export const isDeletedBranch = (
  id: string,
  { branches = {} }: Pick<LakeState, 'branches'>,
): boolean => id.includes('.') && !Object.values(branches).includes(id)
