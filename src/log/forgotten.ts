import { MoraineError } from '../errors.js'
import type { Commit, LakeState, Receipt } from './commit.js'

/** What receipts a state has after one more commit. */
export function foldForgotten(
  before: LakeState['forgotten'],
  { changes: { forgotten }, number: commit, time: at, author }: Commit,
): Pick<LakeState, 'forgotten'> {
  if (!forgotten) return before ? { forgotten: before } : {}
  const { id, rows = {}, done } = forgotten
  const begun = before?.[id] ?? { commit, at, author, rows }
  const receipt = done ? { ...begun, done: { commit, at } } : begun
  return { forgotten: { ...before, [id]: receipt } }
}

/** A receipt with its id. */
export type NamedReceipt = Receipt & { id: string }

/** All receipts, in the order of their commits. */
export function receiptsIn({ forgotten = {} }: Pick<LakeState, 'forgotten'>): NamedReceipt[] {
  return Object.entries(forgotten).map(([id, receipt]) => ({ id, ...receipt }))
}

/** Those of what is not removed from everywhere yet. */
export const unfinished = (state: Pick<LakeState, 'forgotten'>): NamedReceipt[] =>
  receiptsIn(state).filter(({ done }) => !done)

/**
 * Why a state can't be seen or come back: rows that it has were forgotten since. `undefined` where
 * none were.
 */
export function forgottenSince(
  number: number,
  { forgotten = {} }: Pick<LakeState, 'forgotten'>,
): MoraineError | undefined {
  const found = Object.entries(forgotten).find(([, { commit }]) => number < commit)
  if (!found) return undefined
  const [id, { commit }] = found
  return new MoraineError(
    'usage',
    `Commit ${number} cannot come back: commit ${commit} has forgotten rows that it had (receipt ${id})`,
    { hint: `Earlier states end with commit ${commit}. Choose it or a later one.` },
  )
}
