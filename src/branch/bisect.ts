import { MoraineError } from '../errors.js'
import type { Commit, LakeState } from '../log/commit.js'
import type { CommitLog } from '../log/log.js'

/** What a condition is at a commit; `unknown` where it can not be asked: a dataset is missing. */
export type Answer = 'true' | 'false' | 'unknown'

/** The commit at which a condition became what it is. */
export interface Flip {
  before: Answer
  after: Answer
  /** The first commit with the later answer. */
  commit: Commit
  /** How many commits were asked. */
  asked: number
}

/** Between which commits to look; the oldest that can be seen, and the newest, without them. */
export interface Between {
  from?: number | undefined
  to?: number | undefined
}

/**
 * Finds the commit at which a condition flipped, by halves: each time the state in the middle is
 * asked. Where it flipped several times, one of these is found.
 *
 * @param ask answers on a state; what it throws for good is `unknown`.
 * @throws MoraineError of kind `usage` where it is the same at both ends.
 */
export async function bisect(
  log: CommitLog,
  { from, to }: Between,
  ask: (state: LakeState) => Promise<boolean>,
): Promise<Flip> {
  const head = await log.head()
  let [low, high] = [from ?? Math.max(1, await log.oldest(head)), to ?? head.number]
  let asked = 0
  const at = async (number: number): Promise<Answer> => {
    asked++
    const state = await log.visibleAt(number)
    return answerOf(() => ask(state))
  }
  if (low >= high)
    throw new MoraineError('usage', `There is no commit between ${low} and ${high}`, {
      hint: 'Give an earlier --from, or a later --to. moraine history lists the commits.',
    })
  const [first, after] = [await at(low), await at(high)]
  if (first === after)
    throw new MoraineError('usage', `It is ${after} at commit ${low} and at commit ${high}`, {
      hint: 'Choose two commits at which it differs, with --from and --to.',
    })
  // Between two answers there may be commits at which it can't be asked.
  let before = first
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    const answer = await at(middle)
    if (answer === after) high = middle
    else [low, before] = [middle, answer]
  }
  const entry = await log.entry(high)
  if (!entry) throw new MoraineError('corrupt', `Commit ${high} of the log is missing`)
  return { before, after, commit: entry.commit, asked }
}

async function answerOf(ask: () => Promise<boolean>): Promise<Answer> {
  try {
    return (await ask()) ? 'true' : 'false'
  } catch (error) {
    if (error instanceof MoraineError && ['query', 'usage'].includes(error.kind)) return 'unknown'
    throw error
  }
}
