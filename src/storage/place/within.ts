import { realpathSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import type { Storage } from '../storage.js'

/** How a place lies to a lake. */
export type Within =
  | { is: 'outside' }
  /** The lake lies in it. */
  | { is: 'around' }
  /** Where in the lake it is, with `/`: `''` for the lake itself. */
  | { is: 'inside'; path: string }

/**
 * Whether a folder of this machine, or a prefix of a bucket, and a lake lie in each other: what is
 * written or removed there would be the lake's.
 *
 * @param place an absolute path, or a URL `s3://…`.
 */
export function within({ url }: Pick<Storage, 'url'>, place: string): Within {
  const isLocal = url.startsWith('file://')
  if (isLocal === place.startsWith('s3://')) return { is: 'outside' }
  const [lake, other] = [url, place].map(isLocal ? folderOf : prefixOf) as [string, string]
  if (`${other}/`.startsWith(`${lake}/`))
    return { is: 'inside', path: other.slice(lake.length + 1) }
  return { is: `${lake}/`.startsWith(`${other}/`) ? 'around' : 'outside' }
}

const prefixOf = (url: string) => url.replace(/\?.*$/s, '').replace(/\/+$/, '')

function folderOf(place: string): string {
  const path = resolve(place.replace(/^file:\/\/(?:\/(?=[a-z]:))?/i, ''))
  return realOf(path).split(sep).join('/').replace(/\/$/, '')
}

/** Where links lead, as far as folders exist. */
function realOf(path: string): string {
  try {
    return realpathSync.native(path)
  } catch {
    const above = dirname(path)
    return above === path ? path : join(realOf(above), basename(path))
  }
}
