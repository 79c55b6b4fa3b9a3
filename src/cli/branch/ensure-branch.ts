import { createBranch } from '../../log/branch/named.js'
import type { CommitLog } from '../../log/log.js'
import { ownValue } from '../../own-value.js'
import { currentUser } from '../../step/context.js'

/**
 * Creates a branch at main's newest state where there is none of that name.
 *
 * @param ttl how long a new one lives after its last commit, in milliseconds.
 * @returns whether it was created here.
 */
export async function ensureBranch(
  main: CommitLog,
  name: string,
  ttl: number | undefined,
): Promise<boolean> {
  const isThere = async () => ownValue((await main.head()).branches, name) !== undefined
  if (await isThere()) return false
  const life = {
    created: new Date().toISOString(),
    ...(ttl === undefined ? {} : { ttl }),
  }
  try {
    await createBranch(main, name, await main.head(), { author: currentUser(), run: null, life })
    return true
  } catch (error) {
    // Somebody else has created it meanwhile.
    if (await isThere()) return false
    throw error
  }
}
