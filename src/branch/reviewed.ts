import { MoraineError } from '../errors.js'
import { REVIEW } from '../log/branch/standing.js'
import type { LakeState } from '../log/commit.js'

type Commit = Pick<LakeState, 'number' | 'hash'>

/** As many digits of a hash as nobody meets twice, and the fewest that are taken for one. */
const [SHOWN, FEWEST] = [12, 6]

/**
 * A commit of a branch as it is told to whoever reviews it: `12-5f513c83822e`. Its number alone
 * comes again, as each branch of a name goes on from the number that main had.
 */
export const commitText = ({ number, hash }: Commit): string =>
  hash ? `${number}-${hash.slice(0, SHOWN)}` : String(number)

/**
 * Whether a commit is the one that was reviewed.
 *
 * @param reviewed its number, with digits of its hash where the branch is made again and again.
 * @throws MoraineError of kind `usage` for what names no commit.
 */
export function isReviewed(name: string, reviewed: string, head: Commit): boolean {
  const [, number, digits] =
    new RegExp(`^([1-9]\\d{0,14})(?:-([0-9a-f]{${FEWEST},64}))?$`).exec(reviewed) ?? []
  if (number === undefined)
    throw new MoraineError('usage', `--commit ${reviewed} is not the number of a commit`, {
      hint: `moraine history --branch ${name} lists them. Digits of its hash may follow: 12-5f513c83822e.`,
    })
  if (name === REVIEW && digits === undefined)
    throw new MoraineError('usage', `--commit ${reviewed} does not say which commit was reviewed`, {
      hint: `Each branch ${REVIEW} has a commit of that number. Write it as moraine diff ${REVIEW} shows it, with digits of its hash, such as 12-5f513c83822e. Nothing was published.`,
    })
  return Number(number) === head.number && (head.hash ?? '').startsWith(digits ?? '')
}
