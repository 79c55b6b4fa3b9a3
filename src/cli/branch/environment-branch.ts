import type { Environment } from '../../define/options/environments.js'
import { MoraineError } from '../../errors.js'
import type { CommitLog } from '../../log/log.js'
import { ownValue } from '../../own-value.js'
import { sha256 } from '../../storage/checksum.js'

/** The branch of an environment, for one user. */
interface EnvironmentBranch {
  name: string
  /** What earlier versions called it, and perhaps that of another user as well. */
  earlier?: string
}

/** Characters that a name of a branch may have, and digits that tell names apart. */
const [MOST, DIGITS] = [63, 6]

/**
 * The branch of an environment: a name that the log takes, whatever the function makes of the
 * user's. Where something had to be replaced, digits of a hash tell it from what becomes the same.
 *
 * @throws MoraineError of kind `definition` where the function gives no name.
 */
export function branchOf(
  { branch }: Environment,
  env: string | undefined,
  user: string,
): EnvironmentBranch | undefined {
  if (branch === undefined) return undefined
  const given: unknown = typeof branch === 'function' ? branch(user) : branch
  if (typeof given !== 'string' || given.trim() === '')
    throw new MoraineError(
      'definition',
      `The branch of environment '${env}' has no name: its function gave ${JSON.stringify(given) ?? 'undefined'} for user '${user}'`,
      { hint: `Give a text: branch: (user) => '${env}-' + user` },
    )
  const safe = safeName(given)
  const earlier = safe.slice(0, MOST)
  if (earlier === given || typeof branch === 'string') return { name: earlier }
  const start = safe.slice(0, MOST - DIGITS - 1).replace(/[-_]+$/, '') || 'branch'
  return { name: `${start}-${sha256(given).slice(0, DIGITS)}`, earlier }
}

const safeName = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')

/** The name that the branch has in a lake: the one of before, if this user made it. */
export async function nameIn(
  main: CommitLog,
  { name, earlier }: EnvironmentBranch,
  user: string,
): Promise<string> {
  if (earlier === undefined) return name
  const { branches } = await main.head()
  const id = ownValue(branches, earlier)
  if (id === undefined || ownValue(branches, name) !== undefined) return name
  return (await authorOf(main, id)) === user ? earlier : name
}

/** Who gave a branch its name. */
async function authorOf(main: CommitLog, id: string): Promise<string | undefined> {
  const branch = await main.openBranch(id)
  for (let number = (branch?.forkedAt ?? 0) + 1; ; number++) {
    const entry = await main.entry(number)
    if (!entry) return undefined
    const { author, changes } = entry.commit
    if (Object.values(changes.branches ?? {}).includes(id)) return author
  }
}
