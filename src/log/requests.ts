import type { Commit, LakeState } from './commit.js'

/** Minutes for which a request is known by its key. */
const LIFETIME = 30
/** The same as a duration of ISO 8601. */
export const KEY_LIFETIME = `PT${LIFETIME}M`

/** The requests that are known after a commit: its own, and those before it that are not old. */
export function foldRequests(
  before: LakeState['requests'],
  { number, time, changes }: Commit,
): Pick<LakeState, 'requests'> {
  const own = Object.entries(changes.requests ?? {})
  if (!before && own.length === 0) return {}
  const oldest = new Date(Date.parse(time) - LIFETIME * 60_000).toISOString()
  const known = Object.entries(before ?? {}).filter(([, { at }]) => at >= oldest)
  const made = own.map(([key, sha256]) => [key, { commit: number, at: time, sha256 }] as const)
  const requests = Object.fromEntries([...known, ...made])
  return Object.keys(requests).length > 0 ? { requests } : {}
}
