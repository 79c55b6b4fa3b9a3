import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Objects of a bucket, which have a place on this machine while the engine reads or writes them. */
export interface Staged {
  /** The bucket's root, without a trailing slash. */
  url: string
  /** The folder that stands for it. */
  folder: string
  /** Brings an object to its place; there being none is no error. */
  fetch(path: string): Promise<void>
}

const mounted = new Map<string, Staged>()

/** From now on locations below the root have a place on this machine. */
export function mount(staged: Staged): void {
  mounted.set(staged.url, staged)
}

/** The file of this machine that a location stands for; the location itself where there is none. */
export function localPath(location: string): string {
  if (location.startsWith('file://')) return location.slice('file://'.length)
  for (const { url, folder } of mounted.values())
    if (location.startsWith(`${url}/`)) return join(folder, location.slice(url.length + 1))
  return location
}

/** Brings objects to their places on this machine, several at a time. */
export async function fetchStaged(locations: Iterable<string>): Promise<void> {
  const wanted = [...new Set([...locations].map(localPath))].flatMap(placeOf)
  const next = wanted.values()
  const work = async () => {
    for (const { staged, path } of next) await staged.fetch(path)
  }
  await Promise.all(Array.from({ length: Math.min(16, wanted.length) }, work))
}

/** Brings all objects to their places whose places a statement mentions. */
export async function fetchMentioned(sql: string): Promise<void> {
  if (mounted.size === 0) return
  const found = new Set<string>()
  for (const { folder } of mounted.values())
    for (let at = sql.indexOf(`'${folder}/`); at >= 0; at = sql.indexOf(`'${folder}/`, at + 1))
      found.add(textAt(sql, at))
  await fetchStaged(found)
}

/** An object whose place is not there yet. */
function placeOf(file: string): { staged: Staged; path: string }[] {
  for (const staged of mounted.values())
    if (file.startsWith(`${staged.folder}/`) && !existsSync(file))
      return [{ staged, path: file.slice(staged.folder.length + 1) }]
  return []
}

/** The text in quotes that begins at an offset; where it is a pattern, what it stands for. */
function textAt(sql: string, start: number): string {
  let end = sql.indexOf("'", start + 1)
  while (sql[end + 1] === "'") end = sql.indexOf("'", end + 2)
  return sql
    .slice(start + 1, end)
    .replaceAll("''", "'")
    .replace(/\[([*?[])\]/g, '$1')
}
