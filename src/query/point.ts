import { MoraineError } from '../errors.js'
import type { LakeState } from '../log/commit.js'
import type { CommitLog } from '../log/log.js'

/**
 * The lake as it was at a commit or a time, to be read.
 *
 * @throws MoraineError of kind `usage` when it held nothing then.
 */
export async function stateToRead(log: CommitLog, at: number | Date): Promise<LakeState> {
  if (at instanceof Date && Number.isNaN(at.getTime()))
    throw new MoraineError('usage', 'The value is neither a commit nor a time', {
      hint: 'Give a commit number, or a time such as 2026-01-31T12:00:00Z.',
    })
  const state = await log.visibleAt(at)
  if (state.number > 0) return state
  for await (const { commit } of log.entries())
    throw new MoraineError(
      'usage',
      at instanceof Date
        ? `The lake had no commits yet at ${at.toISOString()}`
        : 'The lake was empty before its first commit',
      { hint: `Its first commit is from ${commit.time}. List the commits with: moraine history` },
    )
  return state
}
